"""Lowered schemas whose strings don't have a mark in them.

A value between tags is read up to the closing tag, also where that stands inside of a JSON string.
So the strings of such values, and the names of properties that are not given, must be free of it.
"""

from __future__ import annotations

from typing import Any

from mullama.text.constraint.logic import INEXACT, Schema, types_of
from mullama.text.constraint.regex import literal

_ANY = "any-without"
_HOLD = ("enum", "$ref", "anyOf", "allOf")


def without(schema: Schema, mark: str) -> Schema:
    """What satisfies `schema` and has `mark` in none of its strings."""
    return _Without(mark).root(schema)


class _Without:
    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._pattern = f"^(?:{_lacking(mark)})$"
        self._uses_any = False

    def root(self, schema: Schema) -> Schema:
        if schema is False:
            return False
        node = dict(schema) if isinstance(schema, dict) else {}
        definitions = {name: self.one(one) for name, one in node.pop("$defs", {}).items()}
        made = self.one(node)
        if self._uses_any:
            definitions[_ANY] = self._any()
        if definitions and isinstance(made, dict):
            made = {**made, "$defs": definitions}
        return made

    def one(self, schema: Schema) -> Schema:
        if schema is False:
            return False
        if schema is True or not schema.keys() - {INEXACT}:
            self._uses_any = True
            return {"$ref": f"#/$defs/{_ANY}"}
        made: dict[str, Any] = dict(schema)
        for keyword in ("anyOf", "allOf", "prefixItems"):
            if keyword in made:
                made[keyword] = [self.one(each) for each in made[keyword]]
        if "enum" in made:
            made["enum"] = [value for value in made["enum"] if self._mark not in str(value)]
        if any(keyword in made for keyword in _HOLD):
            return made
        found = types_of(made)
        if "string" in found:
            made = self._string(made)
        if "array" in found:
            made["items"] = self.one(made.get("items", True))
        if "object" in found:
            self._object(made)
        return made

    def _string(self, made: dict[str, Any]) -> dict[str, Any]:
        if "pattern" not in made:
            return {**made, "pattern": self._pattern}
        return (
            {**made, "allOf": [{"type": made["type"], "pattern": self._pattern}]}
            if ("type" in made)
            else {**made, "allOf": [{"pattern": self._pattern}]}
        )

    def _object(self, made: dict[str, Any]) -> None:
        for keyword in ("properties", "patternProperties"):
            if keyword in made:
                made[keyword] = {name: self.one(one) for name, one in made[keyword].items()}
        extra = made.get("additionalProperties", True)
        if extra is False or "patternProperties" in made:
            made["additionalProperties"] = False
        else:
            made["patternProperties"] = {self._pattern: self.one(extra)}
            made["additionalProperties"] = False

    def _any(self) -> Schema:
        again = {"$ref": f"#/$defs/{_ANY}"}
        return {
            "anyOf": [
                {"type": ["null", "boolean", "number"]},
                {"type": "string", "pattern": self._pattern},
                {"type": "array", "items": again},
                {
                    "type": "object",
                    "patternProperties": {self._pattern: again},
                    "additionalProperties": False,
                },
            ]
        }


def _lacking(mark: str) -> str:
    """A pattern of texts that have no two characters in a row like the mark's first two."""
    first, second = mark[0], mark[1:2]
    if not second or first == second:
        return f"(?s:[^{literal(first)}]*)"
    one, two = literal(first), literal(second)
    return f"(?s:(?:[^{one}]|{one}+[^{one}{two}])*{one}*)"
