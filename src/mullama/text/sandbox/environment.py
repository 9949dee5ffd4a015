"""Jinja for templates that nobody has vouched for: sandboxed, and metered.

`compile_template(source)` gives a template, and `render(template, variables)` runs it within a
budget. Values must be plain JSON, or functions that are cheap. A template reaches no attribute but
the methods in `METHODS` and what Jinja's own loop, macro and namespace objects show; it can load no
other template.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import BuiltinMethodType, FunctionType, GeneratorType, MethodType
from typing import Any

from jinja2 import Template, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.meta import find_undeclared_variables
from jinja2.parser import Parser
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference, Undefined
from jinja2.sandbox import SandboxedEnvironment, SandboxedFormatter
from jinja2.utils import Cycler, Joiner, Namespace

from mullama.text.sandbox.filters import FILTERS, FUNCTIONS, TESTS
from mullama.text.sandbox.meter import (
    ITEMS,
    MAX_BITS,
    VIEWS,
    Meter,
    TemplateLimit,
    deep,
    each,
    is_container,
    metered,
    pay,
    text,
)
from mullama.text.sandbox.methods import METHODS
from mullama.text.sandbox.operators import add, printf
from mullama.text.sandbox.rewrite import MeterTransformer

MAX_SOURCE = 128 * 1024  # characters
COMPILE_UNITS = 100_000  # for constants that Jinja folds

# A rendering's budget grows with its input. Known templates spend 3 to 30 units for one of the
# input, and the one that goes through all messages at each of them 120 at a thousand messages.
FIRST_UNITS = 400_000
UNITS_FOR_ONE = 128
MOST_UNITS = 8_000_000  # about as many seconds

_JINJA_OBJECTS = (
    BlockReference,
    Cycler,
    Joiner,
    LoopContext,
    Macro,
    Namespace,
    TemplateReference,
    Undefined,
)
_CALLABLES = (*_JINJA_OBJECTS, FunctionType, MethodType, partial)
_CLASSES = (Cycler, Joiner)
_ITERATORS: tuple[Any, ...] = (GeneratorType, *VIEWS)


class _Generation(Extension):
    """`{% generation %}` marks what the model wrote, for training; here it changes nothing."""

    tags = {"generation"}  # noqa: RUF012  (Jinja declares it so)

    def parse(self, parser: Parser) -> nodes.Node:
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=lineno)


class _Formatter(SandboxedFormatter):
    """`str.format` with each field paid for."""

    def convert_field(self, value: Any, conversion: Any) -> Any:
        text(value)
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> Any:
        text(value)
        if any(len(digits) > 3 for digits in _numbers(format_spec)):
            raise TemplateLimit("it pads to more than 999 characters")
        pay(1)
        return super().format_field(value, format_spec)


def _numbers(spec: str) -> list[str]:
    return "".join(char if char.isdigit() else " " for char in spec).split()


class MeteredEnvironment(SandboxedEnvironment):
    """One for all templates; the budget belongs to each rendering."""

    intercepted_binops = frozenset(SandboxedEnvironment.default_binop_table)

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,
            finalize=text,
            extensions=[_Generation, LoopControlExtension],
        )
        self.filters = dict(FILTERS)
        self.tests = dict(TESTS)
        self.globals = dict(FUNCTIONS)

    @staticmethod
    def concat(pieces: Iterable[str]) -> str:
        """What a macro or a block gives back."""
        return "".join([text(piece) for piece in pieces])

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if attr.startswith("_"):
            return False
        methods = METHODS.get(type(obj))
        return attr in methods if methods is not None else isinstance(obj, _JINJA_OBJECTS)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if is_container(argument):
            return self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        pay(len(args) + len(kwargs))
        if isinstance(__obj, BuiltinMethodType):
            kwargs.pop("_loop_vars", None)
            kwargs.pop("_block_vars", None)
            return _call_method(__obj, [_as_list(arg) for arg in args], kwargs)
        if isinstance(__obj, MethodType):
            deep(args)  # loop.changed() compares them
        if isinstance(__obj, _CALLABLES) or __obj in _CLASSES:
            return __context.call(__obj, *args, **kwargs)
        raise SecurityError(f"a value of type {type(__obj).__name__} can't be called")

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        if not isinstance(value, BuiltinMethodType) or not isinstance(value.__self__, str):
            return None
        source, name = value.__self__, value.__name__
        if name == "format":
            return lambda *args, **kwargs: _Formatter(self).vformat(source, args, kwargs)
        if name == "format_map":
            return lambda items: _Formatter(self).vformat(source, (), items)
        return None

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "+":
            return add(left, right)
        if operator == "%" and isinstance(left, str):
            return printf(left, right)
        if operator in ("*", "**"):
            _pay_for_product(operator, left, right)
        elif is_container(left) or is_container(right):  # views of dictionaries would subtract
            raise TypeError(f"unsupported operand type(s) for {operator}: lists or mappings")
        return super().call_binop(context, operator, left, right)


def _as_list(value: Any) -> Any:
    """Iterators as lists, so that a method's price can be known."""
    return list(each(value)) if isinstance(value, _ITERATORS) else value


def _call_method(method: BuiltinMethodType, args: list[Any], kwargs: dict[str, Any]) -> Any:
    price = METHODS.get(type(method.__self__), {}).get(method.__name__)
    if price is None:
        raise SecurityError(f"{method.__name__}() can't be called")
    pay(price(method.__self__, *args, **kwargs))
    return method(*args, **kwargs)


def _pay_for_product(operator: str, left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        n_bits, m_bits = left.bit_length(), right.bit_length()
        if (n_bits * right if operator == "**" else n_bits + m_bits) > MAX_BITS:
            raise TemplateLimit(f"it computes a number of more than {MAX_BITS} bits")
    for value, times in ((left, right), (right, left)):
        if isinstance(value, (str, list, tuple)) and isinstance(times, int):
            pay(len(value) * max(times, 0) // ITEMS)


_ENVIRONMENT = MeteredEnvironment()


def compile_template(source: str) -> Template:
    """The template, compiled. Raises what Jinja and Python raise for a bad one, TemplateLimit."""
    if len(source) > MAX_SOURCE:
        raise TemplateLimit(f"it has {len(source)} characters; the most is {MAX_SOURCE}")
    with metered(COMPILE_UNITS):
        tree = MeterTransformer().visit(_ENVIRONMENT.parse(source))
        code = _ENVIRONMENT.compile(tree, filename="<chat template>")
        return Template.from_code(_ENVIRONMENT, code, dict(_ENVIRONMENT.globals))


def variables_of(source: str) -> set[str]:
    """The variables that a template reads without having set them. Raises as compiling does."""
    with metered(COMPILE_UNITS):
        return find_undeclared_variables(_ENVIRONMENT.parse(source))


def render(
    template: Template,
    variables: Mapping[str, Any],
    *,
    first_units: int = FIRST_UNITS,
    budget: Meter | None = None,
) -> str:
    """What the template prints. Raises what it raises, and TemplateLimit.

    Several renderings may share one `budget`. Not `Template.render`: that one rewrites the
    traceback of an error, frame by frame.
    """
    with metered(budget or MOST_UNITS) as meter:
        size = deep(list(variables.values()))
        if budget is None:
            meter.left = min(first_units + size * UNITS_FOR_ONE, MOST_UNITS)
        context = template.new_context(dict(variables))
        return _ENVIRONMENT.concat(template.root_render_func(context))
