"""What the styles of arguments share: one function's arguments, written out as a grammar.

A style says how an object is written (`members`) and what a value may look like. What is common is
here: which properties there are, in which order, with which separators between them; text and its
end; and what becomes of what a style can't say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text.constraint.grammar import (
    Bare,
    Choice,
    Json,
    Part,
    Ref,
    Regex,
    Repeat,
    Rules,
    Seq,
    Text,
)
from mullama.text.constraint.logic import Schema
from mullama.text.constraint.regex import literal
from mullama.text.guide.schemas import Flat, Inexact, patterns, types
from mullama.text.syntax import Arguments, first_mark
from mullama.text.toolcalls.kinds import item_schema, property_schema

SCALARS = ("number", "integer", "boolean", "null")
KEY = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)
FREE_KEY = Regex("[A-Za-z_][A-Za-z0-9_]{0,40}")
# Text that no reader takes for JSON, nor for Python's words.
_UNMISTAKABLE = "(?s:[A-Za-z_].*)"
_STRIPPED = r"(?s:(?:[^\s](?:.*[^\s])?)?)"
_WORDS = r"(?:true|false|null|True|False|None|NaN|Infinity)\s*"


class Unwritable(InvalidRequest):
    """A style has no way to write any value of a schema."""


@dataclass(frozen=True, slots=True)
class Member:
    """One property of an object: its lowered schema, and the schema as it was given."""

    name: str
    schema: Schema
    given: Any
    required: bool


@dataclass
class Styled:
    """Writes one function's arguments. `given` are its parameters as readers see them."""

    syntax: Arguments
    flat: Flat
    given: Mapping[str, Any]
    stop: str
    strict: bool
    loosened: list[str] = field(default_factory=list)
    rules: dict[str, Part] = field(default_factory=dict)

    def arguments(self, schema: Schema) -> Part:
        """All of them."""
        part = self.choice(
            [self.members(one, self.given, "$") for one in self.objects(schema, "$")], "$"
        )
        return Rules(part, tuple(self.rules.items())) if self.rules else part

    def members(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        """The properties of one object."""
        raise NotImplementedError

    # ------------------------------------------------------------------ what all styles share

    def objects(self, schema: Schema, path: str) -> list[dict[str, Any]]:
        """The ways in which a schema can be an object."""
        try:
            found = self.flat.alternatives(schema)
        except Inexact as error:
            self.cannot(path, str(error))
            found = [{"type": "object"}]
        return [one for one in found if "object" in types(one)]

    def choice(self, parts: Sequence[Part], path: str) -> Part:
        kept = list(dict.fromkeys(parts))
        if not kept:
            raise Unwritable(
                f"{path}: no value of this schema can be written in the way this model calls "
                "functions."
            )
        return kept[0] if len(kept) == 1 else Choice(tuple(kept))

    @contextmanager
    def may_fail(self, member: Member) -> Iterator[None]:
        """An optional property is left out where no value of it can be written."""
        try:
            yield
        except Unwritable:
            if member.required:
                raise

    def cannot(self, path: str, keyword: str) -> None:
        """Refuse what can't be enforced, or list it."""
        if self.strict:
            raise InvalidRequest(
                f"{path}: {keyword} can't be enforced in the way this model calls functions. Leave "
                "it out, or say it in another way."
            )
        self.loosened.append(f"{path}: {keyword}")

    def named(
        self, schema: dict[str, Any], given: Any, path: str, fits: Callable[[str], bool]
    ) -> list[Member]:
        """The properties that may be written, in order."""
        properties: dict[str, Schema] = dict(schema.get("properties", {}))
        extra = schema.get("additionalProperties", True)
        required = schema.get("required", [])
        for name in required:
            properties.setdefault(name, extra)
        found = []
        for name, one in properties.items():
            if one is False:
                continue
            if not fits(name):
                if name in required:
                    self.cannot(f"{path}.properties.{name}", "required")
                continue
            inner = property_schema(given, name, self.given)
            found.append(Member(name, one, inner, name in required))
        least = schema.get("minProperties", 0)
        if least > len(required) and (found or least > 1):
            self.cannot(path, "minProperties")
        most = schema.get("maxProperties")
        if most is not None and most < len(found):
            found = [*(one for one in found if one.required)][:most]
        return found

    def extra(self, schema: dict[str, Any]) -> Schema:
        """The schema of properties that are not named, where an object names none."""
        if schema.get("properties") or schema.get("required"):
            return False
        for one in schema.get("patternProperties", {}).values():
            if schema.get("additionalProperties", True) is False:
                return one  # type: ignore[no-any-return]
        found: Schema = schema.get("additionalProperties", True)
        return found

    def separated(self, members: Sequence[tuple[Part, bool]], comma: Part) -> Part:
        """Required and optional parts, with commas between those that are written."""
        if not any(required for _, required in members):
            options = [self._from(members, start, comma) for start in range(len(members))]
            return Choice((Text(""), *options)) if options else Text("")
        first = next(i for i, (_, required) in enumerate(members) if required)
        ordered = [members[first], *members[:first], *members[first + 1 :]]
        return self._from(ordered, 0, comma)

    def _from(self, members: Sequence[tuple[Part, bool]], start: int, comma: Part) -> Part:
        parts = [members[start][0]]
        for part, required in members[start + 1 :]:
            one = Seq((comma, part))
            parts.append(one if required else Repeat(one, 0, 1))
        return Seq(tuple(parts))

    def json(self, schema: Schema) -> Json:
        """A value as JSON."""
        return Json(json.dumps(self.flat.whole(schema)), lowered=True)

    def text(self, schema: dict[str, Any], end: str, *, unmistakable: bool = False) -> Part:
        """Bare text and its end."""
        wanted, never = patterns(schema), tuple[str, ...]()
        if unmistakable:
            wanted, never = (*wanted, _UNMISTAKABLE), (_WORDS,)
        mark, *others = self.marks(end)
        if not end.strip():
            wanted = (*wanted, _STRIPPED)
        if self.syntax.next:
            never = (*never, _beginning(self.syntax.next))
        return Bare(
            end,
            mark,
            wanted,
            (*never, *(f"(?s:.*{literal(other)}.*)" for other in others)),
            schema.get("minLength", 0),
            schema.get("maxLength"),
        )

    def marks(self, end: str) -> list[str]:
        """What no value may have in it, as a reader ends it there."""
        if end.strip():
            return [first_mark(end)]
        return ["\n", *filter(None, (first_mark(self.syntax.begin), first_mark(self.stop)))]

    def apart(self, schema: Schema, path: str) -> list[dict[str, Any]]:
        """The alternatives of a value; anything, where they can't be told apart."""
        try:
            return self.flat.alternatives(schema)
        except Inexact as error:
            self.cannot(path, str(error))
            return [{}]


def _beginning(mark: str) -> str:
    """A pattern of texts that have this mark; one that begins a line may begin the text, too."""
    before = r"(?:.*\n)?" if mark[0] == "\n" else ".*"
    return f"(?s:{before}{literal(mark.lstrip())}.*)"


class Recursive(Styled):
    """Styles in which objects and lists are written as arguments are."""

    def value(self, schema: Schema, given: Any, path: str, key: str) -> Part:
        """A value of which `given` says what readers take it for; `key` names its element."""
        if isinstance(schema, dict) and schema.keys() == {"$ref"}:
            return self._referred(schema["$ref"], given, path, key)
        options: list[Part] = []
        for one in self.apart(schema, path):
            options += self.options(one, given, path, key)
        return self.choice(options, path)

    def _referred(self, ref: str, given: Any, path: str, key: str) -> Part:
        name = f"{ref} {key}" if self.keyed else ref
        if name not in self.rules:
            self.rules[name] = Text("")  # while it is being written, and may refer to itself
            self.rules[name] = self.value(self.flat.target(ref), given, path, key)
        return Ref(name)

    keyed = False  # whether what a value is written as depends on its key

    def options(self, schema: dict[str, Any], given: Any, path: str, key: str) -> list[Part]:
        """The ways to write one alternative."""
        raise NotImplementedError

    def item(self, schema: dict[str, Any], given: Any, path: str, key: str) -> Part:
        """An item of a list."""
        inner = item_schema(given, self.given)
        return self.value(schema.get("items", True), inner, f"{path}.items", key)

    def sizes(self, schema: dict[str, Any], path: str) -> tuple[int, int | None]:
        """How many items a list has."""
        if "prefixItems" in schema:
            self.cannot(path, "prefixItems")
        return schema.get("minItems", 0), schema.get("maxItems")


def json_text(value: Any) -> str:
    """A value as readers compare it."""
    return json.dumps(value, ensure_ascii=False)
