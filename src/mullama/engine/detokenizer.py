"""Token pieces in, whole text out: UTF-8 put together, stop strings held back.

`feed(piece, item)` returns the text that is certain and the items whose text it completes; an item
is whatever the caller wants to keep beside its token (an id, a log-probability). `finish()` returns
what was held back. Text is cut only at whole characters: bytes that are no UTF-8 become U+FFFD, and
an unfinished character at the very end is dropped.

The stop string that *ends* first wins (of two ending together, the longer one), so the result does
not depend on where tokens were split. Nothing from its first character on is returned, and items
that lie wholly behind that place are dropped with it.
"""

from __future__ import annotations

import codecs
from collections import deque
from collections.abc import Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
_new_decoder = codecs.getincrementaldecoder("utf-8")


class Detokenizer(Generic[T]):
    """One answer's text. `stopped` is the stop string that ended it, once one did."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self.stopped: str | None = None
        self._stop = tuple(stop)
        self._decoder = _new_decoder("replace")
        self._held = ""  # decoded, and perhaps the beginning of a stop string
        self._n_out = 0  # characters returned so far
        self._items: deque[tuple[int, int, T]] = deque()  # first and last character's end, item

    def feed(
        self, piece: bytes, item: T | None = None, *, stops: bool = True
    ) -> tuple[str, list[T]]:
        """Text and items that became certain. With `stops` false no stop string ends here."""
        begin = self._n_out + len(self._held)
        self._held += self._decoder.decode(piece)
        if item is not None:
            self._items.append((begin, self._n_out + len(self._held), item))
        if not self._stop or not self._held:
            return self._release(len(self._held))
        if stops and self._find_stop():
            return self._release(len(self._held))
        return self._release(len(self._held) - self._n_doubtful())

    def finish(self) -> tuple[str, list[T]]:
        """What was held back. Nothing may be fed afterwards."""
        text, items = self._release(len(self._held))
        items.extend(item for _, _, item in self._items)
        self._items.clear()
        return text, items

    def _find_stop(self) -> bool:
        found = [
            (at + len(stop), at, stop) for stop in self._stop if (at := self._held.find(stop)) >= 0
        ]
        if not found:
            return False
        _, at, self.stopped = min(found)
        self._held = self._held[:at]
        cut = self._n_out + at
        while self._items and self._items[-1][0] >= cut:
            self._items.pop()
        return True

    def _n_doubtful(self) -> int:
        """The length of the longest end of the text that begins a stop string."""
        held = self._held
        longest = min(len(held), max(map(len, self._stop)) - 1)
        for n in range(longest, 0, -1):
            tail = held[-n:]
            if any(stop.startswith(tail) for stop in self._stop):
                return n
        return 0

    def _release(self, n: int) -> tuple[str, list[T]]:
        text, self._held = self._held[:n], self._held[n:]
        self._n_out += n
        items = []
        while self._items and (self._items[0][1] <= self._n_out or self.stopped is not None):
            items.append(self._items.popleft()[2])
        return text, items
