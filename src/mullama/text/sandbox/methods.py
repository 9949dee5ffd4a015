"""The methods of plain values that a template may call, each with its price.

A price is a function of the object and the arguments; it returns units, an upper bound of the
work, and is asked before the call. A method that is not here can't be called: one whose result
may be far larger than its input must not be forgotten, so the list says what is allowed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from mullama.text.sandbox.meter import CHARS, ITEMS, deep, flat, is_container, key

Price = Callable[..., int]


class Group(NamedTuple):
    """What `groupby` makes of items that are alike: a pair, whose halves have names."""

    grouper: Any
    list: Any

    def __repr__(self) -> str:
        return tuple.__repr__(self)


def price_of_search(text: str, *args: Any) -> int:
    """Looking for a substring: in the worst case each place is compared in full, up to a limit."""
    needles = args[0] if args and isinstance(args[0], tuple) else args[:1]
    longest = max((len(part) for part in needles if isinstance(part, str)), default=0)
    return flat(text) * (1 + min(longest, 2 * CHARS) // ITEMS) + sum(map(flat, args))


def price_of_membership(item: Any, container: Any) -> int:
    """`item in container`."""
    if isinstance(container, str):
        return price_of_search(container, item)
    if isinstance(container, (dict, type({}.keys()))):
        key(item)
        return 0
    if is_container(item):
        return deep(container)
    return flat(container) * (1 + flat(item))


def _linear(value: Any, *args: Any, **_kwargs: Any) -> int:
    return flat(value) + sum(map(flat, args))


def _convert(text: str) -> int:
    return flat(text) * 4


def _search_from_the_end(text: str, part: Any = "", *_args: Any) -> int:
    return flat(text) * (1 + len(part))  # no better than every place in full


def _strip(text: str, chars: str | None = None) -> int:
    return flat(text) * (1 + len(chars or ""))


def _split(text: str, part: str | None = None, *_args: Any, **_kwargs: Any) -> int:
    n_pieces = text.count(part) if part else len(text) // 2
    return price_of_search(text, part) + n_pieces // ITEMS * 4


def _lines(text: str, _keepends: bool = False) -> int:
    return flat(text) + len(text) // ITEMS


def _split_from_the_end(text: str, part: str | None = None, *args: Any, **kwargs: Any) -> int:
    return _split(text, part, *args, **kwargs) + _search_from_the_end(text, part or "")


def _replace(text: str, old: str, new: str, count: int = -1) -> int:
    found = text.count(old)
    n_replaced = found if count < 0 else min(found, count)
    return price_of_search(text, old) + n_replaced * len(new) // CHARS


def _pad(text: str, width: int, *_args: Any) -> int:
    return flat(text) + width // CHARS


def _join(separator: str, items: Any) -> int:
    lengths = sum(len(item) for item in items if isinstance(item, str))
    return (lengths + len(items) * (len(separator) + ITEMS)) // CHARS


def _of_key(value: dict[Any, Any], name: Any = None, *_args: Any) -> int:
    key(name)
    return 0


def _update(value: dict[Any, Any], *others: Any, **_kwargs: Any) -> int:
    if not all(isinstance(other, Mapping) for other in others):
        raise TypeError("update() takes a mapping here")
    return sum(map(flat, others))


def _extend(value: list[Any], items: Any) -> int:
    return len(items) // ITEMS


def _search_list(value: Any, item: Any, *_args: Any) -> int:
    return price_of_membership(item, value)


def _sort(value: list[Any], *, reverse: bool = False) -> int:
    return price_of_sorting(value)


def price_of_sorting(value: Any) -> int:
    """Comparing the items of a list with each other until they are in order."""
    return deep(value) * int(math.log2(len(value) + 1))


def _free(*_args: Any) -> int:
    return 0


_STR: dict[str, Price] = {
    **dict.fromkeys(("capitalize", "casefold", "lower", "swapcase", "title", "upper"), _convert),
    **dict.fromkeys(("isalnum", "isalpha", "isascii", "isdecimal", "isdigit"), _linear),
    **dict.fromkeys(("islower", "isnumeric", "isspace", "istitle", "isupper"), _linear),
    **dict.fromkeys(("startswith", "endswith", "removeprefix", "removesuffix"), _linear),
    **dict.fromkeys(("count", "find", "index", "partition"), price_of_search),
    **dict.fromkeys(("rfind", "rindex", "rpartition"), _search_from_the_end),
    **dict.fromkeys(("strip", "lstrip", "rstrip"), _strip),
    **dict.fromkeys(("center", "ljust", "rjust", "zfill"), _pad),
    "split": _split,
    "splitlines": _lines,
    "rsplit": _split_from_the_end,
    "replace": _replace,
    "join": _join,
}
_LIST: dict[str, Price] = {
    **dict.fromkeys(("insert", "pop", "reverse", "copy", "clear"), _linear),
    **dict.fromkeys(("index", "count", "remove"), _search_list),
    "append": _free,
    "extend": _extend,
    "sort": _sort,
}
_DICT: dict[str, Price] = {
    **dict.fromkeys(("get", "pop", "setdefault"), _of_key),
    **dict.fromkeys(("items", "keys", "values", "popitem"), _free),
    **dict.fromkeys(("copy", "clear"), _linear),
    "update": _update,
}

METHODS: dict[type, dict[str, Price]] = {
    str: _STR,
    list: _LIST,
    dict: _DICT,
    tuple: dict.fromkeys(("index", "count"), _search_list),
    float: {"is_integer": _free},
    Group: {"grouper": _free, "list": _free},  # which are no methods
}
