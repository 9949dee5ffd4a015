"""Tools whose names and parameters are awkward, and what a walk needs to come to their ends."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import jsonschema

from mullama.text.spans import Answer
from mullama.text.syntax import Format, Style

PARAMETERS: dict[str, Any] = {
    "get": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 1, "maxLength": 12},
            "days": {"type": "integer", "minimum": 1, "maximum": 9},
            "unit": {"enum": ["c", "f"]},
        },
        "required": ["city", "days"],
    },
    "get_time": {
        "type": "object",
        "properties": {
            "zone": {"type": ["string", "null"]},
            "at": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
            "deep": {
                "type": "object",
                "properties": {"a": {"type": "boolean"}, "b": {"type": "string"}},
                "required": ["a"],
            },
        },
        "required": ["at"],
    },
    "now": None,
    "search": {
        "type": "object",
        "properties": {
            "q": {"type": "string", "pattern": "^[a-z ]+$"},
            "n": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
            "kind": {"enum": ["a", 1, None, True, "two words"]},
            "tree": {"$ref": "#/$defs/tree"},
        },
        "required": ["q"],
        "$defs": {
            "tree": {
                "type": "object",
                "properties": {
                    "v": {"type": "number"},
                    "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 1},
                },
                "required": ["v"],
            }
        },
    },
    "free": {"type": "object"},
}


def tool(name: str, parameters: Any = None, **more: Any) -> dict[str, Any]:
    given = {"name": name, **more} | ({} if parameters is None else {"parameters": parameters})
    return {"type": "function", "function": given}


TOOLS = [tool(name, parameters) for name, parameters in PARAMETERS.items()]


def closing(format: Format) -> list[str]:
    """Texts that end a value of free text, in this format."""
    if format.calls is None:
        return []
    syntax = format.calls.arguments
    keys = [*_keys(PARAMETERS), syntax.item]
    found = [syntax.end, syntax.quote if syntax.style is Style.BRACED else ""]
    if syntax.style is Style.NESTED:
        found = [syntax.end + key + syntax.key_end for key in keys]
    return [text for text in found if text]


def _keys(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return []
    own = list(value.get("properties", {}))
    return [*own, *(key for inner in value.values() for key in _keys(inner))]


def check(answer: Answer, tools: Sequence[dict[str, Any]] = tuple(TOOLS)) -> None:
    """Every call of the answer is complete, of one of the tools, and satisfies its schema."""
    schemas = {one["function"]["name"]: one["function"].get("parameters", {}) for one in tools}
    for call in answer.calls:
        assert call.complete
        jsonschema.validate(json.loads(call.arguments), schemas[call.name])
