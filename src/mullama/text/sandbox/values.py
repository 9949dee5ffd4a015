"""Filters of numbers, and of values as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import GeneratorType
from typing import Any

from jinja2 import filters as jinja

from mullama.text.sandbox.meter import (
    CHARS,
    MAX_WIDTH,
    TemplateLimit,
    deep,
    each,
    flat,
    pay,
    small,
    text,
)


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


def _filesize(value: Any, binary: bool = False) -> str:
    return jinja.do_filesizeformat(_float(value), binary)


VALUES: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "filesizeformat": _filesize,
    "float": _float,
    "from_json": _from_json,
    "int": _int,
    "round": _round,
    "tojson": _tojson,
}
