"""The writer thread's work: looking through the folder, writing, evicting."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mullama.engine.disk.files import File, Files, Listing, eviction_order
from mullama.engine.disk.format import BadSegment, Entry, Segment
from mullama.engine.disk.health import Drop, Pause
from mullama.engine.disk.shelf import Shelf

log = logging.getLogger("mullama.disk")


class Writer:
    """Keeps a shelf and a folder in line, and the folder within `max_bytes`.

    Every method may take long, and none raises OSError: what fails is dropped, and writing pauses.
    """

    def __init__(
        self,
        files: Files,
        shelf: Shelf,
        pause: Pause,
        max_bytes: int,
        wall_clock: Callable[[], float],
    ) -> None:
        self._files = files
        self._shelf = shelf
        self._pause = pause
        self._max_bytes = max_bytes
        self._wall_clock = wall_clock
        # Set by the thread that closes the store.
        self.is_closing = False  # what is not on the shelf yet is not looked for any more
        self.is_late = False  # what is queued is dropped

    def begin(self) -> None:
        """Take up what earlier processes have left, as much of it as there is room for."""
        try:
            self._make_room(self._look())
        except OSError as error:
            self._pause.begin(error)

    def save(self, segment: Segment, entry: Entry) -> None:
        """Write a queued segment."""
        drop: Drop | None = Drop.FAILED
        try:
            drop = self._store(segment, entry)
        except OSError as error:
            self._pause.begin(error)
        finally:
            if drop:
                self._shelf.drop(entry, drop)
            else:
                self._shelf.settle(entry, self._wall_clock())

    def note_use(self, entries: list[Entry], now: float) -> None:
        for entry in entries:
            self._files.touch(entry, now)

    def _store(self, segment: Segment, entry: Entry) -> Drop | None:
        if self.is_late:
            return Drop.OFF
        if self._pause.lasts:
            return Drop.PAUSED
        self._files.create()
        with self._files.claim(entry) as claim:
            listing = self._look()
            if not (entry.is_first or self._shelf.has(entry.parent)):
                return Drop.ORPHAN
            if self._files.file_name(entry) in {file.name for file in self._ours(listing)}:
                return None  # another process has written it
            if not self._make_room(listing, entry):
                return Drop.NO_ROOM
            n_bytes = self._files.write(claim, segment, self._wall_clock())
        self._shelf.has_written(n_bytes)
        self._pause.end()
        return None

    def _look(self) -> Listing:
        """List the folder, and bring the shelf in line with what other processes did to it."""
        listing = self._files.look(self._wall_clock())
        there = {file.key: file for file in self._ours(listing)}
        known, queued = self._shelf.known()
        for key in known - queued - there.keys():
            self._shelf.forget(key)
        for key in there.keys() - known:
            if self.is_closing:
                break
            self._adopt(there[key])
        return listing

    def _adopt(self, file: File) -> None:
        try:
            entry = self._files.read_entry(file)
        except BadSegment as bad:
            self._files.discard(file.name)
            self._shelf.miss(file.key, bad.reason)
        except OSError as error:
            log.debug("%s can't be read: %s", file.name, error)
        else:
            self._shelf.adopt(entry, file.used)

    def _make_room(self, listing: Listing, entry: Entry | None = None) -> bool:
        """Evict until the budget holds. False if it can't hold with `entry`: then all stays."""
        excess = listing.n_bytes - self._max_bytes
        growing = None
        if entry and not entry.is_first:
            growing = (self._files.folder, entry.parent)
        order = eviction_order(listing.files, growing)
        victims: list[File] = []
        while excess > 0 and (file := next(order, None)):
            victims.append(file)
            excess -= file.n_bytes
        if entry and excess > 0:
            return False
        for file in victims:
            self._evict(file)
        self._shelf.has_seen(self._max_bytes + excess)
        return True

    def _evict(self, file: File) -> None:
        self._files.remove(file)
        self._shelf.has_evicted(file.n_bytes)
        if file.folder == self._files.folder:
            self._shelf.forget(file.key)

    def _ours(self, listing: Listing) -> list[File]:
        return [file for file in listing.files if file.folder == self._files.folder]
