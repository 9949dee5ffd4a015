"""A function's parameters -> the grammar of a call's arguments, in each style that models have.

In JSON the engine holds them to the schema itself. The other styles are written out here, from the
lowered schema: properties in the order of the schema, optional ones left out or written. Each value
must be *read* as what the schema wants, and readers tell text from JSON by the schema alone
(`toolcalls.kinds`). So where both are possible, text is narrowed to what can't be taken for JSON.

What a style can't say exactly is narrowed; what can't be narrowed is refused with its path where
the function is strict, else left out and listed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text.constraint.compiler import checked
from mullama.text.constraint.grammar import (
    Bare,
    Choice,
    Json,
    Markup,
    Part,
    Ref,
    Regex,
    Repeat,
    Rules,
    Seq,
    Text,
    Words,
)
from mullama.text.constraint.logic import Schema
from mullama.text.constraint.regex import literal
from mullama.text.guide.schemas import Flat, Inexact, narrowed, patterns, types
from mullama.text.guide.without import without
from mullama.text.syntax import Arguments, Style, first_mark
from mullama.text.toolcalls.kinds import ALL, item_schema, json_of, kinds, property_schema

_SCALARS = ("number", "integer", "boolean", "null")
_KEY = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)
_FREE_KEY = Regex("[A-Za-z_][A-Za-z0-9_]{0,40}")
_BRACED_KEY = re.compile(r"""[^\s,:{}\[\]()"'<][^,:{}\[\]()"'<\s]*""")
# Text that no reader takes for JSON, nor for Python's words.
_UNMISTAKABLE = "(?s:[A-Za-z_].*)"
_STRIPPED = r"(?s:(?:[^\s](?:.*[^\s])?)?)"
_WORDS = r"(?:true|false|null|True|False|None|NaN|Infinity)\s*"
_ANY = "any"  # the rule of a value of which nothing is said


class Unwritable(InvalidRequest):
    """A style has no way to write any value of a schema."""


@dataclass(frozen=True, slots=True)
class Written:
    """Arguments as a grammar; `loosened` lists what it does not enforce: "$.path: keyword"."""

    part: Part
    loosened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Member:
    """One property of an object: its lowered schema, and the schema as it was given."""

    name: str
    schema: Schema
    given: Any
    required: bool


def written(
    syntax: Arguments, parameters: Mapping[str, Any] | None, stop: str = "", *, strict: bool
) -> Written:
    """The arguments of a function with these parameters; `stop` is the text behind them.

    Raises InvalidRequest for what is no schema, for parameters that are no object, and if `strict`
    for what can't be enforced.
    """
    schema = narrowed(parameters)
    found = checked(Json(json.dumps(schema), strict))
    if not isinstance(found.schema, dict) or schema.get("type") != "object":
        raise InvalidRequest("$: the parameters must describe an object that can exist.")
    if syntax.style is Style.JSON:
        text = json.dumps(found.schema)
        return Written(Json(text, lowered=True), found.loosened)
    style = _STYLES[syntax.style](syntax, Flat(found.schema), parameters or {}, stop, strict)
    part = style.arguments(found.schema)
    return Written(part, (*found.loosened, *dict.fromkeys(style.loosened)))


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


class Keywords(Styled):
    """`key="value", flag=True`."""

    def members(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        members = self.named(schema, given, path, lambda name: bool(_KEY.fullmatch(name)))
        if not members and self.extra(schema) is not False:
            one: Part = Seq((_FREE_KEY, Text("="), self.json(self.extra(schema))))
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


class Tagged(Styled):
    """`<parameter=key>value</parameter>`, text bare and everything else JSON."""

    def members(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        members = self.named(schema, given, path, self._fits)
        if not members and self.extra(schema) is not False:
            free = self._value(self.extra(schema), None, path)
            one = Seq((Markup(self.syntax.begin), _FREE_KEY, free))
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
        json_end = Markup(syntax.key_end_json or syntax.key_end)
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
                value = self.flat.whole({**one, "type": rest})
                for mark in self.marks(syntax.end):
                    value = without(value, mark)
                part = Json(json.dumps(value), lowered=True)
                options.append(Seq((json_end, part, Markup(syntax.end))))
        return self.choice(options, path)

    def _constants(
        self, values: Sequence[Any], allowed: frozenset[str], *, explicit: bool
    ) -> list[Part]:
        """The values that are read as what they are."""
        syntax, marks = self.syntax, self.marks(self.syntax.end)
        texts: list[str] = []
        others: list[str] = []
        for value in values:
            bare = value if isinstance(value, str) else _json(value)
            if any(mark in bare for mark in marks) or (
                isinstance(value, str) and syntax.key_end.endswith("\n") and bare[:1] == "\n"
            ):
                continue
            if explicit:
                (texts if isinstance(value, str) else others).append(bare)
            elif json_of(bare, allowed) == _json(value):
                texts.append(bare)
        end = Markup(syntax.end)
        found: list[Part] = []
        if texts:
            found.append(Seq((Markup(syntax.key_end), Words(tuple(texts)), end)))
        if others:
            found.append(Seq((Markup(syntax.key_end_json), Words(tuple(others)), end)))
        return found


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


class Braced(Recursive):
    """`{key:<quote>value<quote>,count:3}`."""

    def members(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        members = self.named(schema, given, path, lambda key: bool(_BRACED_KEY.fullmatch(key)))
        if not members and self.extra(schema) is not False:
            free = self.value(self.extra(schema), None, path, "")
            one: Part = Seq((_FREE_KEY, Text(":"), free))
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
        if rest := sorted(admitted & set(_SCALARS)):
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
            member = Seq((_FREE_KEY, Text(":"), value))
            self.rules[_ANY] = Choice(
                (
                    self._string({}),
                    Json(json.dumps({"type": list(_SCALARS)}), lowered=True),
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
        return Text(_json(value))


class Nested(Recursive):
    """`<key>value</key>`, an item of a list as an element of its own."""

    keyed = True

    def members(self, schema: dict[str, Any], given: Any, path: str) -> Part:
        return self._elements(schema, given, path, least=0)

    def _elements(self, schema: dict[str, Any], given: Any, path: str, least: int) -> Part:
        """An object's elements; with `least` 1 it must have some, as none would be read as text."""
        members = self.named(schema, given, path, lambda name: bool(_KEY.fullmatch(name)))
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
            bare = [value if isinstance(value, str) else _json(value) for value in schema["enum"]]
            fits = [
                text
                for text, value in zip(bare, schema["enum"], strict=True)
                if first_mark(closing) not in text and self._read(text, allowed) == _json(value)
            ]
            return [Seq((Words(tuple(fits)), Markup(closing)))] if fits else []
        if "type" not in schema or ("string" in types(schema) and "string" in allowed):
            return [self.text(schema, closing)] if "type" in schema or allowed == ALL else []
        if "string" in allowed and allowed != ALL:
            return []  # it would be read as text
        found: list[Part] = []
        admitted = types(schema)
        if rest := sorted(admitted & set(_SCALARS)):
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
        return _json(text) if allowed != ALL and "string" in allowed else json_of(text, allowed)


def _listed(item: Part, comma: Part, low: int, high: int | None) -> Part:
    """`low` to `high` items with commas between them."""
    if high == 0:
        return Text("")
    more = Repeat(Seq((comma, item)), max(0, low - 1), None if high is None else high - 1)
    some = Seq((item, more))
    return some if low else Repeat(some, 0, 1)


def _joined(parts: Sequence[Part], comma: Part) -> Part:
    return Seq(tuple(one for part in parts for one in (comma, part))[1:])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_STYLES: dict[Style, type[Styled]] = {
    Style.KEYWORDS: Keywords,
    Style.TAGGED: Tagged,
    Style.BRACED: Braced,
    Style.NESTED: Nested,
}
