"""What follows from a lowered schema: its values, and whether two schemas exclude each other.

The grammar engine has no `oneOf`; where its options exclude each other it is `anyOf`. Proofs work
on what `schema` lowers to (few keywords, in one spelling), and know when they don't know: what
can't be proved disjoint is not. Nothing but the type counts of what carries the mark INEXACT: it
was lowered to less, or more, than was meant. `complement` has what else `oneOf`, `not` and `if`
need.

Values are compared as JSON Schema does: 1 and 1.0 are equal, 1 and true are not. The work of one
document is bounded by a budget, as choices within choices multiply.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mullama.text.constraint.overlap import no_text

Schema = bool | dict[str, Any]

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
ALL = frozenset(TYPES) - {"integer"}  # every integer is a number
_ONLY = {name: frozenset([name]) for name in TYPES}
INEXACT = "x-inexact"  # a keyword that the engine does not know, and so ignores

_INFINITE = float("inf")
_TEXTS = 500  # schemas that a look at patterns counts as


def types_of(schema: dict[str, Any]) -> frozenset[str]:
    """The types that a schema's own `type` admits."""
    given = schema.get("type")
    if given is None:
        return ALL
    return _ONLY[given] if isinstance(given, str) else frozenset(given)


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

    `resolve` gives the target of a `$ref`, None while that is being lowered (in a circle); `sketch`
    gives some of what the target asks for even then. `budget` is how many schemas may still be
    looked at.
    """

    resolve: Callable[[str], Schema | None]
    sketch: Callable[[str], Schema]
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
        if INEXACT in schema:
            return None
        options = [self.values(option) for option in schema.get("anyOf", ())]
        known = [found for found in options if found is not None]
        if not options or len(known) < len(options):
            return None
        return [value for found in known for value in found]

    def _parts(self, schema: dict[str, Any]) -> Iterator[Schema]:
        """The schemas that hold beside its own keywords, and from which something follows."""
        if INEXACT in schema:
            return
        yield from schema.get("allOf") or ()
        if "$ref" in schema:
            target = self.resolve(schema["$ref"])
            yield self.sketch(schema["$ref"]) if target is None else target

    def _parts_disjoint(self, a: dict[str, Any], b: dict[str, Any]) -> bool:
        """By what `a` consists of: one part of a conjunction suffices, a choice needs all."""
        if INEXACT in a:
            return False
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
            return self._all_excluded(mine, b)
        if theirs is not None:
            return self._all_excluded(theirs, a)
        return all(_WAYS[name](a, b, self) for name in common)

    def _all_excluded(self, values: list[Any], schema: dict[str, Any]) -> bool:
        """Whether `schema` admits none of the values."""
        left = [value for value in values if not _excluded(value, schema)]
        texts = [value for value in left if isinstance(value, str)]
        if "pattern" not in schema or len(texts) < len(left):
            return not left
        return not left or self.no_text({"type": "string", "enum": texts}, schema)

    def no_text(self, *schemas: dict[str, Any]) -> bool:
        """Whether no string satisfies all of these, by their own keywords."""
        self.budget -= _TEXTS
        return self.budget >= 0 and no_text(*schemas)

    def properties(self, schema: Schema) -> dict[str, Schema]:
        """What objects that satisfy `schema` have in their properties, as far as it names them."""
        self.budget -= 1
        if not isinstance(schema, dict) or self.budget < 0:
            return {}
        found: dict[str, Schema] = dict(schema.get("properties", ()))
        for part in self._parts(schema):
            for name, one in self.properties(part).items():
                found[name] = both([found[name], one]) if name in found else one
        return found


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


def _strings(a: dict[str, Any], b: dict[str, Any], logic: Logic) -> bool:
    if _lengths("Length")(a, b, logic):
        return True
    return ("pattern" in a or "pattern" in b) and logic.no_text(a, b)


def _arrays(a: dict[str, Any], b: dict[str, Any], logic: Logic) -> bool:
    """By their lengths, or by an item that both must have."""
    if _lengths("Items")(a, b, logic):
        return True
    n_sure = max(a.get("minItems", 0), b.get("minItems", 0))
    n_places = max(len(a.get("prefixItems", ())), len(b.get("prefixItems", ()))) + 1
    places = range(min(n_sure, n_places))
    return any(logic.disjoint(_item(a, place), _item(b, place)) for place in places)


def _item(schema: dict[str, Any], place: int) -> Schema:
    first: list[Schema] = schema.get("prefixItems", [])
    rest: Schema = schema.get("items", True)
    return first[place] if place < len(first) else rest


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
    "string": _strings,
    "array": _arrays,
    "object": _objects,
}
