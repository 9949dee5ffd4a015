"""What the rewritten tree of a template calls: operators that pay first.

`rewrite` puts them in the place of what Jinja would compile inline. Their cost depends on what they
are given, and they do what Python does.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from types import GeneratorType
from typing import Any

from jinja2.exceptions import TemplateRuntimeError
from jinja2.utils import Namespace

from mullama.text.sandbox.meter import (
    MAX_WIDTH,
    TemplateLimit,
    deep,
    each,
    flat,
    is_container,
    key,
    pay,
    text,
)
from mullama.text.sandbox.methods import price_of_membership

_WIDE = re.compile(r"%(?:\([^)]*\))?[-#0 +]*(?:\*|\d{4,}|\d*\.(?:\*|\d{4,}))")


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


def compare(left: Any, *pairs: Any) -> bool:
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


OPERATORS: dict[str, Callable[..., Any]] = {
    "#pay": _pay,
    "#assign": _assign,
    "#concat": _concat,
    "#compare": compare,
    "#slice": _slice,
    "#key": key,
}
