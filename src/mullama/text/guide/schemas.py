"""A function's parameters, made ready to be written as a grammar.

`narrowed` is what we ask of a model: an object, with the properties that are named and no others
where the schema says nothing of others. `Flat` looks at lowered schemas (`text.constraint.schema`)
as styles of arguments need them: as alternatives without `anyOf`, `allOf` and `$ref` at their top.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, product
from typing import Any

from mullama.text.constraint.logic import INEXACT, TYPES, Schema, both, same

_MOST = 64  # alternatives of one value
_DEEPEST = 16  # references and choices within each other
_EMPTY: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
_ELSEWHERE = frozenset({"$ref", "anyOf", "oneOf"})
# Where these stand, an object's properties may be named in several places.
_COMBINING = frozenset(
    [
        "allOf",
        "if",
        "not",
        "dependentSchemas",
        "dependencies",
        "unevaluatedProperties",
        "propertyNames",
        "$dynamicRef",
        "$recursiveRef",
    ]
)
_OPEN = frozenset({"additionalProperties", "patternProperties", "minProperties"})


def narrowed(parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """The schema of a call's arguments; what satisfies it satisfies `parameters`."""
    if parameters is None:
        return _EMPTY
    schema = dict(parameters)
    given = schema.get("type", "object")
    if given == "object" or (isinstance(given, list) and "object" in given):
        schema["type"] = "object"
    if any(_combines(node) for node in _nodes(schema, 0)):
        return schema
    closed = _closed(schema, 0)
    assert isinstance(closed, dict)
    return closed


def _combines(node: Mapping[str, Any]) -> bool:
    return bool(_COMBINING & node.keys()) or (
        "properties" in node and bool(_ELSEWHERE & node.keys())
    )


def _nodes(value: Any, depth: int) -> Iterator[Mapping[str, Any]]:
    if depth > 2 * _DEEPEST:
        return
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _nodes(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner, depth + 1)


def _closed(node: Any, depth: int) -> Any:
    """A schema whose objects have no properties but those that it names."""
    if not isinstance(node, Mapping) or depth > 2 * _DEEPEST:
        return node
    made = dict(node)
    for keyword in ("properties", "$defs", "definitions"):
        if isinstance(node.get(keyword), Mapping):
            made[keyword] = {name: _closed(one, depth + 1) for name, one in node[keyword].items()}
    for keyword in ("anyOf", "oneOf"):
        if isinstance(node.get(keyword), list):
            made[keyword] = [_closed(one, depth + 1) for one in node[keyword]]
    if "items" in node:
        made["items"] = _closed(node["items"], depth + 1)
    properties, required = node.get("properties"), node.get("required", [])
    if not isinstance(properties, Mapping) or not isinstance(required, list) or _OPEN & node.keys():
        return made
    if all(str(name) in properties for name in required):
        made["additionalProperties"] = False
    return made


class Inexact(Exception):
    """A schema can't be taken apart; the message is its keyword."""


class Flat:
    """Lowered schemas of one document, taken apart."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.definitions: dict[str, Schema] = (
            root.get("$defs", {}) if isinstance(root, dict) else {}
        )

    def target(self, ref: str) -> Schema:
        """What a reference means."""
        return self.definitions[ref.removeprefix("#/$defs/")]

    def whole(self, schema: Schema) -> Schema:
        """A schema that stands by itself, with the definitions that it may refer to."""
        if not self.definitions or not isinstance(schema, dict):
            return schema
        return {**schema, "$defs": self.definitions}

    def alternatives(self, schema: Schema, depth: int = 0) -> list[dict[str, Any]]:
        """Schemas of which one must hold, without choices and references at their top."""
        if schema is True:
            return [{}]
        if schema is False:
            return []
        if depth > _DEEPEST:
            raise Inexact("$ref")
        plain = {key: value for key, value in schema.items() if key not in ("$defs", INEXACT)}
        parts = [plain.pop(key) for key in ("$ref", "anyOf", "allOf") if key in plain]
        groups = [[plain]] if plain or not parts else []
        for part in parts:
            if isinstance(part, str):
                groups.append(self.alternatives(self.target(part), depth + 1))
                continue
            inner = [self.alternatives(one, depth + 1) for one in part]
            groups += [list(chain.from_iterable(inner))] if part is schema.get("anyOf") else inner
        found: list[dict[str, Any]] = [{}]
        for group in groups:
            pairs = product(found, group)
            found = [made for a, b in pairs if (made := _merged(a, b)) is not None]
            if len(found) > _MOST:
                raise Inexact("anyOf")
        return found


def _merged(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any] | None:
    """What satisfies both; None if nothing does. Raises Inexact where one schema can't say it."""
    made = dict(a)
    for key, value in b.items():
        if key not in made:
            made[key] = value
        elif made[key] != value:
            made[key] = _joined(key, made[key], value)
    if "type" in a and "type" in b:
        types = _types(a) & _types(b)
        if not types:
            return None
        made["type"] = sorted(types) if len(types) > 1 else next(iter(types))
    for one, other in ((a, b), (b, a)):
        if one.get("additionalProperties") is False and "properties" in other:
            known = one.get("properties", {})
            for name in other["properties"].keys() - known.keys():
                made["properties"] = {**made["properties"], name: False}
    return made


def _joined(key: str, one: Any, other: Any) -> Any:
    match key:
        case "type":
            return one  # see to it elsewhere
        case "properties":
            return {
                name: both([schemas[name] for schemas in (one, other) if name in schemas])
                for name in {**one, **other}
            }
        case "required":
            return [*one, *(name for name in other if name not in one)]
        case "items" | "additionalProperties":
            return both([one, other])
        case "enum":
            known = set(map(same, other))
            return [value for value in one if same(value) in known]
        case "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties":
            return max(one, other)
        case "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties":
            return min(one, other)
        case "pattern":
            return [*_listed(one), *_listed(other)]
    raise Inexact(key)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that a schema admits; `number` includes integers."""
    found = set(_listed(schema.get("type", list(TYPES))))
    return frozenset(found | {"integer"} if "number" in found else found)


def types(schema: Mapping[str, Any]) -> frozenset[str]:
    """The types that an alternative admits, of its enum where it has one."""
    found = _types(schema)
    return found - {"integer"} if "number" in found else found


def patterns(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """What a text must match, all of it, in the engine's dialect."""
    given = _listed(schema.get("pattern", []))
    return tuple(one.removeprefix("^(?:").removesuffix(")$") for one in given)
