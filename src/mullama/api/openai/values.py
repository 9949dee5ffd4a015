"""Values as clients write them, where another spelling means the same. Types for `schema`.

JSON has one kind of number, so 100.0 is a whole one: clients in languages that have only floats
write it so. A hint changes no answer, so whatever it holds is taken; its type is for `/docs`.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema


def _whole(value: Any) -> Any:
    """100 for 100.0; anything else as it is."""
    return int(value) if type(value) is float and value.is_integer() else value


def _name(value: Any) -> Any:
    """A number that names somebody, as text."""
    return str(value) if type(value) is int else value


Whole = Annotated[int, BeforeValidator(_whole)]
Name = Annotated[str, BeforeValidator(_name)]

ObjectHint = Annotated[Any, WithJsonSchema({"type": "object"})]
SwitchHint = Annotated[Any, WithJsonSchema({"type": "boolean"})]
TextHint = Annotated[Any, WithJsonSchema({"type": "string"})]

# Checked by `convert` or not at all, since a union's errors don't name a field well.
StringOrObject = Annotated[Any, WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]})]
BoolOrString = Annotated[Any, WithJsonSchema({"type": ["boolean", "string"]})]
BoolOrObject = Annotated[Any, WithJsonSchema({"type": ["boolean", "object"]})]
Duration = Annotated[Any, WithJsonSchema({"type": ["number", "string"]})]
LogitBias = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "object", "additionalProperties": {"type": ["number", "boolean"]}},
                {"type": "array", "items": {"type": "array"}},
            ]
        }
    ),
]
