"""The reader thread's work: segments from their files."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mullama.engine.disk.files import Files
from mullama.engine.disk.format import BadSegment, Entry, Miss, Segment
from mullama.engine.disk.shelf import Shelf

Done = Callable[[tuple[Segment, ...]], None]


class Reader:
    """Finds out what can be had of what is on a shelf. Nothing that goes wrong is an error."""

    def __init__(
        self,
        files: Files,
        shelf: Shelf,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._files = files
        self._shelf = shelf
        self._clock = clock
        self._wall_clock = wall_clock
        # Set by the thread that closes the store: nobody waits for what is fetched any more.
        self.is_late = False

    def fetch(self, keys: Sequence[bytes], done: Done) -> None:
        """Call `done` with the segments, up to the first that can't be had."""
        segments: list[Segment] = []
        try:
            for key in keys:
                segment = None if self.is_late else self._get(key)
                if segment is None:
                    break
                segments.append(segment)
        finally:
            done(tuple(segments))
        if segments:
            now = self._wall_clock()
            for entry in self._shelf.use(segments[-1].key, now):
                self._files.touch(entry, now)

    def _get(self, key: bytes) -> Segment | None:
        entry, segment = self._shelf.find(key)
        if entry is None:
            self._shelf.miss(key, Miss.UNKNOWN)
            return None
        segment = segment or self._read(entry)
        if segment is not None:
            self._shelf.has_hit()
        return segment

    def _read(self, entry: Entry) -> Segment | None:
        begin = self._clock()
        try:
            segment = self._files.read(entry)
        except BadSegment as bad:
            self._files.discard(self._files.file_name(entry))
            self._shelf.miss(entry.key, bad.reason)
        except FileNotFoundError:
            self._shelf.miss(entry.key, Miss.VANISHED)
        except (OSError, MemoryError):
            self._shelf.miss(entry.key, Miss.UNREADABLE)
        else:
            self._shelf.has_read(entry, self._clock() - begin)
            return segment
        return None
