"""Who closes what, and when: engines before the weights that they compute with, each once.

`Weights` is a loaded model with the engines that were opened on it. It is closed by the caller, or
when its Model was collected, or when the interpreter ends; an engine likewise. Whoever uses them
must ask first, so a closed one is an error and never a crash.

The garbage collector runs in any thread, an engine's own included, and that thread can't wait for
its own end. So what was merely dropped is closed in a thread made for it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import weakref
from collections.abc import Callable
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Protocol, Self, TypeVar

from mullama.errors import InvalidRequest
from mullama.llama.model import LlamaModel


class Engine(Protocol):
    """What is opened on weights. `close` waits until nothing of it runs; twice does no harm."""

    def close(self) -> None: ...


E = TypeVar("E", bound=Engine)


class Life:
    """Whether something may still be used: open, then closed, in one process only."""

    def __init__(self, what: str) -> None:
        self.is_closed = False
        self._what = what
        self._pid = os.getpid()

    @property
    def is_ours(self) -> bool:
        """False in a process that was forked off: the threads stayed behind."""
        return os.getpid() == self._pid

    def check(self) -> None:
        """Raises InvalidRequest for what can't be used any more."""
        if self.is_closed:
            raise InvalidRequest(
                f"This {self._what} is closed. Make a new one, or use it inside its `with`.",
                code="closed",
            )
        if not self.is_ours:
            raise InvalidRequest(
                f"This {self._what} was made before the process forked, and its threads stayed "
                "behind. Make one in the process that uses it.",
                code="forked",
            )


class Weights:
    """A loaded model and the engines on it. Thread-safe."""

    def __init__(self, llama: LlamaModel) -> None:
        self.llama = llama
        self.life = Life("Model")
        self._lock = Lock()
        self._engines: list[Engine] = []
        _open_weights.add(self)

    def open(self, make: Callable[[LlamaModel], E]) -> E:
        """An engine on these weights. Raises InvalidRequest if they are closed."""
        with self._lock:
            self.life.check()
            engine = make(self.llama)
            self._engines.append(engine)
            return engine

    def release(self, engine: Engine) -> None:
        """Close one engine."""
        with self._lock:
            if engine in self._engines:
                self._engines.remove(engine)
        engine.close()

    def close(self) -> None:
        """Close the engines, then free the weights."""
        self.life.is_closed = True
        if not self.life.is_ours:
            return
        with self._lock:
            while self._engines:
                self._engines.pop().close()
            self.llama.close()


_open_weights: weakref.WeakSet[Weights] = weakref.WeakSet()


_ending = Event()


@atexit.register
def _close_all() -> None:
    """llama.cpp must not be computing while the process takes itself apart."""
    _ending.set()
    for weights in list(_open_weights):
        weights.close()


def is_ending() -> bool:
    """Whether the interpreter is about to end: whoever still waits is not to be woken."""
    return _ending.is_set()


def close_when_dropped(owner: object, close: Callable[[], None]) -> weakref.finalize[..., object]:
    """Call `close`, which must not refer to `owner`, when nobody refers to that any more."""
    finalizer = weakref.finalize(owner, _close_elsewhere, close)
    finalizer.atexit = False  # `_close_all` knows the order
    return finalizer


def _close_elsewhere(close: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the interpreter is ending: see `_close_all`
        Thread(target=close, name="close").start()


class Closable:
    """`close` and `with`, for objects that are closed by a finalizer."""

    _finalizer: weakref.finalize[..., object]

    def close(self) -> None:
        """Free what this holds. Whoever waits for an answer gets InvalidRequest. Twice is fine."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
