"""A thread that does what it is given, in order. Its jobs may block on a disk."""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

log = logging.getLogger("mullama.disk")

Job = Callable[[], None]


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
