"""Grammars as a tree of small parts, and how they are written for the engine.

    Seq((Markup('<tool_call>\\n{"name": "'), Text("add"), Text('", "arguments": '),
         Json('{"type": "object"}'), Markup("}\\n</tool_call>")))

Parts are plain, frozen data: equal grammars are equal, and cached as such. A JSON part carries its
schema as JSON text, which keeps the order of properties; they are written in that order.

The engine's language is a dialect of Lark with `%json {…}` inside. JSON is written on one line with
a space after each comma and colon, as in nearly all that models have read. A model that would write
`": "` and may not has only tokens left that it never saw there, and what it picks of them is noise.
With no choice of white space, punctuation and names are forced. A part may allow white space: then
the model lays it out, up to `MAX_SPACE` characters in a row, as a small one may never stop.
`\\uXXXX` escapes are never written: with them the engine could spell a property's name a second
way, and so escape its schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from mullama.errors import InvalidRequest
from mullama.text.constraint.logic import Schema
from mullama.text.constraint.regex import literal, translate
from mullama.text.constraint.regex_parse import RegexError
from mullama.text.constraint.schema import Lowered
from mullama.text.constraint.sharing import shared
from mullama.types import Token

MAX_SPACE = 40  # characters of white space in a row
ITEM_SEPARATOR, KEY_SEPARATOR = ", ", ": "


@dataclass(frozen=True, slots=True)
class Text:
    """Exactly these characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Words:
    """One of these texts, exactly. Far cheaper than a Choice of Texts where they are many."""

    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Markup:
    """These characters, but a special token where they name one."""

    text: str


@dataclass(frozen=True, slots=True)
class Regex:
    """Text that matches `pattern`, all of it."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Json:
    """JSON that satisfies `schema`, which is JSON text itself.

    `strict` refuses what can't be enforced; otherwise it is left out and listed. A schema
    that is `lowered` already is taken as it stands.
    """

    schema: str
    strict: bool = True
    whitespace: bool = False
    lowered: bool = False


@dataclass(frozen=True, slots=True)
class Until:
    """Any text up to the first `end`, and that."""

    end: str


@dataclass(frozen=True, slots=True)
class Bare:
    """Text without quotes up to the first `end`, and that, which may be a special token.

    The text does not have `mark`, the part of `end` that a reader knows it by, matches each of
    `patterns`, in the engine's dialect, and none of `never`; `low` to `high` characters (None: any
    number).
    """

    end: str
    mark: str
    patterns: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    low: int = 0
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """The part of this name among the `Rules` around it; so a grammar can be recursive."""

    name: str


@dataclass(frozen=True, slots=True)
class Rules:
    """A part, and the named parts that it refers to."""

    part: Part
    rules: tuple[tuple[str, Part], ...]


@dataclass(frozen=True, slots=True)
class Lark:
    """A whole grammar in the engine's language, as a client sent it; its `start` is meant."""

    source: str


@dataclass(frozen=True, slots=True)
class Seq:
    """One part after another."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the parts."""

    options: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """The part, `low` to `high` times (None: without end)."""

    part: Part
    low: int = 0
    high: int | None = None


Part = (
    Text | Words | Markup | Regex | Json | Until | Bare | Lark | Seq | Choice | Repeat | Ref | Rules
)


@dataclass(slots=True)
class Writer:
    """Writes one grammar.

    `split` finds the special tokens that a text names; `lower` gives a JSON part's schema. With
    `share` equal parts of a schema are written once, which the engine may refuse where one of them
    can't be satisfied.
    """

    split: Callable[[str], list[str | Token]]
    lower: Callable[[Json], Lowered]
    share: bool = True
    schemas: list[Lowered] = field(default_factory=list)  # that were written
    _rules: dict[Part, str] = field(default_factory=dict)  # equal parts share a rule
    _lines: list[str] = field(default_factory=list)
    _named: dict[str, str] = field(default_factory=dict)  # of the Rules around, to rules' names
    _n_named: int = 0

    def write(self, part: Part) -> str:
        """The whole grammar for `part`. Raises InvalidRequest, as `lower` does."""
        if isinstance(part, Lark):
            return self._embedded(part.source)
        start = self._write(part)
        return "\n".join(["%llguidance {}", f"start: {start}", *self._lines, ""])

    def _write(self, part: Part) -> str:
        match part:
            case Text(text):
                return quoted(text)
            case Markup(text):
                return " ".join(map(_piece, self.split(text))) or '""'
            case Seq(parts):
                return f"({' '.join(map(self._write, parts))})" if parts else '""'
            case Choice(options):
                return f"({' | '.join(map(self._write, options))})"
            case Repeat(_, _, 0):
                return '""'
            case Repeat(inner, low, high):
                return f"({self._write(inner)}){{{low},{'' if high is None else high}}}"
            case Lark():
                raise ValueError("a client's grammar is no part of another")
            case Ref(name):
                return self._named[name]
            case Rules():
                return self._scope(part)
        return self._rules.get(part) or self._rule(part)

    def _scope(self, part: Rules) -> str:
        """A part whose references mean the rules beside it."""
        outer = self._named
        self._named = dict(outer)
        for name, _ in part.rules:
            self._named[name] = f"n{self._n_named}"
            self._n_named += 1
        for name, inner in part.rules:
            self._lines.append(f"{self._named[name]}: {self._write(inner)}")
        written = self._write(part.part)
        self._named = outer
        return written

    def _rule(self, part: Words | Regex | Json | Until | Bare) -> str:
        n = len(self._rules)
        match part:
            case Bare():
                name, line = f"u{n}", self._bare(part, n)
            case Regex(pattern):
                name, line = f"R{n}", f"R{n}: {_terminal(pattern)}"
            case Words(texts):
                name, line = f"R{n}", f"R{n}: /{'|'.join(map(literal, texts))}/"
            case Json():
                name, line = f"j{n}", f"j{n}: %json {self._json(part)}"
            case Until(end):
                name, line = f"u{n}", f"u{n}[lazy]: U{n}\nU{n}: /(?s:.)*/ {quoted(end)}"
        self._rules[part] = name
        self._lines.append(line)
        return name

    def _bare(self, part: Bare, n: int) -> str:
        """A text's rule. A lexeme goes on as long as it can, so the end is a part of it."""
        length = f"{{{part.low},{'' if part.high is None else part.high}}}"
        wanted = [f"(?s:.{length})", *part.patterns]
        never = [f"(?s:.*{literal(part.mark)}.*)", *part.never]
        body = " & ".join([f"/{one}/" for one in wanted] + [f"~/{one}/" for one in never])
        pieces = self.split(part.end)
        if all(isinstance(piece, str) for piece in pieces):
            return f"u{n}[lazy]: U{n}\nU{n}: ({body}) {quoted(part.end)}"
        # No text runs into a special token.
        place = next(i for i, piece in enumerate(pieces) if not isinstance(piece, str))
        lead = "".join(piece for piece in pieces[:place] if isinstance(piece, str))
        rest = " ".join(map(_piece, pieces[place:]))
        if lead.strip():
            return f"u{n}: U{n} {rest}\nU{n}: ({body}) {quoted(lead)}"
        whole = body if part.low or part.patterns else f"({body}) & /(?s:.+)/"
        if lead[:1] == "\n":  # which a reader drops, and a model may leave out
            whole = f'({body}) "\\n" | ({whole}) & ~/(?s:.*\\n)/'
        if part.low or part.patterns:
            return f"u{n}: U{n} {rest}\nU{n}: {whole}"
        return f"u{n}: (U{n} {rest} | {rest})\nU{n}: {whole}"  # no lexeme is empty

    def _json(self, part: Json) -> str:
        lowered = self.lower(part)
        self.schemas.append(lowered)
        schema = shared(lowered.schema) if self.share else lowered.schema
        return schema_text(schema, whitespace=part.whitespace)

    def _embedded(self, source: str) -> str:
        """A client's grammar, with the schemas in it lowered as all others are."""
        if source.lstrip().startswith("{"):  # the engine would read it as JSON, with other rules
            raise InvalidRequest("The grammar is not Lark: it begins with '{'.")
        done, at = "", 0
        for mark in re.finditer(r"%json\s*", source):
            if mark.start() < at:
                continue  # within a schema's own strings
            try:
                schema, end = json.JSONDecoder().raw_decode(source, mark.end())
            except (ValueError, RecursionError) as error:
                raise InvalidRequest(
                    f"The grammar's %json is not followed by JSON: {error}."
                ) from None
            done += source[at : mark.end()] + self._json(Json(json.dumps(schema)))
            at = end
        return done + source[at:]


def quoted(text: str) -> str:
    """`text` as a literal of the engine's language."""
    return json.dumps(text, ensure_ascii=False)


def schema_text(schema: Schema, *, whitespace: bool) -> str:
    """A lowered schema as JSON text, with the engine's own options."""
    if not isinstance(schema, dict):
        schema = {"allOf": [schema]}
    options: dict[str, str | bool] = {
        "whitespace_flexible": whitespace,
        "json_allowed_escapes": 'nrbtf\\"',
    }
    if whitespace:
        options["whitespace_pattern"] = rf"[\x20\x0A\x0D\x09]{{1,{MAX_SPACE}}}"
    else:
        options |= {"item_separator": ITEM_SEPARATOR, "key_separator": KEY_SEPARATOR}
    return json.dumps({**schema, "x-guidance": options})


def _piece(part: str | Token) -> str:
    return quoted(part) if isinstance(part, str) else f"<[{part}]>"


def _terminal(pattern: str) -> str:
    try:
        found = translate(pattern, search=False)
    except RegexError as error:
        raise InvalidRequest(f"The regular expression can't be followed: {error}.") from None
    parts = [f"/{one}/" for one in found.must] + [f"~/{one}/" for one in found.must_not]
    return " & ".join(parts)
