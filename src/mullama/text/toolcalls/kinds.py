"""Which JSON a piece of bare text stands for, by the tool's schema.

Formats that write values without quotes (`<parameter=code>1</parameter>`) leave it to the schema
whether that is the number 1 or a text. The rules:

- a schema that only allows text: the text as it stands, digits, quotes and backslashes included;
- one that allows no text: JSON, or what Python writes for it (`['a', None]`: some templates show
  lists so, and their models write them so), and text only if it is neither;
- one that allows both: JSON if it is of another allowed kind, else text;
- nothing known of the value: JSON if it is some, else text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mullama.text.toolcalls import values

Schema = Mapping[str, Any]

ALL = frozenset({"string", "number", "integer", "boolean", "null", "object", "array"})
_DEPTH = 32  # of references and unions; deeper ones allow everything
_PYTHON = {"True": "true", "False": "false", "None": "null"}


def kinds(schema: Any, root: Schema) -> frozenset[str]:
    """The JSON types that a schema allows, by what it says at its top; ALL if it says nothing."""
    return _kinds(schema, root, {}, 0)


def _kinds(
    schema: Any, root: Schema, known: dict[str, frozenset[str]], depth: int
) -> frozenset[str]:
    """The same; `known` has the references that were followed, each once."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return ALL
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if reference not in known:
            known[reference] = ALL  # to one that refers to itself
            known[reference] = _kinds(_referred(reference, root), root, known, depth + 1)
        return known[reference]
    allowed = ALL
    for said in _said(schema, lambda inner: _kinds(inner, root, known, depth + 1)):
        allowed &= said
    return allowed or ALL


def _said(schema: Schema, inner: Callable[[Any], frozenset[str]]) -> Iterator[frozenset[str]]:
    """What each keyword allows; `inner` tells it of a schema within."""
    declared = schema.get("type")
    if isinstance(declared, str):
        yield _with_integers({declared})
    elif isinstance(declared, list):
        yield _with_integers({kind for kind in declared if isinstance(kind, str)})
    if isinstance(schema.get("enum"), list):
        yield frozenset().union(*map(_kinds_of, schema["enum"]))
    if "const" in schema:
        yield _kinds_of(schema["const"])
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list):
            yield frozenset().union(*map(inner, schema[word]))
    for item in schema["allOf"] if isinstance(schema.get("allOf"), list) else ():
        yield inner(item)


def property_schema(schema: Any, key: str, root: Schema) -> Any:
    """The schema of an object's member, None if nothing is said."""
    return _first(schema, root, lambda found: _member(found, key), set())


def item_schema(schema: Any, root: Schema) -> Any:
    """The schema of a list's elements, None if nothing is said."""
    return _first(schema, root, lambda found: found.get("items"), set())


def json_of(text: str, allowed: frozenset[str]) -> str:
    """The JSON for a piece of bare text."""
    if allowed == {"string"}:
        return json.dumps(text, ensure_ascii=False)
    written = text.strip()
    written = _PYTHON.get(written, written)
    try:
        value = json.loads(written, parse_constant=_refuse)
    except RecursionError:
        return json.dumps(text, ensure_ascii=False)
    except ValueError:
        other = "" if "string" in allowed else _from_python(written, allowed)
        return other or json.dumps(text, ensure_ascii=False)
    if isinstance(value, str) and "string" in allowed:
        # Quotes around a text that needs none are part of it.
        return json.dumps(text, ensure_ascii=False)
    if "string" in allowed and not _kinds_of(value) & allowed:
        return json.dumps(text, ensure_ascii=False)
    return written


def _from_python(written: str, allowed: frozenset[str]) -> str:
    """The JSON for a list or an object of Python's of an allowed kind; "" if it is none."""
    kind = {"[": "array", "{": "object"}.get(written[:1])
    return values.whole(written, values.PYTHON) if kind in allowed else ""


def _kinds_of(value: Any) -> frozenset[str]:
    match value:
        case bool():
            return frozenset({"boolean"})
        case int():
            return frozenset({"integer", "number"})
        case float():
            return frozenset({"integer", "number"} if value.is_integer() else {"number"})
        case str():
            return frozenset({"string"})
        case None:
            return frozenset({"null"})
        case list():
            return frozenset({"array"})
        case _:
            return frozenset({"object"})


def _with_integers(declared: set[str]) -> frozenset[str]:
    return frozenset(declared | {"integer"} if "number" in declared else declared)


def _referred(reference: str, root: Schema) -> Any:
    """What `#/$defs/name` points to in the whole schema, None for anything else."""
    if not reference.startswith("#"):
        return None
    found: Any = root
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _member(schema: Schema, key: str) -> Any:
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and key in properties:
        return properties[key]
    return schema.get("additionalProperties")


def _first(
    schema: Any, root: Schema, look: Callable[[Schema], Any], seen: set[str], depth: int = 0
) -> Any:
    """What `look` finds in the schema, in what it refers to, or in its alternatives. `seen` has the
    references that were followed, each once."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return None
    found = look(schema)
    if isinstance(found, Mapping):
        return found
    inner: list[Any] = []
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        seen.add(reference)
        inner.append(_referred(reference, root))
    for word in ("allOf", "anyOf", "oneOf"):
        inner += schema[word] if isinstance(schema.get(word), list) else []
    parts = (_first(item, root, look, seen, depth + 1) for item in inner)
    return next(filter(None, parts), None)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
