"""How far it is and when it will be done, a line now and then, for people."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


class Progress:
    """Counts to `total`. The rate is of this run only, so a resumed run's estimate is right."""

    def __init__(
        self, what: str, total: int, done: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.what, self.total, self.done = what, total, done
        self._clock = clock
        self._first, self._began = done, clock()

    def advance(self, note: str = "", quiet: bool = False) -> None:
        self.done += 1
        if not quiet:
            print(self.line(note), file=sys.stderr, flush=True)

    def line(self, note: str = "") -> str:
        spent = self._clock() - self._began
        made = self.done - self._first
        left = spent / made * (self.total - self.done) if made else 0.0
        text = f"{self.what} {self.done}/{self.total}, {_time(spent)} so far, {_time(left)} to go"
        return f"{text}, {note}" if note else text


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"
