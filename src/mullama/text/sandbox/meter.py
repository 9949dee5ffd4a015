"""The budget that a template spends while it runs.

A template comes with a model, so nobody has vouched for it: it may loop for ever, or double a
string until memory ends. No watchdog can stop that from outside, because one operation may stay
in C for minutes (`10 ** 10 ** 9`). So work is paid for before it is done, in units of about a
microsecond: entering a block pays for the block's nodes, and an operation whose work grows with
its input pays for that growth. When the budget is spent, rendering ends with TemplateLimit.

The same template and input always cost the same; no clock is read. A unit stands for `CHARS`
characters or `ITEMS` references that an operation looks at or makes, so a budget also bounds the
memory that a template can hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

from jinja2.exceptions import TemplateRuntimeError
from jinja2.utils import Namespace

CHARS = 64
ITEMS = 16
MAX_WIDTH = 1000  # characters of padding or indentation
MAX_BITS = 4096  # of an integer; longer ones make arithmetic slow

VIEWS: tuple[Any, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_CONTAINERS: tuple[Any, ...] = (list, tuple, dict, Namespace, *VIEWS)
_SIZED: tuple[Any, ...] = (list, tuple, dict, range, *VIEWS)


class TemplateLimit(TemplateRuntimeError):
    """The template asked for more work than its input can justify."""


class Meter:
    """Units that are left."""

    __slots__ = ("left",)

    def __init__(self, units: int) -> None:
        self.left = units

    def pay(self, units: int) -> None:
        self.left -= max(units, 0)  # a negative width must not earn anything
        if self.left < 0:
            raise TemplateLimit("it does far more work than such a conversation needs")


_current: ContextVar[Meter] = ContextVar("template_meter")


@contextmanager
def metered(units: int | Meter) -> Iterator[Meter]:
    """Everything inside spends from a budget: a fresh one of so many units, or this one."""
    meter = Meter(units) if isinstance(units, int) else units
    token = _current.set(meter)
    try:
        yield meter
    finally:
        _current.reset(token)


def pay(units: int) -> None:
    """Spend units of the running template's budget. Raises TemplateLimit."""
    _current.get().pay(units)


def flat(value: Any) -> int:
    """Units for looking at a value once, without what its items hold."""
    kind = type(value)
    if kind is str:
        return len(value) // CHARS
    if kind is int:
        return cast(int, value.bit_length()) // CHARS
    if isinstance(value, _SIZED):
        return len(value) // ITEMS
    return 0


def deep(value: Any) -> int:
    """Units for a value with all that it holds, however often it is held. Paid while counting.

    `[x, x]` of `[y, y]` of … is short to write and endless to print: so the count itself must pay.
    """
    meter = _current.get()
    before = meter.left
    stack = [value]
    while stack:
        item = stack.pop()
        meter.pay(1 + (len(item) // CHARS if type(item) is str else 0))
        if isinstance(item, dict):
            stack.extend(item.keys())
            stack.extend(item.values())
        elif isinstance(item, Namespace):
            stack.append(object.__getattribute__(item, "_Namespace__attrs"))
        elif isinstance(item, _CONTAINERS):
            stack.extend(item)
    return before - meter.left


def each(items: Iterable[Any]) -> Iterator[Any]:
    """The items, each paid for as it is taken."""
    meter = _current.get()
    for item in items:
        meter.pay(1)
        yield item


def text(value: Any) -> str:
    """`str(value)`, paid for."""
    if type(value) is str:
        pay(len(value) // CHARS)
        return value
    deep(value)
    return str(value)


def small(value: Any) -> Any:
    """The value, unless it is an integer of absurd length."""
    if type(value) is int and value.bit_length() > MAX_BITS:
        raise TemplateLimit(f"it computes a number of more than {MAX_BITS} bits")
    return value


def key(value: Any) -> Any:
    """The value, if it may be a key: hashing nested tuples has no bound in time or stack."""
    if isinstance(value, _CONTAINERS):
        raise TemplateLimit(f"it uses a {type(value).__name__} as a key")
    return value


def is_container(value: Any) -> bool:
    """Whether `deep` looks into the value."""
    return isinstance(value, _CONTAINERS)
