"""llama.cpp's log lines, in Python's logging, under the name "mullama.llama".

llama.cpp writes from any of its threads, sometimes a line in several pieces: pieces are joined, by
thread, until the line ends. What it calls information is detail to us, so it becomes DEBUG.

The one place where a load's reason is told is the log, so `capture()` keeps what the calling
thread's calls say of warnings and errors, for the error that the user gets.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mullama.llama.lib import C

logger = logging.getLogger("mullama.llama")

_CONTINUED = 5
_LEVELS = {  # ggml's number: ours
    0: logging.DEBUG,
    1: logging.DEBUG,
    2: logging.DEBUG,
    3: logging.WARNING,
    4: logging.ERROR,
}
_SAYS_WHERE = re.compile(  # the C function that wrote the line, and what it was doing
    r"^(?:(?:\w+|error loading model(?: \w+)?|failed to initialize the context): )+"
)
# What our callers asked for, or act upon: no room for a batch, an aborted one, a pooling of ours;
# a token that ends answers, which llama.cpp itself puts where it was missing; and advice to use a
# flag of llama.cpp's, which `placement` gives in our words.
_IS_EXPECTED = re.compile(
    r"failed to decode, ret = [12]$|failed to find a memory slot"
    r"|graph_compute_async failed with error 1$|compute status: 1$|removing memory module entries"
    r"|model default pooling_type is|special_eos_id is not in special_eog_ids"
    r"|tensor overrides to CPU are used with mmap enabled"
)
_SAYS_NOTHING = re.compile(r"failed to (?:load model|read (?:key-value pairs|tensor info|header))$")


class _Thread(threading.local):
    """One thread's unfinished line, and the lists that its finished ones go to."""

    def __init__(self) -> None:
        self.level = logging.DEBUG
        self.pieces: list[str] = []
        self.captures: list[list[tuple[int, str]]] = []


_thread = _Thread()


@contextmanager
def capture() -> Iterator[list[tuple[int, str]]]:
    """A list that gets the (level, line) of every warning and error of this thread's calls."""
    lines: list[tuple[int, str]] = []
    _thread.captures.append(lines)
    try:
        yield lines
    finally:
        _thread.captures.pop()


def reason(lines: list[tuple[int, str]]) -> str | None:
    """Why a call failed: the first error among captured lines that says something."""
    errors = [
        " ".join(_SAYS_WHERE.sub("", line).split())
        for level, line in lines
        if level >= logging.ERROR
    ]
    telling = [error for error in errors if error and not _SAYS_NOTHING.search(error)]
    return next(iter(telling or errors), None)


def receive(level: int, text: bytes) -> None:
    """Take a piece of a line; log the line when it is complete."""
    if level != _CONTINUED:
        _finish()
        _thread.level = _LEVELS.get(level, logging.DEBUG)
    _thread.pieces.append(text.decode("utf-8", errors="replace"))
    if text.endswith(b"\n"):
        _finish()


def _finish() -> None:
    line = "".join(_thread.pieces).strip("\n")
    _thread.pieces.clear()
    if not line.strip():
        return
    level = logging.DEBUG if _IS_EXPECTED.search(line) else _thread.level
    if level >= logging.WARNING:
        for lines in _thread.captures:
            lines.append((level, line))
    if level >= logging.ERROR and _thread.captures:
        level = logging.DEBUG  # the exception made of it tells it
    logger.log(level, "%s", line)


def _callback(level: int, text: bytes | None, _: Any) -> None:
    try:
        receive(level, text or b"")
    except Exception:  # an exception can't pass through C, and a log line is no reason to stop
        logging.getLogger(__name__).debug("A log line of llama.cpp was lost.", exc_info=True)


# Kept for as long as the process lives: llama.cpp calls it at any time, from any thread.
_KEPT = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(_callback)


def _set(function: Any) -> None:
    C.llama_log_set(ctypes.cast(function, C.llama_log_callback), None)


# When Python has ended nobody reads the log, and there is no Python to write it: what is freed then
# talks to a C function that does nothing with it.
atexit.register(_set, ctypes.CDLL(None).abs)
_set(_KEPT)
