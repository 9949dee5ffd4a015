"""Filters, tests and functions of templates: Jinja's own, and what model templates expect beside.

One is here if its cost is known. They are written by kind: `texts`, `lists`, `values`. Those that
do nothing with the size of their input are Jinja's, as they are. Of Jinja's own a chat template has
no use for `attr`, `pprint`, `urlize` and `lipsum`, nor for `random`: the same conversation has the
same prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn, cast

from jinja2 import filters as jinja
from jinja2 import tests as jinja_tests
from jinja2.exceptions import TemplateError
from jinja2.sandbox import safe_range
from jinja2.utils import Cycler, Joiner, Namespace

from mullama.text.sandbox.lists import LISTS
from mullama.text.sandbox.meter import each, key, text
from mullama.text.sandbox.operators import OPERATORS, compare
from mullama.text.sandbox.texts import TEXTS, of_text
from mullama.text.sandbox.values import VALUES

Functions = dict[str, Callable[..., Any]]

FILTERS: Functions = {
    **OPERATORS,
    **dict.fromkeys(("d", "default"), jinja.do_default),
    **TEXTS,
    **LISTS,
    **VALUES,
}

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
    return lambda left, right: compare(left, op, right)


TESTS: Functions = {
    **cast(Functions, jinja_tests.TESTS),
    **{name: _comparison(op) for op, names in _COMPARISONS.items() for name in names},
    "lower": of_text(str.islower),
    "upper": of_text(str.isupper),
    # Jinja's would hash their value.
    "filter": lambda name: _is_known(name, FILTERS),
    "test": lambda name: _is_known(name, TESTS),
}


def _is_known(name: Any, table: Functions) -> bool:
    """Whether a template may use what has this name."""
    return isinstance(name, str) and name in table and not name.startswith("#")


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


FUNCTIONS: Functions = {
    "range": safe_range,
    "dict": _dict,
    "namespace": _namespace,
    "cycler": Cycler,
    "joiner": Joiner,
    "raise_exception": _raise_exception,
}
