"""Ownership of one object of llama.cpp's: it is used only while it is there, and freed once.

Many threads may be inside a handle at once. Closing it shuts the door, waits until they are out,
and frees the object; whoever comes later gets an error where C would crash. One that nobody refers
to any more closes itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from mullama.errors import InvalidRequest


class Handle:
    """A C pointer with its destructor: `with handle as pointer:` is the only way to it."""

    def __init__(self, pointer: int, free: Callable[[int], None], what: str) -> None:
        self._pointer: int | None = pointer
        self._free = free
        self._what = what
        self._n_inside = 0
        self._changed = threading.Condition(threading.Lock())

    @property
    def closed(self) -> bool:
        return self._pointer is None

    def __enter__(self) -> int:
        with self._changed:
            if self._pointer is None:
                raise InvalidRequest(f"The {self._what} is closed. Load it again to use it.")
            self._n_inside += 1
            return self._pointer

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._n_inside -= 1
            if not self._n_inside and self._pointer is None:
                self._changed.notify_all()

    def close(self) -> None:
        """Free the object when nobody is inside any more. Closing again does nothing."""
        with self._changed:
            pointer, self._pointer = self._pointer, None
            if pointer is None:
                return
            while self._n_inside:
                self._changed.wait()
        self._free(pointer)

    def __del__(self) -> None:
        self.close()
