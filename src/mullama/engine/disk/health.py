"""How the disk does: whether it can be written, how fast it reads, and what was counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from mullama.engine.disk.format import Miss

log = logging.getLogger("mullama.disk")

FIRST_PAUSE = 60.0  # seconds
LONGEST_PAUSE = 3600.0


class Drop(StrEnum):
    """Why a segment was not stored."""

    OFF = "off"  # the folder can't be made, or the store is closed
    PAUSED = "paused"  # a write failed a while ago
    FAILED = "failed"  # this write failed
    QUEUE_FULL = "queue_full"  # more is coming than the disk can take
    NO_ROOM = "no_room"  # the budget is smaller than this segment and what it stands on
    ORPHAN = "orphan"  # its parent is not stored


@dataclass(slots=True)
class DiskStats:
    """Counters since the start (`n_…_total`), and what is there now."""

    n_hits_total: int = 0
    n_misses_total: Counter[Miss] = field(default_factory=Counter)
    n_bytes_read_total: int = 0
    n_writes_total: int = 0
    n_bytes_written_total: int = 0
    n_drops_total: Counter[Drop] = field(default_factory=Counter)
    n_evicted_total: int = 0
    n_bytes_evicted_total: int = 0
    n_segments: int = 0  # that this model can use
    n_bytes: int = 0  # of the whole folder, when last looked at
    n_bytes_queued: int = 0
    read_bytes_per_second: float = 0.0
    writes: bool = False  # and is not off, or paused


class Pause:
    """Writing stops for a while after a failure, and twice as long after each that follows.

    The first failure is a warning in the log, the others are not, until a write succeeds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seconds = 0.0
        self._until = clock()

    @property
    def lasts(self) -> bool:
        return self._clock() < self._until

    def begin(self, error: OSError) -> None:
        again = self._seconds > 0
        self._seconds = min(2 * self._seconds, LONGEST_PAUSE) if again else FIRST_PAUSE
        self._until = self._clock() + self._seconds
        log.log(
            logging.DEBUG if again else logging.WARNING,
            "The disk cache can't be written (%s); what is there can still be read. Check its free "
            "space and permissions; writing is tried again in %.0f s.",
            error,
            self._seconds,
        )

    def end(self) -> None:
        """A write has succeeded."""
        if self._seconds:
            log.info("The disk cache is being written again.")
        self._seconds = 0.0


class Rate:
    """Bytes per second, of the last several transfers by their weight in bytes."""

    KEEP = 0.8  # of what was known, at each new transfer

    def __init__(self, assumed: float) -> None:
        self._seconds = 0.01
        self._n_bytes = assumed * self._seconds

    @property
    def bytes_per_second(self) -> float:
        return self._n_bytes / self._seconds

    def add(self, n_bytes: int, seconds: float) -> None:
        self._n_bytes = self.KEEP * self._n_bytes + n_bytes
        # A clock may be too coarse to see a short transfer.
        self._seconds = self.KEEP * self._seconds + max(seconds, 1e-6)
