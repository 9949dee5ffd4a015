"""Arguments as elements within elements: `<key>value</key>`."""

from __future__ import annotations

from typing import Any

from mullama.text.constraint.grammar import Markup, Part, Repeat, Seq, Text, Words
from mullama.text.constraint.logic import Schema
from mullama.text.guide.schemas import types
from mullama.text.guide.style import KEY, SCALARS, Recursive, json_text
from mullama.text.syntax import first_mark
from mullama.text.toolcalls.kinds import ALL, item_schema, json_of, kinds


class Nested(Recursive):
    """`<key>value</key>`, an item of a list as an element of its own."""

    keyed = True

    def members(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        return self._elements(schema, given, path, least=0)

    def _elements(self, schema: dict[str, Any], given: Any, path: str, least: int) -> Part:
        """An object's elements; with `least` 1 it must have some, as none would be read as text."""
        members = self.named(schema, given, path, lambda name: bool(KEY.fullmatch(name)))
        # A key that is made up would have to be repeated in the closing tag, which no grammar says.
        parts: list[Part] = []
        for member in members:
            place = f"{path}.properties.{member.name}"
            with self.may_fail(member):
                part = self._element(member.name, member.schema, member.given, place)
                parts.append(part if member.required else Repeat(part, 0, 1))
        if not least or any(member.required for member in members):
            return Seq(tuple(parts))
        starts = [
            Seq((part.part if isinstance(part, Repeat) else part, *parts[i + 1 :]))
            for i, part in enumerate(parts)
        ]
        return self.choice(starts, path)

    def _element(self, key: str, schema: Schema, given: Any, path: str) -> Part:
        opening = Seq((Markup(self.syntax.begin), Text(key), Markup(self.syntax.key_end)))
        return Seq((opening, self.value(schema, given, path, key)))

    def options(self, schema: dict[str, Any], given: Any, path: str, key: str) -> list[Part]:
        closing = self.syntax.end + key + self.syntax.key_end
        allowed = kinds(given, self.given)
        if "enum" in schema:
            bare = [
                value if isinstance(value, str) else json_text(value) for value in schema["enum"]
            ]
            fits = [
                text
                for text, value in zip(bare, schema["enum"], strict=True)
                if first_mark(closing) not in text and self._read(text, allowed) == json_text(value)
            ]
            return [Seq((Words(tuple(fits)), Markup(closing)))] if fits else []
        if "type" not in schema or ("string" in types(schema) and "string" in allowed):
            return [self.text(schema, closing)] if "type" in schema or allowed == ALL else []
        if "string" in allowed and allowed != ALL:
            return []  # it would be read as text
        found: list[Part] = []
        admitted = types(schema)
        if rest := sorted(admitted & set(SCALARS)):
            found.append(Seq((self.json({**schema, "type": rest}), Markup(closing))))
        if "array" in admitted:
            low, high = self.sizes(schema, path)
            inner = item_schema(given, self.given)
            item = self._element(
                self.syntax.item, schema.get("items", True), inner, f"{path}.items"
            )
            found.append(Seq((Repeat(item, max(low, 1), high), Markup(closing))))
        if "object" in admitted:
            found.append(Seq((self._elements(schema, given, path, 1), Markup(closing))))
        return found

    def _read(self, text: str, allowed: frozenset[str]) -> str:
        return json_text(text) if allowed != ALL and "string" in allowed else json_of(text, allowed)
