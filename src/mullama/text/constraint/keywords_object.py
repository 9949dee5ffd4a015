"""The keywords for objects.

The engine writes the properties in the order in which `properties` names them, each at most once;
additional ones follow, and it does not see that it writes the same name twice. Such an object is
valid, its last one counts, but it has fewer properties than were written: so a minimum of
additional properties is at most one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from math import comb
from typing import Any

from mullama.text.constraint.complement import NoComplement, complement
from mullama.text.constraint.document import UnknownReference
from mullama.text.constraint.keywords_scalar import patterns
from mullama.text.constraint.logic import INEXACT, Schema, both, either, types_of
from mullama.text.constraint.walk import (
    MAX_DEPTH,
    MAX_SIZE,
    Handler,
    Made,
    Place,
    Unsupported,
    Walk,
    mapping,
    size,
    strings,
)

MAX_PROPERTIES = 500  # of one object; the engine's time grows with its square
MAX_PATTERNS = 20  # patternProperties of one object; the engine compares each pair
_MAX_CHOICES = 256  # of the properties that are there, or missing
_CONDITIONAL = frozenset(
    {"$dynamicRef", "$recursiveRef", "anyOf", "oneOf", "if", "dependentSchemas", "dependencies"}
)


def _properties(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    given = mapping(node["properties"])
    if len(given) > MAX_PROPERTIES:
        raise walk.wrong(
            f"The schema has {len(given)} properties at {place.path}; the most is {MAX_PROPERTIES}."
        )
    place = place.at("properties")
    made.plain["properties"] = {
        name: walk.schema(schema, place.at(name)) for name, schema in given.items()
    }


def _required(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    made.plain["required"] = list(dict.fromkeys(strings(node["required"])))


def _pattern_properties(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    given = mapping(node["patternProperties"])
    if len(given) > MAX_PATTERNS:
        raise Unsupported(f"the most is {MAX_PATTERNS} patterns")
    place = place.at("patternProperties")
    made.plain["patternProperties"] = {
        _only(patterns(pattern)): walk.schema(schema, place.at(pattern))
        for pattern, schema in given.items()
    }


def _only(found: tuple[str, ...]) -> str:
    if len(found) > 1:
        raise Unsupported("a pattern of names has a look-ahead")
    return found[0]


def _additional_properties(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    made.plain["additionalProperties"] = walk.schema(
        node["additionalProperties"], place.at("additionalProperties")
    )


def _unevaluated_properties(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    if node["unevaluatedProperties"] is True or "additionalProperties" in made.plain:
        return
    known = dict.fromkeys(_evaluated(walk, node, place, 0), True)
    rest = walk.schema(node["unevaluatedProperties"], place.at("unevaluatedProperties"))
    made.plain["properties"] = known | made.plain.get("properties", {})
    made.plain["additionalProperties"] = rest


def _evaluated(walk: Walk, node: Any, place: Place, depth: int) -> Iterator[str]:
    """The properties that `node` always evaluates: those named there, and in what it includes."""
    if isinstance(node, bool):
        return
    beyond = _CONDITIONAL
    if depth:
        beyond = beyond | {"patternProperties", "additionalProperties", "unevaluatedProperties"}
    if depth > MAX_DEPTH or beyond & node.keys():
        raise Unsupported("it stands beside keywords that evaluate properties only sometimes")
    yield from node.get("properties", ())
    for part in node.get("allOf", ()):
        yield from _evaluated(walk, part, place, depth + 1)
    if "$ref" in node:
        try:
            _, target, base = walk.document.resolve(node["$ref"], place.base)
        except UnknownReference as error:
            raise Unsupported(str(error)) from None
        yield from _evaluated(walk, target, replace(place, base=base), depth + 1)


def _property_names(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    names = walk.schema(node["propertyNames"], place.at("propertyNames"))
    if isinstance(names, dict) and names.keys() <= {"type"}:
        names = "string" in types_of(names)  # every name is a string
    if names is True:
        return
    listed = walk.logic.values(names)
    if listed is None:
        _names_like(made, _name_pattern(walk, names))
    else:
        _only_names(made, [name for name in listed if isinstance(name, str)])


def _only_names(made: Made, names: list[str]) -> None:
    if "patternProperties" in made.plain:
        raise Unsupported("it stands beside patternProperties")
    rest = made.plain.pop("additionalProperties", True)
    known: dict[str, Schema] = dict(made.plain.get("properties", ()))
    known |= dict.fromkeys(known.keys() - set(names), False)
    made.plain["properties"] = known | {name: known.get(name, rest) for name in names}
    made.plain["additionalProperties"] = False


def _name_pattern(walk: Walk, names: Schema | None) -> str:
    if isinstance(names, dict) and names.keys() == {"$ref"}:
        names = walk.resolve(names["$ref"])
    if not isinstance(names, dict):
        raise Unsupported("it refers to itself")
    keywords = names.keys() - {"type", INEXACT}
    if keywords == {"pattern"}:
        return str(names["pattern"])
    if keywords <= {"minLength", "maxLength"}:
        upper = names.get("maxLength", "")
        return f"^(?s:.{{{names.get('minLength', 0)},{upper}}})$"
    raise Unsupported("it must be an enum, one pattern or a length")


def _names_like(made: Made, pattern: str) -> None:
    if {"properties", "patternProperties"} & made.plain.keys():
        raise Unsupported("it stands beside other keywords for properties")
    made.plain["patternProperties"] = {pattern: made.plain.pop("additionalProperties", True)}
    made.plain["additionalProperties"] = False


def _min_properties(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    lower = size(node["minProperties"])
    missing = lower - len(made.plain.get("required", ()))
    if missing <= 0:
        return
    names, closed = _named(made)
    if closed and comb(len(names), lower) <= _MAX_CHOICES:
        choices = combinations(names, lower)
        made.parts.append(
            either([*({"type": "object", "required": list(c)} for c in choices), *_others(made)])
        )
    elif missing == 1 and (closed or not names):
        made.plain["minProperties"] = lower
    else:
        raise Unsupported("the most is 1, or few properties and no others")


def _max_properties(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    upper = size(node["maxProperties"])
    names, closed = _named(made)
    n_left = len(names) - upper
    if closed and n_left <= 0:
        return
    if closed and comb(len(names), n_left) <= _MAX_CHOICES:
        choices = [dict.fromkeys(left, False) for left in combinations(names, n_left)]
        made.parts.append(
            either([*({"type": "object", "properties": c} for c in choices), *_others(made)])
        )
    elif set(names) <= set(made.plain.get("required", ())):
        made.plain["maxProperties"] = min(upper, MAX_SIZE)
    else:
        raise Unsupported("it stands beside optional properties")


def _named(made: Made) -> tuple[list[str], bool]:
    """The properties that may occur by name, and whether no others may."""
    names = [name for name, one in made.plain.get("properties", {}).items() if one is not False]
    closed = made.plain.get("additionalProperties") is False
    return names, closed and "patternProperties" not in made.plain


def _others(made: Made) -> list[Schema]:
    """Anything but an object, where the schema admits that."""
    others = sorted(made.types - {"object"})
    return [{"type": others}] if others else []


def _demands(schema: Schema, walk: Walk) -> bool:
    """Whether some object may break it."""
    try:
        return not walk.logic.disjoint({"type": "object"}, complement(schema, walk.logic))
    except NoComplement:
        return True


def _dependencies(keyword: str) -> Handler:
    """dependentRequired, dependentSchemas, and draft-07's dependencies, which is both."""

    def handle(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
        for name, needed in mapping(node[keyword]).items():
            if isinstance(needed, list):
                inner: Schema = {"required": strings(needed)} if needed else True
            else:
                inner = walk.schema(needed, place.at(keyword, name))
            if not _demands(inner, walk):  # or it would put its property before others
                continue
            then = both([{"type": "object", "required": [name]}, inner])
            lacking = {"type": "object", "properties": {name: False}}
            made.parts.append(either([lacking, then, *_others(made)]))

    return handle


# The order matters: later keywords look at what earlier ones have made.
FOR_OBJECTS: dict[str, Handler] = {
    "properties": _properties,
    "required": _required,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "propertyNames": _property_names,
    "minProperties": _min_properties,
    "maxProperties": _max_properties,
    "dependentRequired": _dependencies("dependentRequired"),
    "dependentSchemas": _dependencies("dependentSchemas"),
    "dependencies": _dependencies("dependencies"),
}
