"""Equal parts of a lowered schema are written once.

The engine builds rules and automata for each schema where it stands, and a range of numbers or a
date costs it a tenth of a millisecond to a whole one. A schema of sixty properties has few kinds of
them. So a part that stands in several places becomes a definition, and the places refer to it.

Only parts that refer to nothing are shared: the engine can't merge what refers to itself. Scalars
among the options of an `anyOf` stay where they are, as the engine makes one automaton of them; and
so does what `allOf` lists, which it merges anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from mullama.text.constraint.logic import Schema

_NAMED = ("properties", "patternProperties")
_LISTED = ("prefixItems", "anyOf", "allOf")
_SINGLE = ("items", "additionalProperties")
_BELOW = frozenset({*_NAMED, *_LISTED, *_SINGLE})
_CHEAP = frozenset({"boolean", "null"})


def shared(schema: Schema) -> Schema:
    """The same schema, with its equal parts as definitions."""
    if not isinstance(schema, dict):
        return schema
    return _Sharing().root(schema)


class _Sharing:
    """Equal schemas have the same number; those that refer to others have none."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._number_of: dict[int, int | None] = {}  # by the identity of a schema
        self._counts: Counter[int] = Counter()
        self._definitions: dict[str, Schema] = {}

    def root(self, schema: dict[str, Any]) -> Schema:
        given: dict[str, Schema] = schema.get("$defs", {})
        top = {key: value for key, value in schema.items() if key != "$defs"}
        for one in (top, *given.values()):
            self._count(one)
        if not any(n > 1 for n in self._counts.values()):
            return schema
        definitions = {name: self._inside(one) for name, one in given.items()}
        made = self._inside(top)
        assert isinstance(made, dict)
        definitions |= self._definitions
        return {**made, "$defs": definitions} if definitions else made

    def _count(self, schema: Schema) -> int | None:
        """Number a schema and all below it; None for one that refers to another."""
        if not isinstance(schema, dict):
            return -1 - schema
        key: list[Any] = []
        closed = "$ref" not in schema
        for keyword, value in schema.items():
            if keyword in _BELOW:
                below = [self._count(one) for one in _schemas(keyword, value)]
                closed = closed and None not in below
                names = tuple(value) if isinstance(value, dict) and keyword in _NAMED else ()
                key.append((keyword, names, *below))
            else:
                key.append((keyword, repr(value)))
        number = self._numbers.setdefault(tuple(key), len(self._numbers)) if closed else None
        self._number_of[id(schema)] = number
        if number is not None:
            self._counts[number] += 1
        return number

    def _place(self, schema: Schema) -> Schema:
        """What stands in the place of `schema`: a reference, if it stands elsewhere, too."""
        number = self._number_of.get(id(schema)) if isinstance(schema, dict) else None
        if number is None or self._counts[number] < 2 or _is_cheap(schema):
            return self._inside(schema)
        name = f"s{number}"
        if name not in self._definitions:
            self._definitions[name] = self._inside(schema)
        return {"$ref": f"#/$defs/{name}"}

    def _option(self, schema: Schema) -> Schema:
        return self._inside(schema) if _is_scalar(schema) else self._place(schema)

    def _inside(self, schema: Schema) -> Schema:
        """`schema` itself, with what is below it shared."""
        if not isinstance(schema, dict):
            return schema
        return {
            keyword: _mapped(keyword, value, self._how(keyword)) if keyword in _BELOW else value
            for keyword, value in schema.items()
        }

    def _how(self, keyword: str) -> Callable[[Schema], Schema]:
        return {"allOf": self._inside, "anyOf": self._option}.get(keyword, self._place)


def _schemas(keyword: str, value: Any) -> Iterator[Schema]:
    """The schemas that a keyword has below it."""
    if keyword in _SINGLE:
        yield value
    else:
        yield from value.values() if keyword in _NAMED else value


def _mapped(keyword: str, value: Any, change: Callable[[Schema], Schema]) -> Any:
    if keyword in _SINGLE:
        return change(value)
    if keyword in _NAMED:
        return {name: change(one) for name, one in value.items()}
    return [change(one) for one in value]


def _is_cheap(schema: Schema) -> bool:
    """Whether a reference would cost the engine as much."""
    return not isinstance(schema, dict) or (
        schema.keys() == {"type"} and isinstance(schema["type"], str) and schema["type"] in _CHEAP
    )


def _is_scalar(schema: Schema) -> bool:
    kinds = schema.get("type", "object") if isinstance(schema, dict) else "boolean"
    return not {"array", "object"} & ({kinds} if isinstance(kinds, str) else set(kinds))
