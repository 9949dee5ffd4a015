"""Arguments between tags: `<parameter=key>value</parameter>`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mullama.text.constraint.grammar import Json, Markup, Part, Repeat, Seq, Text, Words
from mullama.text.constraint.logic import Schema
from mullama.text.guide.schemas import types
from mullama.text.guide.style import FREE_KEY, Styled, json_text
from mullama.text.guide.without import without
from mullama.text.syntax import TYPE, first_mark
from mullama.text.toolcalls.kinds import ALL, json_of, kinds


class Tagged(Styled):
    """`<parameter=key>value</parameter>`, text bare and everything else JSON."""

    def members(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        members = self.named(schema, given, path, self._fits)
        if not members and self.extra(schema) is not False:
            free = self._value(self.extra(schema), None, path)
            one = Seq((Markup(self.syntax.begin), FREE_KEY, free))
            return Repeat(one, schema.get("minProperties", 0))
        parts: list[Part] = []
        for member in members:
            place = f"{path}.properties.{member.name}"
            with self.may_fail(member):
                value = self._value(member.schema, member.given, place)
                part = Seq((Markup(self.syntax.begin), Text(member.name), value))
                parts.append(part if member.required else Repeat(part, 0, 1))
        return Seq(tuple(parts))

    def _fits(self, name: str) -> bool:
        return bool(name) and name == name.strip() and first_mark(self.syntax.key_end) not in name

    def _value(self, schema: Schema, given: Any, path: str) -> Part:
        """What follows the key."""
        syntax = self.syntax
        allowed = kinds(given, self.given)
        explicit = bool(syntax.key_end_json)
        only_text = explicit or allowed == {"string"}
        key_end = Markup(syntax.key_end)
        options: list[Part] = []
        for one in self.apart(schema, path):
            if "enum" in one:
                options += self._constants(one["enum"], allowed, explicit=explicit)
                continue
            admitted = types(one) if "type" in one else ALL
            if "type" not in one and not explicit:  # it is read as whatever it looks like
                options.append(Seq((key_end, self.text({}, syntax.end))))
                continue
            if "string" in admitted and "string" in (allowed if not explicit else ALL):
                text = self.text(one, syntax.end, unmistakable=not only_text)
                options.append(Seq((key_end, text)))
            rest = sorted(admitted - {"string"} - ({"integer"} if "number" in admitted else set()))
            if rest and (explicit or allowed != {"string"}):
                options += self._json(one, rest)
        return self.choice(options, path)

    def _json(self, schema: dict[str, Any], admitted: list[str]) -> Iterator[Part]:
        """Values of these types, each behind the end of the key that it has."""
        end = self.syntax.key_end_json or self.syntax.key_end
        for named in [[kind] for kind in admitted] if TYPE in end else [admitted]:
            value = self.flat.whole({**schema, "type": named})
            for mark in self.marks(self.syntax.end):
                value = without(value, mark)
            kind = self.syntax.integer if named == ["integer"] else named[0]
            part = Json(json.dumps(value), lowered=True)
            yield Seq((Markup(end.replace(TYPE, kind)), part, Markup(self.syntax.end)))

    def _constants(
        self, values: Sequence[Any], allowed: frozenset[str], *, explicit: bool
    ) -> list[Part]:
        """The values that are read as what they are."""
        syntax, marks = self.syntax, self.marks(self.syntax.end)
        texts: list[str] = []
        others: dict[str, list[str]] = {}  # by the end of their key
        for value in values:
            bare = value if isinstance(value, str) else json_text(value)
            if (
                any(mark in bare for mark in marks)
                or (syntax.next and syntax.next in f"\n{bare}")
                or (isinstance(value, str) and syntax.key_end[-1:] == "\n" == bare[:1])
            ):
                continue
            if explicit:
                kept = (
                    texts if isinstance(value, str) else others.setdefault(syntax.before(value), [])
                )
                kept.append(bare)
            elif json_of(bare, allowed) == json_text(value):
                texts.append(bare)
        end = Markup(syntax.end)
        found: list[Part] = []
        if texts:
            found.append(Seq((Markup(syntax.key_end), Words(tuple(texts)), end)))
        found += [Seq((Markup(before), Words(tuple(some)), end)) for before, some in others.items()]
        return found
