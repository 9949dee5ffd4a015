"""Arguments between braces, texts between marks: `{key:<quote>value<quote>,count:3}`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from mullama.text.constraint.grammar import Choice, Json, Markup, Part, Ref, Repeat, Seq, Text
from mullama.text.guide.schemas import types
from mullama.text.guide.style import FREE_KEY, SCALARS, Recursive, json_text

_BRACED_KEY = re.compile(r"""[^\s,:{}\[\]()"'<][^,:{}\[\]()"'<\s]*""")
_ANY = "any"  # the rule of a value of which nothing is said


class Braced(Recursive):
    """`{key:<quote>value<quote>,count:3}`."""

    def members(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        members = self.named(schema, given, path, lambda key: bool(_BRACED_KEY.fullmatch(key)))
        if not members and self.extra(schema) is not False:
            free = self.value(self.extra(schema), None, path, "")
            one: Part = Seq((FREE_KEY, Text(":"), free))
            some: Part = Seq((one, Repeat(Seq((Text(","), one)))))
            some = some if schema.get("minProperties") else Repeat(some, 0, 1)
            return Seq((Text("{"), some, Text("}")))
        parts = []
        for member in members:
            place = f"{path}.properties.{member.name}"
            with self.may_fail(member):
                value = self.value(member.schema, member.given, place, "")
                parts.append((Seq((Text(f"{member.name}:"), value)), member.required))
        return Seq((Text("{"), self.separated(parts, Text(",")), Text("}")))

    def options(self, schema: dict[str, Any], given: Any, path: str, key: str) -> list[Part]:
        if "enum" in schema:
            return [Choice(tuple(self._constant(value) for value in schema["enum"]))]
        if "type" not in schema:
            return [self._any()]
        found: list[Part] = []
        admitted = types(schema)
        if "string" in admitted:
            found.append(self._string(schema))
        if rest := sorted(admitted & set(SCALARS)):
            found.append(self.json({**schema, "type": rest}))
        if "array" in admitted:
            found.append(self._list(schema, given, path))
        if "object" in admitted:
            found.append(self.members(schema, given, path))
        return found

    def _string(self, schema: dict[str, Any]) -> Part:
        quote = self.syntax.quote
        return Seq((Markup(quote), self.text(schema, quote)))

    def _list(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        low, high = self.sizes(schema, path)
        item = self.item(schema, given, path, "")
        return Seq((Text("["), _listed(item, Text(","), low, high), Text("]")))

    def _any(self) -> Part:
        if _ANY not in self.rules:
            self.rules[_ANY] = Text("")
            value = Ref(_ANY)
            member = Seq((FREE_KEY, Text(":"), value))
            self.rules[_ANY] = Choice(
                (
                    self._string({}),
                    Json(json.dumps({"type": list(SCALARS)}), lowered=True),
                    Seq((Text("["), _listed(value, Text(","), 0, None), Text("]"))),
                    Seq((Text("{"), _listed(member, Text(","), 0, None), Text("}"))),
                )
            )
        return Ref(_ANY)

    def _constant(self, value: Any) -> Part:
        quote = Markup(self.syntax.quote)
        match value:
            case str():
                return Seq((quote, Text(value), quote))
            case dict():
                inner = [Seq((Text(f"{key}:"), self._constant(one))) for key, one in value.items()]
                return Seq((Text("{"), _joined(inner, Text(",")), Text("}")))
            case list():
                return Seq(
                    (Text("["), _joined(list(map(self._constant, value)), Text(",")), Text("]"))
                )
        return Text(json_text(value))


def _listed(item: Part, comma: Part, low: int, high: int | None) -> Part:
    """`low` to `high` items with commas between them."""
    if high == 0:
        return Text("")
    more = Repeat(Seq((comma, item)), max(0, low - 1), None if high is None else high - 1)
    some = Seq((item, more))
    return some if low else Repeat(some, 0, 1)


def _joined(parts: Sequence[Part], comma: Part) -> Part:
    return Seq(tuple(one for part in parts for one in (comma, part))[1:])
