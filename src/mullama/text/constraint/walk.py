"""The walk over a schema document: place, limits, references, and what is made of each schema.

What each keyword becomes is said in `keywords_*`, as handlers `(walk, node, made, place)`: `node`
is the schema as given, `made` what it has been lowered to so far. A handler raises Unsupported
where its keyword can't be enforced.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text.constraint.document import Document, UnknownReference
from mullama.text.constraint.logic import INEXACT, TYPES, Logic, Schema, both, types_of

MAX_DEPTH = 32  # schemas within schemas; the engine's JSON reader ends at 128 braces
MAX_SCHEMAS = 20_000
MAX_VALUES = 50_000  # of all enums together
MAX_SIZE = 100_000  # minItems, maxLength and their like
MAX_LOGIC = 50_000  # schemas looked at for complements and disjointness
_STRUCTURED = 50  # enum values that a list or an object counts as
_LONG_PATTERN = 100  # characters


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the document: the JSON path for people, the base URI, how deep."""

    path: str
    base: str = ""
    depth: int = 0

    def at(self, *words: str | int) -> Place:
        """The place one level below, along these keywords, names or numbers."""
        path = self.path
        for word in words:
            if isinstance(word, int):
                path += f"[{word}]"
            else:
                path += f".{word}" if word.isidentifier() else f"[{word!r}]"
        return Place(path, self.base, self.depth + 1)


class Unsupported(Exception):
    """A keyword can't be enforced; the message says why, if that is not plain."""


@dataclass(slots=True)
class Made:
    """What a schema has been lowered to so far: its own keywords, and further schemas to hold."""

    plain: dict[str, Any] = field(default_factory=dict)
    parts: list[Schema] = field(default_factory=list)

    def schema(self) -> Schema:
        """All of it, as one schema."""
        # Keywords first: the engine merges from left to right, and keeps that order of properties.
        found = both([self.plain, *self.parts])
        # Of "never" the opposite is "always", so it must carry the mark, too.
        return {"enum": [], INEXACT: True} if found is False and INEXACT in self.plain else found

    def inexact(self) -> None:
        """This is not quite what was meant, so nothing follows from what it excludes."""
        self.plain[INEXACT] = True

    @property
    def types(self) -> frozenset[str]:
        """The types that its own `type` admits."""
        return types_of(self.plain)


# Keywords that only some drafts have: readers of others pass them over.
_NEW = frozenset(
    {"prefixItems", "dependentRequired", "dependentSchemas"}
    | {"unevaluatedItems", "unevaluatedProperties"}
)
_OLD = frozenset({"dependencies", "additionalItems"})

Handler = Callable[["Walk", dict[str, Any], Made, Place], None]
Tables = Iterable[tuple[frozenset[str], Mapping[str, Handler]]]  # the types that they speak of


@dataclass(slots=True)
class Walk:
    """Lowers one document. `tables` has every keyword that asserts something, in order."""

    document: Document
    tables: Tables
    strict: bool
    param: str | None
    definitions: dict[str, Schema] = field(default_factory=dict)  # by name in $defs
    loosened: list[str] = field(default_factory=list)
    divisors: set[Decimal] = field(default_factory=set)
    logic: Logic = field(init=False)
    is_old: bool = field(init=False)  # by its own word of a draft before 2019-09
    _names: dict[str, str] = field(default_factory=dict)  # absolute URI -> name in $defs
    _pending: dict[str, tuple[Any, Place]] = field(default_factory=dict)
    _given: dict[str, Any] = field(default_factory=dict)  # what a name in $defs was, as sent
    _requiring: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)
    _patterns: dict[str, str] = field(default_factory=dict)  # schema -> name in $defs
    _foreign: frozenset[str] = frozenset()
    _n_schemas: int = 0
    _n_values: int = 0

    def __post_init__(self) -> None:
        self.logic = Logic(self.resolve, self._sketch, MAX_LOGIC)
        self.is_old = self.document.is_old
        self._foreign = _NEW if self.is_old else _OLD

    def schema(self, node: Any, place: Place) -> Schema:
        """The lowered form of one schema and all below it."""
        if isinstance(node, bool):
            return node
        if not isinstance(node, dict):
            raise self.wrong(f"The schema at {place.path} is neither an object nor a boolean.")
        self._n_schemas += 1
        if place.depth > MAX_DEPTH or self._n_schemas > MAX_SCHEMAS:
            raise self.wrong(
                f"The schema is too large, at {place.path}: the most is {MAX_DEPTH} levels and "
                f"{MAX_SCHEMAS} subschemas."
            )
        base = self.document.base_of(node, place.base)
        if base != place.base:
            place = replace(place, base=base)
        if self.is_old and "$ref" in node and len(node) > 1:
            return self._beside(node, place)
        made = Made()
        self._read_type(node, made, place)
        admitted = made.types
        for types, table in self.tables:
            if admitted & types:
                self._read(table, node, made, place)
        return self._shared(made.schema())

    def _beside(self, node: dict[str, Any], place: Place) -> Schema:
        """A reference with siblings, which older drafts ignore. They hold, and nothing follows."""
        # Without an $id, which the document has counted where it counts.
        beside = {key: node[key] for key in node if key not in ("$ref", "$id", "id")}
        others = self.schema(beside, place)
        marked = True if others is True else {"allOf": [others], INEXACT: True}
        return both([self.schema({"$ref": node["$ref"]}, place), marked])

    def finish(self) -> None:
        """Lower every schema that a reference has asked for."""
        while self._pending:
            self.resolve(next(iter(self._pending)))
        for (target, names), name in self._requiring.items():
            self.definitions[name] = with_required(self.definitions[target], names)

    def refer(self, ref: Any, place: Place) -> str:
        """The reference to write for `ref`, whose target will be lowered."""
        if not isinstance(ref, str):
            raise Unsupported("it must be a string")
        try:
            uri, node, base = self.document.resolve(ref, place.base)
        except UnknownReference as error:
            raise Unsupported(str(error)) from None
        if uri not in self._names:
            name = self._names[uri] = f"#/$defs/d{len(self._names)}"
            words = uri.partition("#")[2].split("/")
            self._pending[name] = (node, Place("$", base).at(*filter(None, words)))
            self._given[name] = node
        return self._names[uri]

    def resolve(self, name: str) -> Schema | None:
        """The lowered target of a reference that `refer` made; None while it is being lowered."""
        if name in self._pending:
            node, place = self._pending.pop(name)
            self.definitions[name.removeprefix("#/$defs/")] = self.schema(
                node, replace(place, depth=0)
            )
        return self.definitions.get(name.removeprefix("#/$defs/"))

    def require(self, schema: Schema, names: list[str]) -> Schema:
        """An object that `schema` admits and that has these properties."""
        if not isinstance(schema, dict) or schema.keys() != {"$ref"}:
            return with_required(schema, names)
        # A reference with others beside it would be merged, which can't be done in a circle.
        target = schema["$ref"].removeprefix("#/$defs/")
        name = self._requiring.setdefault((target, tuple(names)), f"r{len(self._requiring)}")
        return {"$ref": f"#/$defs/{name}"}

    def count_values(self, values: list[Any]) -> None:
        """More values of enums; lists and objects cost the engine far more than others."""
        for value in values:
            self._n_values += 1 if not isinstance(value, list | dict) else _STRUCTURED
        if self._n_values > MAX_VALUES:
            raise self.wrong(
                f"The schema has more than {MAX_VALUES} enum values, of which a list or an object "
                f"counts as {_STRUCTURED}."
            )

    def _sketch(self, name: str) -> Schema:
        """Some of what the target of a reference asks for, while it is being lowered."""
        return sketch(self._given.get(name, True))

    def _shared(self, schema: Schema) -> Schema:
        """A reference, if `schema` is a long pattern: then the engine compiles it once."""
        if not isinstance(schema, dict) or not schema.keys() <= {"type", "pattern", INEXACT}:
            return schema
        pattern = schema.get("pattern", "")
        if len(pattern) < _LONG_PATTERN:
            return schema
        name = self._patterns.setdefault(json.dumps(schema), f"p{len(self._patterns)}")
        self.definitions[name] = schema
        return {"$ref": f"#/$defs/{name}"}

    def wrong(self, message: str) -> InvalidRequest:
        """An error about this schema, to be raised."""
        return InvalidRequest(message, param=self.param)

    def _read_type(self, node: dict[str, Any], made: Made, place: Place) -> None:
        if "type" not in node:
            return
        with self._keyword("type", made, place):
            given = node["type"]
            types = [given] if isinstance(given, str) else given
            if not isinstance(types, list) or not {*map(str, types)} <= {*TYPES}:
                raise Unsupported(f"a type is one of {', '.join(TYPES)}")
            if not types:
                raise Unsupported("it is empty")
            made.plain["type"] = types[0] if len(types) == 1 else types

    def _read(
        self, table: Mapping[str, Handler], node: dict[str, Any], made: Made, place: Place
    ) -> None:
        for keyword, handle in table.items():
            if keyword in node:
                with self._keyword(keyword, made, place):
                    handle(self, node, made, place)
                    if keyword in self._foreign:
                        made.inexact()

    @contextmanager
    def _keyword(self, keyword: str, made: Made, place: Place) -> Iterator[None]:
        """Within it, Unsupported means this keyword: refused, or left out and listed."""
        try:
            yield
        except Unsupported as why:
            if self.strict:
                raise self.wrong(
                    f"The schema's {keyword!r} at {place.path} can't be enforced"
                    f"{f': {why}' if str(why) else ''}. Leave it out, or say it in another way."
                ) from None
            made.inexact()
            self.loosened.append(f"{place.path}: {keyword}")


def with_required(schema: Schema, names: Iterable[str]) -> Schema:
    """The objects that `schema` admits and that have these properties."""
    wanted = {"type": "object", "required": [*names]}
    if not isinstance(schema, dict) or schema.keys() & {"$ref", "anyOf", "enum"}:
        return both([schema, wanted])
    if "object" not in types_of(schema):
        return False
    required = [*schema.get("required", ()), *wanted["required"]]
    return {**schema, "type": "object", "required": list(dict.fromkeys(required))}


def sketch(node: Any, depth: int = 2) -> Schema:
    """A lowered schema that asks for no more than `node`: types, constants, objects of them."""
    if not isinstance(node, dict) or not depth or "$ref" in node:
        return node if isinstance(node, bool) else True
    made: dict[str, Any] = {}
    given = node.get("type")
    types = given if isinstance(given, list) else [given]
    if types and all(isinstance(one, str) and one in TYPES for one in types):
        made["type"] = given
    if isinstance(node.get("enum"), list):
        made["enum"] = node["enum"]
    if "const" in node:
        made["enum"] = [node["const"]]
    if isinstance(node.get("properties"), dict):
        inner = node["properties"].items()
        made["properties"] = {name: sketch(one, depth - 1) for name, one in inner}
    required = node.get("required")
    if isinstance(required, list) and all(isinstance(name, str) for name in required):
        made["required"] = required
    return made


# ----------------------------------------------------------------------------- values of keywords


def number(value: Any) -> int | float:
    """A finite number; integers may have any number of digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unsupported("it must be a number")
    if isinstance(value, float) and not math.isfinite(value):
        raise Unsupported("it must be finite")
    return value


def size(value: Any) -> int:
    """A count of something: 3 or 3.0."""
    count = number(value)
    if count != int(count) or count < 0:
        raise Unsupported("it must be a whole number, not negative")
    return int(count)


def strings(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Unsupported("it must be a list of strings")
    return value


def schemas(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise Unsupported("it must be a list of schemas, not empty")
    return value


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unsupported("it must be an object")
    return value


def least(keyword: str) -> Handler:
    """A lower bound of a size."""

    def handle(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
        count = size(node[keyword])
        if count > MAX_SIZE:
            raise Unsupported(f"the most is {MAX_SIZE}")
        made.plain[keyword] = count

    return handle


def most(keyword: str) -> Handler:
    """An upper bound of a size; nobody writes more than MAX_SIZE anyway."""

    def handle(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
        count = size(node[keyword])
        made.plain[keyword] = min(count, MAX_SIZE)
        if count > MAX_SIZE:
            made.inexact()

    return handle
