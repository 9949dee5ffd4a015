"""Prefixes that are being read from disk, and how long their requests wait for them.

A request whose prefix only the disk has waits in the queue until it was read. A disk that hangs (a
network folder whose server is gone) does not keep it there: after `PATIENCE` it starts without,
and nothing more is asked of the disk until what it was asked for has come.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from mullama.engine.disk_tier import Fetched
from mullama.engine.residents import Residents
from mullama.engine.sequence import Job, Sequence
from mullama.engine.stats import Stats
from mullama.types import Event

log = logging.getLogger("mullama.engine")

PATIENCE = 10.0  # seconds; reading was only begun since it takes less time than computing

Post = Callable[[Callable[[], list[Event]]], None]


class Fetching:
    """The requests that wait for the disk. Used by the thread that steps."""

    def __init__(
        self, residents: Residents, stats: Stats, clock: Callable[[], float], post: Post
    ) -> None:
        """`post` has a call made by the thread that steps; the disk's uses it."""
        self._residents = residents
        self._stats = stats
        self._clock = clock
        self._post = post
        self._until: dict[Job, float] = {}
        self._n_overdue = 0

    def begin(self, sequence: Sequence) -> None:
        """Have read what only the disk has of a new sequence's prefix."""
        parts = () if self._n_overdue else self._residents.look_up(sequence)
        if not parts:
            return
        sequence.job.is_fetching = True
        self._until[sequence.job] = self._clock() + PATIENCE
        post = self._post
        self._residents.fetch(parts, lambda found: post(partial(self._arrived, sequence, found)))

    def give_up(self) -> None:
        """Nobody waits any longer than `PATIENCE`."""
        if not self._until:
            return
        now = self._clock()
        for job in [job for job, until in self._until.items() if until <= now]:
            if not self._n_overdue:
                log.warning(
                    "The disk cache has not answered for %.0f s: requests do without until it "
                    "does. Is its folder on a disk that hangs?",
                    PATIENCE,
                )
            self._n_overdue += 1
            self._end(job)

    def _arrived(self, sequence: Sequence, found: list[Fetched]) -> list[Event]:
        if sequence.job not in self._until:  # too late to be of use
            self._n_overdue -= 1
            return []
        self._end(sequence.job)
        self._residents.fetched(sequence, found)
        self._stats.n_disk_tokens_total += sequence.n_from_disk
        return []

    def _end(self, job: Job) -> None:
        job.is_fetching = False
        del self._until[job]
