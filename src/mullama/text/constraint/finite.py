"""Whether anything finite can satisfy a lowered schema.

A schema may ask for itself without a way out: an object that requires a child of the same kind. A
model would write it for ever. What is finite is built up from below: scalars first, then whatever
needs only what is known to be finite, until nothing new is found. The answer errs on the side of
finite: what two parts of an `allOf` make impossible together is not seen here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mullama.text.constraint.logic import Schema, types_of


def is_finite(root: Schema, definitions: dict[str, Schema]) -> bool:
    """Whether some finite JSON may satisfy `root`, given what its references mean."""
    named = {f"#/$defs/{name}": schema for name, schema in definitions.items()}
    users: dict[str, set[str]] = {name: set() for name in named}
    for name, schema in named.items():
        for ref in _refs(schema):
            users[ref].add(name)
    known: set[str] = set()
    todo = list(named)
    while todo:
        name = todo.pop()
        if name not in known and _finite(named[name], known):
            known.add(name)
            todo += users[name]
    return _finite(root, known)


def _refs(value: Any) -> Iterator[str]:
    """The references in a schema. What `enum` lists can't have any that are not their own."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for keyword, inner in value.items():
            if keyword != "enum":
                yield from _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


def _finite(schema: Schema, known: set[str]) -> bool:
    if isinstance(schema, bool):
        return schema
    return (
        ("$ref" not in schema or schema["$ref"] in known)
        and all(_finite(part, known) for part in schema.get("allOf", ()))
        and ("anyOf" not in schema or any(_finite(one, known) for one in schema["anyOf"]))
        and ("enum" not in schema or bool(schema["enum"]))
        and any(_finite_as(kind, schema, known) for kind in types_of(schema))
    )


def _finite_as(kind: str, schema: dict[str, Any], known: set[str]) -> bool:
    if kind == "object":
        properties = schema.get("properties", {})
        return all(
            _finite(properties.get(name, True), known) for name in schema.get("required", ())
        )
    if kind == "array":
        least = schema.get("minItems", 0)
        first = schema.get("prefixItems", [])[:least]
        rest = [schema.get("items", True)] if least > len(first) else []
        return all(_finite(item, known) for item in [*first, *rest])
    return True
