"""Filters of lists and mappings. Lazy ones pay for each item that they pull, others for what they
sort or make.

An attribute may be a path, `a.b.c`, and is looked up for each item; so a path is short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from jinja2 import filters as jinja
from jinja2 import pass_context, pass_environment
from jinja2.environment import Environment
from jinja2.runtime import Context, Undefined

from mullama.text.sandbox.meter import (
    CHARS,
    ITEMS,
    TemplateLimit,
    deep,
    each,
    flat,
    key,
    pay,
    text,
)
from mullama.text.sandbox.methods import Group, price_of_sorting
from mullama.text.sandbox.operators import add

MAX_PATH = 16  # parts


def _attribute(path: Any) -> Any:
    """The path of an attribute, or several with commas between, unless it is absurdly long."""
    if isinstance(path, str) and path.count(".") + path.count(",") >= MAX_PATH:
        raise TemplateLimit(f"it looks up a path of more than {MAX_PATH} parts")
    return path


def _lazy(function: Callable[..., Any], *, by: bool = False) -> Callable[..., Any]:
    """The filter over a value whose items are paid for as they are pulled; the first argument is an
    attribute if it goes `by` that."""

    @pass_context
    def apply(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        for path in (*args[: int(by)], kwargs.get("attribute")):
            _attribute(path)
        return function(context, each(value or ()), *args, **kwargs)

    return apply


def _sorting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter over a list that it sorts."""

    @pass_environment
    def apply(environment: Environment, value: Any, *args: Any, **kwargs: Any) -> Any:
        for path in chain(args, kwargs.values()):
            _attribute(path)
        if not isinstance(value, Mapping):
            value = list(each(value))
        pay(price_of_sorting(value))
        return function(environment, value, *args, **kwargs)

    return apply


def _list(value: Iterable[Any]) -> list[Any]:
    return list(each(value))


def _reverse(value: Any) -> Any:
    if isinstance(value, str):
        pay(flat(value))
        return value[::-1]
    return each(reversed(value if hasattr(value, "__reversed__") else list(each(value))))


@pass_environment
def _join(environment: Environment, value: Any, d: Any = "", attribute: Any = None) -> str:
    items = each(value)
    if attribute is not None:
        items = map(jinja.make_attrgetter(environment, _attribute(attribute)), items)
    pieces = [text(item) for item in items]
    separator = text(d)
    pay(len(pieces) * len(separator) // CHARS)
    return separator.join(pieces)


@pass_environment
def _sum(environment: Environment, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    items = each(value)
    if attribute is not None:
        items = map(jinja.make_attrgetter(environment, _attribute(attribute)), items)
    for item in items:
        start = add(start, item)
    return start


@pass_environment
def _unique(
    environment: Environment, value: Any, case_sensitive: bool = False, attribute: Any = None
) -> Iterable[Any]:
    post = None if case_sensitive else jinja.ignore_case
    getter = jinja.make_attrgetter(environment, _attribute(attribute), postprocess=post)
    seen = set()
    for item in each(value):
        mark = key(getter(item))
        if mark not in seen:
            seen.add(mark)
            yield item


def _items(value: Any) -> Any:
    return each(jinja.do_items(value))


def _dictsort(value: Mapping[Any, Any], *args: Any, **kwargs: Any) -> Any:
    pay(price_of_sorting(value))
    return jinja.do_dictsort(value, *args, **kwargs)


@pass_environment
def _groupby(
    environment: Environment,
    value: Any,
    attribute: Any,
    default: Any = None,
    case_sensitive: bool = False,
) -> list[Group]:
    items = list(each(value))
    pay(price_of_sorting(items) + deep(default) * len(items))
    path = _attribute(attribute)
    found = jinja.sync_do_groupby(environment, items, path, default, case_sensitive)
    return [Group(grouper, members) for grouper, members in found]


def _batch(value: Any, linecount: int, fill_with: Any = None) -> Iterable[list[Any]]:
    if fill_with is not None:
        pay(linecount // ITEMS)
    return jinja.do_batch(each(value), linecount, fill_with)


def _slice(value: Any, slices: int, fill_with: Any = None) -> Iterable[list[Any]]:
    return each(jinja.sync_do_slice(list(each(value)), slices, fill_with))


_JINJA: dict[str, Callable[..., Any]] = {**jinja.FILTERS}

LISTS: dict[str, Callable[..., Any]] = {
    **{name: _JINJA[name] for name in ("count", "length")},
    "first": lambda value: next(iter(value), Undefined("the sequence was empty")),
    "last": lambda value: next(iter(reversed(value)), Undefined("the sequence was empty")),
    **{name: _lazy(_JINJA[name]) for name in ("map", "reject", "select")},
    **{name: _lazy(_JINJA[name], by=True) for name in ("rejectattr", "selectattr")},
    **{name: _sorting(_JINJA[name]) for name in ("max", "min", "sort")},
    "batch": _batch,
    "dictsort": _dictsort,
    "groupby": _groupby,
    "items": _items,
    "join": _join,
    "list": _list,
    "reverse": _reverse,
    "slice": _slice,
    "sum": _sum,
    "unique": _unique,
}
