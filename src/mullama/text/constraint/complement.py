"""The schema of what another one rejects.

The grammar engine has neither `not` nor `if`, and no `oneOf` of options that overlap; complements
make `anyOf` of them. A complement is exact, but for one thing: of an object it may only say that a
required property is missing, where it can't say what else would be wrong. It is narrower then, and
marked INEXACT, so that nothing is concluded from it. What can't be written raises NoComplement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from mullama.text.constraint.logic import ALL, INEXACT, Logic, Schema, both, either, type_of
from mullama.text.constraint.regex import anything_but

_MAX_BRANCHES = 64  # of one complement
_MAX_TEXT = 500  # characters of the strings that a text must differ from


class NoComplement(ValueError):
    """The engine's keywords can't say what this schema excludes."""


def complement(schema: Schema, logic: Logic) -> Schema:
    """The schema of the instances that `schema` rejects. Raises NoComplement."""
    if isinstance(schema, bool):
        return not schema
    logic.budget -= 1
    if logic.budget < 0:
        raise NoComplement
    options: list[Schema] = []
    narrow = False
    for keyword, value in schema.items():
        try:
            if keyword not in _COMPLEMENTS:
                raise NoComplement
            options += _COMPLEMENTS[keyword](value, logic)
        except NoComplement:
            if keyword not in ("properties", "additionalProperties") or not schema.get("required"):
                raise
            narrow = True
        if len(options) > _MAX_BRANCHES:
            raise NoComplement
    found = either(options)
    return {**found, INEXACT: True} if narrow and isinstance(found, dict) else found


_Complement = Callable[[Any, Logic], Iterable[Schema]]


def _not_type(value: Any, _: Logic) -> Iterator[Schema]:
    types = {value} if isinstance(value, str) else set(value)
    if "integer" in types and "number" not in types:
        raise NoComplement  # a number with a fraction has no keyword
    rest = sorted(ALL - types)
    if rest:
        yield {"type": rest}


def _not_enum(values: list[Any], _: Logic) -> Iterator[Schema]:
    kinds = {type_of(value) for value in values}
    if kinds & {"array", "object"}:
        raise NoComplement
    yield {"type": ["array", "object"]}
    if "null" not in kinds:
        yield {"type": "null"}
    flags = [flag for flag in (False, True) if not any(value is flag for value in values)]
    if flags:
        yield {"enum": flags}
    texts = {value for value in values if isinstance(value, str)}
    if sum(map(len, texts)) > _MAX_TEXT:
        raise NoComplement
    yield {"type": "string", **({"pattern": f"^(?:{anything_but(texts)})$"} if texts else {})}
    yield from _gaps(sorted({v for v in values if type_of(v) in ("integer", "number")}))


def _gaps(numbers: list[float]) -> Iterator[Schema]:
    """The numbers that are none of `numbers`, which are sorted."""
    for low, high in zip([None, *numbers], [*numbers, None], strict=True):
        gap: dict[str, Any] = {"type": "number"}
        if low is not None:
            gap["exclusiveMinimum"] = low
        if high is not None:
            gap["exclusiveMaximum"] = high
        yield gap


def _flip(kind: str, keyword: str, shift: int = 0) -> _Complement:
    def flipped(value: Any, _: Logic) -> Iterator[Schema]:
        if value + shift >= 0 or kind == "number":
            yield {"type": kind, keyword: value + shift}

    return flipped


def _not_required(names: list[str], _: Logic) -> Iterator[Schema]:
    for name in names:
        yield {"type": "object", "properties": {name: False}}


def _not_properties(properties: dict[str, Schema], logic: Logic) -> Iterator[Schema]:
    for name, schema in properties.items():
        opposite = complement(schema, logic)
        if opposite is not False:
            yield {"type": "object", "required": [name], "properties": {name: opposite}}


def _not_any(options: list[Schema], logic: Logic) -> Iterator[Schema]:
    yield both([complement(option, logic) for option in options])


def _not_all(parts: list[Schema], logic: Logic) -> Iterator[Schema]:
    for part in parts:
        yield complement(part, logic)


def _not_target(ref: str, logic: Logic) -> Iterator[Schema]:
    target = logic.resolve(ref)
    if target is None:
        raise NoComplement
    yield complement(target, logic)


def _only_open(value: Any, _: Logic) -> Iterable[Schema]:
    if value is True or value == {}:
        return ()
    raise NoComplement


_COMPLEMENTS: dict[str, _Complement] = {
    "type": _not_type,
    "enum": _not_enum,
    "minimum": _flip("number", "exclusiveMaximum"),
    "maximum": _flip("number", "exclusiveMinimum"),
    "exclusiveMinimum": _flip("number", "maximum"),
    "exclusiveMaximum": _flip("number", "minimum"),
    "minLength": _flip("string", "maxLength", -1),
    "maxLength": _flip("string", "minLength", 1),
    "minItems": _flip("array", "maxItems", -1),
    "maxItems": _flip("array", "minItems", 1),
    "required": _not_required,
    "properties": _not_properties,
    "additionalProperties": _only_open,
    "items": _only_open,
    "anyOf": _not_any,
    "allOf": _not_all,
    "$ref": _not_target,
}
