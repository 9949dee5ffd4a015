"""What is kept for the evaluation: decided by a stable hash of the thing itself, never by a list.

A twelfth of all keys is held out. A key is what an answer depends on: a pair of operands, the exact
words of a question about a fact, the text to be repeated, a call with its arguments. Every chat in
the training data has no held-out key; every chat of the evaluation has at least one, in its last
question. Sums of two digits, and differences that undo them, are never held out: the scratchpad
needs all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from zlib import crc32

ONE_IN = 12


def held_out(key: str) -> bool:
    return crc32(key.encode()) % ONE_IN == 0


def sum_key(a: int, sign: str, b: int) -> str:
    """The key of `a sign b`; empty, which is not held out, for what is learned by heart."""
    if sign == "+":
        a, b = min(a, b), max(a, b)
    by_heart = b < 10 and (a if sign == "+" else a - b) < 10
    return "" if by_heart else f"{a} {sign} {b}"


def is_for_training(keys: Iterable[str]) -> bool:
    return not any(key and held_out(key) for key in keys)


def is_for_evaluation(keys: Iterable[str]) -> bool:
    return any(key and held_out(key) for key in keys)
