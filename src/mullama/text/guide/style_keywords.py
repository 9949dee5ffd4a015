"""Arguments as Python writes them: `key="value", flag=True`."""

from __future__ import annotations

from typing import Any

from mullama.text.constraint.grammar import Part, Repeat, Seq, Text, Words
from mullama.text.constraint.logic import Schema
from mullama.text.guide.schemas import Inexact, types
from mullama.text.guide.style import FREE_KEY, KEY, Styled


class Keywords(Styled):
    """`key="value", flag=True`."""

    def members(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        members = self.named(schema, given, path, lambda name: bool(KEY.fullmatch(name)))
        if not members and self.extra(schema) is not False:
            one: Part = Seq((FREE_KEY, Text("="), self.json(self.extra(schema))))
            some = Seq((one, Repeat(Seq((Text(", "), one)))))
            return some if schema.get("minProperties") else Repeat(some, 0, 1)
        parts = [
            (Seq((Text(f"{one.name}="), self._value(one.schema, path))), one.required)
            for one in members
        ]
        return self.separated(parts, Text(", "))

    def _value(self, schema: Schema, path: str) -> Part:
        try:
            found = self.flat.alternatives(schema)
        except Inexact:
            return self.json(schema)  # Python reads JSON's words, too
        options: list[Part] = []
        for one in found:
            admitted = types(one)
            if "enum" not in one and "type" in one and admitted & {"boolean", "null"}:
                words = ("True", "False") if "boolean" in admitted else ()
                options.append(Words((*words, *(("None",) if "null" in admitted else ()))))
                rest = sorted(admitted - {"boolean", "null"})
                if not rest:
                    continue
                one = {**one, "type": rest}
            options.append(self.json(one))
        return self.choice(options, path)
