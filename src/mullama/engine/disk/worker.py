"""A thread that does what it is given, in order. Its jobs may block on a disk.

One that nobody waits for works in the background, from the job `yield_to_others` on: it computes
checksums and copies megabytes beside a model that uses every core, where each thread that takes one
for a moment holds all others up. So it only gets what they leave.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread, get_native_id

log = logging.getLogger("mullama.disk")

Job = Callable[[], None]

LEAST_PRIORITY = 19  # as `nice` counts


def yield_to_others() -> None:
    """Give the thread that does this job the least priority, for good."""
    if sys.platform == "linux":  # elsewhere it would be the whole process's
        with suppress(OSError):  # a container may not allow it
            os.setpriority(os.PRIO_PROCESS, get_native_id(), LEAST_PRIORITY)


class Worker:
    """`put` may be called from any thread. What is put after `stop` is never done."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        # A disk that never answers must not keep the process from ending.
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, job: Job) -> None:
        self._jobs.put(job)

    def stop(self) -> None:
        """The thread ends when it has done what was put so far."""
        self._jobs.put(None)

    def join(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for the thread's end; False if it goes on."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except Exception:
                log.exception("An internal error in the disk cache; it goes on.")
            del job  # it may hold a segment's bytes, and the next one may be long in coming
