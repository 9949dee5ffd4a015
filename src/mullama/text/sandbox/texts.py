"""Filters of texts. Each makes text of its value, and pays for looking at it and what it writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from jinja2 import filters as jinja
from jinja2 import pass_environment
from jinja2.environment import Environment
from jinja2.exceptions import TemplateRuntimeError
from markupsafe import Markup, escape

from mullama.text.sandbox.meter import CHARS, MAX_WIDTH, TemplateLimit, deep, flat, pay, text
from mullama.text.sandbox.methods import price_of_search
from mullama.text.sandbox.operators import printf


def of_text(function: Callable[..., Any], times: int = 1) -> Callable[..., Any]:
    """The filter on the value's text; its result is a plain string or number.

    It takes so many times as long as looking at the text.
    """

    def apply(value: Any, *args: Any, **kwargs: Any) -> Any:
        value = text(value)
        pay(flat(value) * (times - 1))
        result = function(value, *args, **kwargs)
        return str(result) if isinstance(result, str) else result

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


def _center(value: str, width: int = 80) -> str:
    if width > MAX_WIDTH:
        raise TemplateLimit(f"it pads to {width} characters")
    return value.center(width)


@pass_environment
def _wordwrap(
    environment: Environment,
    value: Any,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,
) -> str:
    value = text(value)
    words = [len(word) for word in value.split()]
    # A word is looked at from each of its places, and its rest is copied for each line of it.
    pay(flat(value) * 32 + sum(size * size for size in words) // CHARS)
    n_lines = value.count("\n") + len(words) + len(value) // max(width, 1)
    pay(n_lines * (1 + len(wrapstring or "") // CHARS))
    options = (width, break_long_words, wrapstring, break_on_hyphens)
    return jinja.do_wordwrap(environment, value, *options)


def _xmlattr(value: dict[Any, Any], autospace: bool = True) -> str:
    pay(deep(value) * 8)
    return jinja.do_xmlattr(_NOTHING_ESCAPED, value, autospace)


class _Unescaped:
    """What Jinja asks of an evaluation's context."""

    autoescape = False


_NOTHING_ESCAPED = cast(Any, _Unescaped())

_JINJA: dict[str, Callable[..., Any]] = {**jinja.FILTERS}

TEXTS: dict[str, Callable[..., Any]] = {
    "string": of_text(str),
    **{name: of_text(_JINJA[name], 4) for name in ("capitalize", "lower", "upper")},
    "title": of_text(_JINJA["title"], 16),
    "urlencode": of_text(_JINJA["urlencode"], 32),
    **dict.fromkeys(("e", "escape", "forceescape"), of_text(escape, 4)),
    "safe": of_text(str),
    "striptags": of_text(lambda value: Markup(value).striptags(), 16),
    "center": of_text(_center),
    "format": of_text(_format),
    "indent": of_text(_indent),
    "replace": of_text(_replace),
    "trim": of_text(_trim),
    "truncate": of_text(_truncate),
    "wordcount": of_text(jinja.do_wordcount, 8),
    "wordwrap": _wordwrap,
    "xmlattr": _xmlattr,
}
