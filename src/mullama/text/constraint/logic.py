"""What follows from a lowered schema: its complement, and whether two exclude each other.

The grammar engine has neither `not` nor `oneOf` nor `if`; with complements and proofs of
disjointness they become `anyOf`, exactly. Both work on what `schema` lowers to (few keywords, in
one spelling), and both know when they don't know: a complement that can't be written raises
NoComplement, and what can't be proved disjoint is not. Nothing is concluded from a schema that
carries the mark INEXACT: it was lowered to less, or more, than was meant.

Values are compared as JSON Schema does: 1 and 1.0 are equal, 1 and true are not. The work of one
document is bounded by a budget, as choices within choices multiply.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mullama.text.constraint.regex import anything_but

Schema = bool | dict[str, Any]

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
ALL = frozenset(TYPES) - {"integer"}  # every integer is a number
INEXACT = "x-inexact"  # a keyword that the engine does not know, and so ignores

_MAX_BRANCHES = 64  # of one complement
_MAX_TEXT = 500  # characters of the strings that a text must differ from
_INFINITE = float("inf")


class NoComplement(ValueError):
    """The engine's keywords can't say what this schema excludes."""


def types_of(schema: dict[str, Any]) -> frozenset[str]:
    """The types that a schema's own `type` admits."""
    given = schema.get("type", list(ALL))
    return frozenset([given] if isinstance(given, str) else given)


def type_of(value: Any) -> str:
    """The type of a JSON value; a number without a fraction is an integer."""
    if isinstance(value, float):
        return "integer" if value == int(value) else "number"
    names = {type(None): "null", bool: "boolean", int: "integer", str: "string", list: "array"}
    return names.get(type(value), "object")


def same(value: Any) -> str:
    """A key that equal JSON values share, and others don't."""
    match value:
        case bool() | None | str():
            return json.dumps(value)
        case int() | float():
            return repr(int(value) if value == int(value) else value)
        case list():
            return f"[{','.join(map(same, value))}]"
    items = sorted((json.dumps(key), same(inner)) for key, inner in value.items())
    return f"{{{','.join(f'{key}:{inner}' for key, inner in items)}}}"


def either(options: Iterable[Schema]) -> Schema:
    """`anyOf`, without what is never or always true."""
    kept: list[Schema] = []
    for option in options:
        if option is True or option == {}:
            return True
        if option is not False:
            kept.append(option)
    if not kept:
        return False
    return kept[0] if len(kept) == 1 else {"anyOf": kept}


def both(parts: Iterable[Schema]) -> Schema:
    """`allOf`, without what is never or always true."""
    kept: list[Schema] = []
    for part in parts:
        if part is False:
            return False
        if part is not True and part != {}:
            kept.append(part)
    if not kept:
        return True
    return kept[0] if len(kept) == 1 else {"allOf": kept}


@dataclass(slots=True)
class Logic:
    """Conclusions about the lowered schemas of one document.

    `resolve` gives the target of a `$ref`, None while that is not known (in a circle). `budget`
    is how many schemas may still be looked at.
    """

    resolve: Callable[[str], Schema | None]
    budget: int

    def disjoint(self, a: Schema, b: Schema) -> bool:
        """Whether no instance can satisfy both: a proof; False may mean that none was found."""
        self.budget -= 1
        if isinstance(a, bool) or isinstance(b, bool) or self.budget < 0:
            return a is False or b is False
        if self._parts_disjoint(a, b) or self._parts_disjoint(b, a):
            return True
        return self._plainly_disjoint(a, b)

    def values(self, schema: Schema | None) -> list[Any] | None:
        """Values among which every instance is, where `const` or `enum` list them."""
        self.budget -= 1
        if not isinstance(schema, dict) or self.budget < 0:
            return [] if schema is False else None
        if "enum" in schema:
            types = types_of(schema)
            return [value for value in schema["enum"] if _has_type(value, types)]
        for part in self._parts(schema):
            found = self.values(part)
            if found is not None:
                return found
        options = [self.values(option) for option in schema.get("anyOf", ())]
        known = [found for found in options if found is not None]
        if not options or len(known) < len(options):
            return None
        return [value for found in known for value in found]

    def complement(self, schema: Schema) -> Schema:
        """The schema of exactly the instances that `schema` rejects. Raises NoComplement."""
        if isinstance(schema, bool):
            return not schema
        self.budget -= 1
        options: list[Schema] = []
        for keyword, value in schema.items():
            if keyword not in _COMPLEMENTS or self.budget < 0:
                raise NoComplement
            options += _COMPLEMENTS[keyword](value, self)
            if len(options) > _MAX_BRANCHES:
                raise NoComplement
        return either(options)

    def _parts(self, schema: dict[str, Any]) -> Iterator[Schema]:
        """The schemas that hold beside its own keywords."""
        yield from schema.get("allOf") or ()
        if "$ref" in schema:
            target = self.resolve(schema["$ref"])
            yield True if target is None else target

    def _parts_disjoint(self, a: dict[str, Any], b: dict[str, Any]) -> bool:
        """By what `a` consists of: one part of a conjunction suffices, a choice needs all."""
        if any(self.disjoint(part, b) for part in self._parts(a)):
            return True
        options = a.get("anyOf") or []
        return bool(options) and all(self.disjoint(option, b) for option in options)

    def _plainly_disjoint(self, a: dict[str, Any], b: dict[str, Any]) -> bool:
        common = _common_types(types_of(a), types_of(b))
        if not common:
            return True
        if INEXACT in a or INEXACT in b:
            return False
        mine, theirs = self.values(a), self.values(b)
        if mine is not None and theirs is not None:
            return not {same(v) for v in mine} & {same(v) for v in theirs}
        if mine is not None:
            return all(_excluded(value, b) for value in mine)
        if theirs is not None:
            return all(_excluded(value, a) for value in theirs)
        return all(_WAYS[name](a, b, self) for name in common)


def _has_type(value: Any, types: frozenset[str]) -> bool:
    own = type_of(value)
    return own in types or (own == "integer" and "number" in types)


# -------------------------------------------------------------------------------- disjointness


def _common_types(a: frozenset[str], b: frozenset[str]) -> set[str]:
    common = set(a & b)
    for one, other in ((a, b), (b, a)):
        if "integer" in one and "number" in other:
            common.add("integer")
    return common


def _excluded(value: Any, schema: dict[str, Any]) -> bool:
    """Whether `value` breaks one of the plain keywords of `schema`."""
    if not _has_type(value, types_of(schema)):
        return True
    match value:
        case bool() | None:
            return False
        case int() | float():
            low, high = _range(schema)
            return not low[0] <= value <= high[0] or (value, True) in (low, high)
        case str() | list():
            noun = "Length" if isinstance(value, str) else "Items"
            size = len(value)
            return not schema.get(f"min{noun}", 0) <= size <= schema.get(f"max{noun}", size)
    return any(key not in value for key in schema.get("required", ()))


_Bound = tuple[float, bool]  # with whether it is excluded itself


def _range(schema: dict[str, Any]) -> tuple[_Bound, _Bound]:
    low = max(
        (schema.get("minimum", -_INFINITE), False),
        (schema.get("exclusiveMinimum", -_INFINITE), "exclusiveMinimum" in schema),
    )
    high = min(
        (schema.get("maximum", _INFINITE), False),
        (schema.get("exclusiveMaximum", _INFINITE), "exclusiveMaximum" in schema),
        key=_tightness,
    )
    return low, high


def _tightness(upper: _Bound) -> _Bound:
    return upper[0], not upper[1]


def _numbers(a: dict[str, Any], b: dict[str, Any], _: Logic) -> bool:
    (low_a, high_a), (low_b, high_b) = _range(a), _range(b)
    low, high = max(low_a, low_b), min(high_a, high_b, key=_tightness)
    return low[0] > high[0] or (low[0] == high[0] and (low[1] or high[1]))


def _lengths(noun: str) -> Callable[[dict[str, Any], dict[str, Any], Logic], bool]:
    def check(a: dict[str, Any], b: dict[str, Any], _: Logic) -> bool:
        low = max(a.get(f"min{noun}", 0), b.get(f"min{noun}", 0))
        high = min(a.get(f"max{noun}", _INFINITE), b.get(f"max{noun}", _INFINITE))
        return bool(low > high)

    return check


def _objects(a: dict[str, Any], b: dict[str, Any], logic: Logic) -> bool:
    """Some property that one of them requires can't be right for both."""
    return any(
        logic.disjoint(_property(a, name), _property(b, name))
        for name in dict.fromkeys([*a.get("required", ()), *b.get("required", ())])
    )


def _property(schema: dict[str, Any], name: str) -> Schema:
    known: dict[str, Schema] = schema.get("properties", {})
    if name in known:
        return known[name]
    if "patternProperties" in schema:
        return True
    other: Schema = schema.get("additionalProperties", True)
    return other


def _never(*_: Any) -> bool:
    return False


_WAYS: dict[str, Callable[[dict[str, Any], dict[str, Any], Logic], bool]] = {
    "null": _never,
    "boolean": _never,
    "integer": _numbers,
    "number": _numbers,
    "string": _lengths("Length"),
    "array": _lengths("Items"),
    "object": _objects,
}

# ---------------------------------------------------------------------------------- complement

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
        opposite = logic.complement(schema)
        if opposite is not False:
            yield {"type": "object", "required": [name], "properties": {name: opposite}}


def _not_any(options: list[Schema], logic: Logic) -> Iterator[Schema]:
    yield both([logic.complement(option) for option in options])


def _not_all(parts: list[Schema], logic: Logic) -> Iterator[Schema]:
    yield from map(logic.complement, parts)


def _not_target(ref: str, logic: Logic) -> Iterator[Schema]:
    target = logic.resolve(ref)
    if target is None:
        raise NoComplement
    yield logic.complement(target)


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
