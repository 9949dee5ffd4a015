"""What is stored, as the engine's, the reader's and the writer's threads share it.

Each method holds the lock for a moment, and none does I/O. A segment is on the shelf from when it
is queued; its bytes are here until its file is written.
"""

from __future__ import annotations

import logging
from array import array
from copy import copy
from dataclasses import replace
from threading import Lock

from mullama.engine.disk.format import Entry, Miss, Segment
from mullama.engine.disk.health import DiskStats, Drop, Rate
from mullama.engine.disk.index import Index, Part

log = logging.getLogger("mullama.disk")

# Uses are noted on the files, so that every process evicts by them, but no oftener than this.
TOUCH_SECONDS = 60.0
# Until something was read: what a SATA drive gives. From the page cache it is ten times that.
ASSUMED_BYTES_PER_SECOND = 400e6


class Shelf:
    """The index, the segments that are being written, when each was last used, and the counters."""

    def __init__(self, queue_bytes: int) -> None:
        self._queue_bytes = queue_bytes
        self._lock = Lock()
        self._index = Index()
        self._queued: dict[bytes, Segment] = {}
        self._used: dict[bytes, float] = {}  # as noted on the file
        self._stats = DiskStats()
        self._rate = Rate(ASSUMED_BYTES_PER_SECOND)

    @property
    def read_bytes_per_second(self) -> float:
        return self._rate.bytes_per_second

    def has(self, key: bytes) -> bool:
        with self._lock:
            return key in self._index

    def match(
        self, root: bytes, tokens: array[int], limit: int, *, with_state: bool
    ) -> tuple[Part, ...]:
        with self._lock:
            return self._index.match(root, tokens, limit, with_state=with_state)

    def find(self, key: bytes) -> tuple[Entry | None, Segment | None]:
        """What is known of a segment, and the segment itself if its file is still to be written."""
        with self._lock:
            return self._index.get(key), self._queued.get(key)

    def known(self) -> tuple[set[bytes], set[bytes]]:
        """The keys of all segments, and of those among them whose files are still to be written."""
        with self._lock:
            return self._index.keys(), set(self._queued)

    def use(self, key: bytes, now: float) -> list[Entry]:
        """A segment and all that it stands on are used: those on whose files that is to be noted.

        What is queued is not among them: its file will have the time when it is written.
        """
        with self._lock:
            stale = [
                entry
                for entry in self._index.chain(key)
                if entry.key not in self._queued
                and now - self._used.get(entry.key, 0.0) >= TOUCH_SECONDS
            ]
            self._used.update((entry.key, now) for entry in stale)
            return stale

    # -- what comes and goes ------------------------------------------------------------------

    def queue(self, segment: Segment, entry: Entry) -> Drop | None:
        """Put a segment that is not there on the shelf, or say why it can't be."""
        with self._lock:
            n_queued = self._stats.n_bytes_queued
            if not (entry.is_first or entry.parent in self._index):
                return Drop.ORPHAN
            if n_queued and n_queued + entry.n_bytes > self._queue_bytes:
                return Drop.QUEUE_FULL
            self._index.add(entry)
            self._queued[entry.key] = segment
            self._stats.n_bytes_queued += entry.n_bytes
            return None

    def settle(self, entry: Entry, now: float) -> None:
        """A queued segment's file is there."""
        with self._lock:
            self._unqueue(entry)
            self._used[entry.key] = now

    def drop(self, entry: Entry, reason: Drop) -> None:
        """A segment is not going to be stored."""
        log.debug("Segment %s was dropped: %s", entry.key.hex(), reason)
        with self._lock:
            self._stats.n_drops_total[reason] += 1
            if entry.key in self._queued:
                self._unqueue(entry)
                self._remove(entry.key)

    def adopt(self, entry: Entry, used: float) -> None:
        """A file is there that another process has written."""
        with self._lock:
            self._index.add(entry)
            self._used[entry.key] = used

    def forget(self, key: bytes) -> None:
        """A segment's file is gone."""
        with self._lock:
            self._remove(key)

    def _unqueue(self, entry: Entry) -> None:
        del self._queued[entry.key]
        self._stats.n_bytes_queued -= entry.n_bytes

    def _remove(self, key: bytes) -> None:
        self._index.remove(key)
        self._used.pop(key, None)

    # -- counting -----------------------------------------------------------------------------

    def has_hit(self) -> None:
        with self._lock:
            self._stats.n_hits_total += 1

    def miss(self, key: bytes, reason: Miss) -> None:
        """A segment could not be had; it is not on the shelf any more."""
        log.debug("Segment %s could not be read: %s", key.hex(), reason)
        with self._lock:
            self._stats.n_misses_total[reason] += 1
            self._remove(key)

    def has_read(self, entry: Entry, seconds: float) -> None:
        with self._lock:
            self._stats.n_bytes_read_total += entry.n_bytes
            self._rate.add(entry.n_bytes, seconds)

    def has_written(self, n_bytes: int) -> None:
        with self._lock:
            self._stats.n_writes_total += 1
            self._stats.n_bytes_written_total += n_bytes

    def has_evicted(self, n_bytes: int) -> None:
        with self._lock:
            self._stats.n_evicted_total += 1
            self._stats.n_bytes_evicted_total += n_bytes

    def has_seen(self, n_bytes: int) -> None:
        """The bytes of the whole folder."""
        with self._lock:
            self._stats.n_bytes = n_bytes

    def stats(self, *, writes: bool) -> DiskStats:
        with self._lock:
            return replace(
                self._stats,
                n_misses_total=copy(self._stats.n_misses_total),
                n_drops_total=copy(self._stats.n_drops_total),
                n_segments=len(self._index),
                read_bytes_per_second=self._rate.bytes_per_second,
                writes=writes,
            )
