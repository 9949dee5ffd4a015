"""Filters, tests and functions of templates: Jinja's own, and what model templates expect beside.

A filter is here if its cost is known. Text filters turn their value into text and pay for it;
lazy ones pay for each item that they pull; the rest pay for what they sort or make. Filters that
do nothing with the size of their input are Jinja's, as they are.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from types import GeneratorType
from typing import Any, NoReturn, cast

from jinja2 import filters as jinja
from jinja2 import pass_context, pass_environment
from jinja2 import tests as jinja_tests
from jinja2.environment import Environment
from jinja2.exceptions import TemplateError, TemplateRuntimeError
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import safe_range
from jinja2.utils import Cycler, Joiner, Namespace
from markupsafe import escape

from mullama.text.sandbox.meter import (
    CHARS,
    TemplateLimit,
    deep,
    each,
    flat,
    is_container,
    key,
    pay,
    small,
    text,
)
from mullama.text.sandbox.methods import price_of_membership, price_of_search, price_of_sorting

MAX_WIDTH = 1000  # characters of padding or indentation
_WIDE = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(?:\*|\d{4,}|\d*\.(?:\*|\d{4,}))")

# ------------------------------------------------------------------ what the rewritten tree calls


def _pay(units: int) -> bool:
    pay(units)
    return True


def _concat(items: list[Any]) -> str:
    return "".join([text(item) for item in items])


def _slice(value: Any, start: Any, stop: Any, step: Any) -> Any:
    pay(flat(value))
    return value[start:stop:step]


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
    "in": lambda item, container: item in container,
    "notin": lambda item, container: item not in container,
}


def _compare(left: Any, *pairs: Any) -> bool:
    for op, right in zip(pairs[::2], pairs[1::2], strict=True):
        if op in ("in", "notin"):
            if isinstance(right, GeneratorType):
                right = list(each(right))
            pay(price_of_membership(left, right))
        elif is_container(left) and is_container(right):
            deep(left)
        else:
            pay(min(flat(left), flat(right)))
        if not _OPERATORS[op](left, right):
            return False
        left = right
    return True


def _assign(holder: Any, name: str, value: Any) -> None:
    """`{% set holder.name = value %}`, which some engines allow on messages and tools, too."""
    if not isinstance(holder, (Namespace, dict)):
        raise TemplateRuntimeError(f"{name!r} can be set of a namespace or an object only")
    holder[name] = value


def add(left: Any, right: Any) -> Any:
    """`left + right`, paid for."""
    pay(flat(left) + flat(right))
    return left + right


def printf(template: str, values: Any) -> str:
    """`template % values`, paid for."""
    if _WIDE.search(template):
        raise TemplateLimit(f"it pads to more than {MAX_WIDTH - 1} characters")
    pay(template.count("%") * deep(values) + flat(template))
    return str(template % values)


# ------------------------------------------------------------------------------------ filters


def _of_text(function: Callable[..., Any], times: int = 1) -> Callable[..., Any]:
    """The filter on the value's text; its result is a plain string or number.

    It takes so many times as long as looking at the text.
    """

    def apply(value: Any, *args: Any, **kwargs: Any) -> Any:
        value = text(value)
        pay(flat(value) * (times - 1))
        result = function(value, *args, **kwargs)
        return str(result) if isinstance(result, str) else result

    return apply


def _lazy(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter over a value whose items are paid for as they are pulled."""

    @pass_context
    def apply(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        return function(context, each(value or ()), *args, **kwargs)

    return apply


def _sorting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filter over a list that it sorts."""

    @pass_environment
    def apply(environment: Environment, value: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(value, Mapping):
            value = list(each(value))
        pay(price_of_sorting(value))
        return function(environment, value, *args, **kwargs)

    return apply


def _indent(value: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    size = len(width) if isinstance(width, str) else width
    if size > MAX_WIDTH:
        raise TemplateLimit(f"it indents by {size} characters")
    pay((value.count("\n") + 1) * size // CHARS + flat(value))
    return str(jinja.do_indent(value, width, first, blank))


def _replace(value: str, old: Any, new: Any, count: int | None = None) -> str:
    old, new = text(old), text(new)
    limit = -1 if count is None else count
    pay(price_of_search(value, old) + value.count(old) * len(new) // CHARS)
    return value.replace(old, new, limit)


def _trim(value: str, chars: str | None = None) -> str:
    pay(flat(value) * len(chars or ""))
    return value.strip(chars)


def _truncate(
    value: str, length: int = 255, killwords: bool = False, end: str = "...", leeway: int = 5
) -> str:
    if len(value) <= length + leeway:
        return value
    cut = value[: max(0, length - len(end))]
    return (cut if killwords else cut.rsplit(" ", 1)[0]) + end


def _format(value: str, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        raise TemplateRuntimeError("format takes positional or keyword arguments, not both")
    return printf(value, kwargs or args)


def _int(value: Any, default: int = 0, base: int = 10) -> Any:
    if isinstance(value, str):
        pay(flat(value))
    return small(jinja.do_int(value, default, base))


def _float(value: Any, default: float = 0.0) -> float:
    if isinstance(value, str):
        pay(flat(value))
    return jinja.do_float(value, default)


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if abs(precision) > MAX_WIDTH // 10:
        raise TemplateLimit(f"it rounds to {precision} places")
    return jinja.do_round(value, precision, method)


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
        items = map(jinja.make_attrgetter(environment, attribute), items)
    pieces = [text(item) for item in items]
    separator = text(d)
    pay(len(pieces) * len(separator) // CHARS)
    return separator.join(pieces)


@pass_environment
def _sum(environment: Environment, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    items = each(value)
    if attribute is not None:
        items = map(jinja.make_attrgetter(environment, attribute), items)
    for item in items:
        start = add(start, item)
    return start


@pass_environment
def _unique(
    environment: Environment, value: Any, case_sensitive: bool = False, attribute: Any = None
) -> Iterable[Any]:
    post = None if case_sensitive else jinja.ignore_case
    getter = jinja.make_attrgetter(environment, attribute, postprocess=post)
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


def _as_json(value: Any) -> Any:
    if isinstance(value, GeneratorType):
        return list(value)
    raise TypeError(f"a value of type {type(value).__name__} can't be written as JSON")


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as model templates expect it: nothing escaped for HTML, nothing for ASCII."""
    if isinstance(indent, int) and indent > MAX_WIDTH:
        raise TemplateLimit(f"it indents by {indent} characters")
    n_parts = deep(value)
    pay(n_parts * sum(map(len, separators or ())) // CHARS)
    if indent is not None and not isinstance(indent, int):
        raise TypeError("tojson takes indent as a number")
    encoder = json.JSONEncoder(
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
        default=_as_json,
    )
    if indent is None:
        return encoder.encode(value)
    return "".join([text(piece) for piece in each(encoder.iterencode(value))])


def _from_json(value: str) -> Any:
    pay(len(value) // 8)  # `{},` makes an object of three characters
    return json.loads(value)


_Functions = dict[str, Callable[..., Any]]
_JINJA: _Functions = {**jinja.FILTERS}

FILTERS: _Functions = {
    "#pay": _pay,
    "#assign": _assign,
    "#concat": _concat,
    "#compare": _compare,
    "#slice": _slice,
    "#key": key,
    **{name: _JINJA[name] for name in ("abs", "count", "d", "default", "length")},
    "first": lambda value: next(iter(value), Undefined("the sequence was empty")),
    "last": lambda value: next(iter(reversed(value)), Undefined("the sequence was empty")),
    "string": _of_text(str),
    **{name: _of_text(_JINJA[name], 4) for name in ("capitalize", "lower", "upper")},
    "title": _of_text(_JINJA["title"], 16),
    "urlencode": _of_text(_JINJA["urlencode"], 32),
    **dict.fromkeys(("e", "escape", "forceescape"), _of_text(escape, 4)),
    "safe": _of_text(str),
    "format": _of_text(_format),
    "indent": _of_text(_indent),
    "replace": _of_text(_replace),
    "trim": _of_text(_trim),
    "truncate": _of_text(_truncate),
    "wordcount": _of_text(jinja.do_wordcount, 8),
    **{
        name: _lazy(_JINJA[name])
        for name in ("map", "reject", "rejectattr", "select", "selectattr")
    },
    **{name: _sorting(_JINJA[name]) for name in ("max", "min", "sort")},
    "dictsort": _dictsort,
    "float": _float,
    "from_json": _from_json,
    "int": _int,
    "items": _items,
    "join": _join,
    "list": _list,
    "reverse": _reverse,
    "round": _round,
    "sum": _sum,
    "tojson": _tojson,
    "unique": _unique,
}

# -------------------------------------------------------------------------- tests and functions

_COMPARISONS = {
    "eq": ("==", "eq", "equalto"),
    "ne": ("!=", "ne"),
    "lt": ("<", "lt", "lessthan"),
    "lteq": ("<=", "le"),
    "gt": (">", "gt", "greaterthan"),
    "gteq": (">=", "ge"),
    "in": ("in",),
}


def _comparison(op: str) -> Callable[[Any, Any], bool]:
    return lambda left, right: _compare(left, op, right)


TESTS: _Functions = {
    **{  # those two would hash their value
        name: test
        for name, test in cast(_Functions, jinja_tests.TESTS).items()
        if name not in ("filter", "test")
    },
    **{name: _comparison(op) for op, names in _COMPARISONS.items() for name in names},
    "lower": _of_text(str.islower),
    "upper": _of_text(str.isupper),
}


def _raise_exception(message: Any) -> NoReturn:
    raise TemplateError(text(message))


def _dict(*pairs: Any, **items: Any) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    for other in pairs:
        entries = other.items() if isinstance(other, Mapping) else other
        made.update((key(name), value) for name, value in each(entries))
    return made | items


def _namespace(*pairs: Any, **items: Any) -> Namespace:
    return Namespace(_dict(*pairs, **items))


FUNCTIONS: _Functions = {
    "range": safe_range,
    "dict": _dict,
    "namespace": _namespace,
    "cycler": Cycler,
    "joiner": Joiner,
    "raise_exception": _raise_exception,
}
