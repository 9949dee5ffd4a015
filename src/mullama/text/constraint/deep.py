"""A thread with a stack that a hostile grammar can't exhaust.

The engine compiles by recursion, along rules that name rules and schemas that refer to schemas; at
some two thousand levels the usual 8 MiB are used up, and the process is gone. What we let through
has at most a hundred thousand levels, at 2 to 5 KiB each. Memory is only taken where the stack is
used. What follows compilation (masks, tokens, copies) does not recurse.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

STACK = 256 << 20  # bytes

P = ParamSpec("P")
T = TypeVar("T")

_lock = threading.Lock()


def call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `function` returns, or raises, on the deep thread. One call at a time."""
    return _executor().submit(function, *args, **kwargs).result()


def _executor() -> ThreadPoolExecutor:
    with _lock:  # two first callers must not make two
        return _made()


@cache
def _made() -> ThreadPoolExecutor:
    executor = ThreadPoolExecutor(1, thread_name_prefix="mullama-grammar")
    before = threading.stack_size(STACK)
    try:
        executor.submit(lambda: None).result()  # the thread starts with its first task
    finally:
        threading.stack_size(before)
    return executor
