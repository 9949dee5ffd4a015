"""Constraints -> compiled grammars, made once and kept.

A compiled grammar is a matcher that has not moved; each answer gets a copy of it (some 10 µs). They
are kept by content, the least recently used go first, bounded by their number and by the size of
what they were written from. What was not enforced (`loosened`) is kept with them.

Compiling is bounded: sources by their size, schemas by `schema`'s limits, and the engine by its own
(`_limits`): what is beyond is refused with InvalidRequest in well under a second. A schema that is
not strict is never refused: if the engine can't take it, only its type is enforced, and "$" is
listed.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from llguidance import LLMatcher, LLParserLimits

from mullama.errors import InvalidRequest
from mullama.text.constraint import deep
from mullama.text.constraint.gbnf import to_grammar
from mullama.text.constraint.grammar import Json, Lark, Part, Regex, Words, Writer, schema_text
from mullama.text.constraint.lazy import Lazy, Template
from mullama.text.constraint.logic import TYPES, Schema
from mullama.text.constraint.matcher import Follower, brief
from mullama.text.constraint.numbers import JsonFollower
from mullama.text.constraint.schema import Lowered, lower
from mullama.text.constraint.tokens import Tokens
from mullama.types import Constraint, ConstraintKind, Vocab

MAX_SOURCE = 1 << 20  # characters of a constraint
MAX_LARK = 200_000
MAX_GRAMMAR = 8 << 20  # characters of what the engine is given
_PLACE = re.compile(r"^(?:at )?(\d+)\((\d+)\): ")  # as the engine writes it
_NOTHING = "NoExtension"  # the engine's word for a text that can't go on
_LONG = 1_000  # tokens in a row without a choice
_MAX_TRIES = 100  # parts of a schema that are tried to find the one that is wrong


@dataclass(frozen=True, slots=True)
class Compiled:
    """A grammar ready to be followed. `loosened` lists what it does not enforce; with `json` it
    has JSON in it."""

    tokens: Tokens
    engine: LLMatcher
    loosened: tuple[str, ...]
    size: int
    json: bool = False
    _begins: dict[bytes, bool] = field(default_factory=dict)

    def matcher(self) -> Follower:
        """A matcher at the beginning."""
        kind = JsonFollower if self.json else Follower
        return kind(self.tokens, self.engine.deep_copy())

    def begins(self, data: bytes) -> bool:
        """Whether it can begin with `data`, the rest of a token; each is tried once."""
        if data not in self._begins:
            self._begins[data] = self.matcher().begin(data)
        return self._begins[data]


class Compiler:
    """Compiles for one vocabulary. Thread-safe."""

    def __init__(self, vocab: Vocab, *, max_entries: int = 256, max_size: int = 16 << 20) -> None:
        """`max_size` is in characters of grammar; the engine takes some ten times as many bytes."""
        self._vocab = vocab
        self._max = (max_entries, max_size)
        self._lock = Lock()
        self._kept: OrderedDict[Constraint | Part, Compiled] = OrderedDict()
        self._size = 0
        self._tokens: Tokens | None = None

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def tokens(self) -> Tokens:
        """The vocabulary, prepared on first use: about a second for 152k tokens."""
        with self._lock:
            if self._tokens is None:
                self._tokens = Tokens(self._vocab)
            return self._tokens

    def compile(self, what: Constraint | Part) -> Compiled:
        """The grammar of `what`. Raises InvalidRequest for what can't be enforced or is too large.

        `param` of the error is the constraint's.
        """
        with self._lock:
            found = self._kept.get(what)
            if found is not None:
                self._kept.move_to_end(what)
                return found
        made = self._compile(what)
        with self._lock:
            self._keep(what, made)
        return made

    def lazy(
        self, triggers: Mapping[str, Template], *, required: bool = False, again: bool = True
    ) -> Lazy:
        """Grammars that take hold after a trigger; see `lazy`."""
        return Lazy(self.tokens, triggers, required=required, again=again)

    def _compile(self, what: Constraint | Part) -> Compiled:
        tokens = self.tokens
        param = (what.param or None) if isinstance(what, Constraint) else None
        try:
            part = as_part(what, tokens) if isinstance(what, Constraint) else what
            written = _written(tokens, part, share=True)
            if written.engine.is_error() and written.schemas:
                written = _written(tokens, part, share=False)
            own = isinstance(what, Constraint) and what.kind is ConstraintKind.LARK
            _check(written, is_lark=own)
        except UnicodeEncodeError:
            raise InvalidRequest(
                "The constraint holds half a surrogate pair. Send whole characters.",
                param=param,
            ) from None
        except InvalidRequest as error:
            error.param = error.param or param
            raise
        loosened = dict.fromkeys(one for schema in written.schemas for one in schema.loosened)
        in_json = bool(written.schemas) and not isinstance(part, Lark)
        return Compiled(tokens, written.engine, tuple(loosened), written.size, in_json)

    def _keep(self, what: Constraint | Part, made: Compiled) -> None:
        if what not in self._kept:
            self._size += made.size
        self._kept[what] = made
        most, size = self._max
        while len(self._kept) > most or (self._size > size and len(self._kept) > 1):
            _, old = self._kept.popitem(last=False)
            self._size -= old.size


def as_part(constraint: Constraint, tokens: Tokens) -> Part:
    """The grammar that a constraint means."""
    source = constraint.source
    if len(source) > MAX_SOURCE:
        raise InvalidRequest(
            f"The constraint has {len(source)} characters; the most is {MAX_SOURCE}."
        )
    match constraint.kind:
        case ConstraintKind.JSON_OBJECT:
            return Json('{"type": "object"}', whitespace=constraint.whitespace)
        case ConstraintKind.JSON_SCHEMA:
            return Json(source, constraint.strict, constraint.whitespace)
        case ConstraintKind.REGEX:
            return Regex(source)
        case ConstraintKind.CHOICE:
            return Words(tuple(dict.fromkeys(json.loads(source))))
        case ConstraintKind.GBNF:
            return to_grammar(source, tokens)
        case ConstraintKind.LARK:
            return Lark(_limited(source))


def _limited(source: str) -> str:
    if len(source) > MAX_LARK:
        raise InvalidRequest(f"The grammar has {len(source)} characters; the most is {MAX_LARK}.")
    return source


def lowered(part: Json) -> Lowered:
    """The schema of a JSON part, lowered; what is not strict is tried, and always succeeds."""
    schema = _parsed(part.schema)
    if part.lowered:
        return Lowered(schema)
    if part.strict:
        return lower(schema, strict=True)
    try:
        found = lower(schema, strict=False)
        _try(found)
    except InvalidRequest:
        return Lowered(_type_only(schema), ("$",))
    return found


def checked(part: Json) -> Lowered:
    """As `lowered`, and what the engine can't take of a strict schema is refused here and now."""
    found = lowered(part)
    if part.strict:
        _try(found)
    return found


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"The schema is not JSON, or nested too deep: {error}.") from None


def _type_only(schema: Any) -> dict[str, Any]:
    kind = schema.get("type") if isinstance(schema, dict) else None
    return {"type": kind} if isinstance(kind, str) and kind in TYPES else {}


def _limits() -> LLParserLimits:
    """The engine's own: about 20 ms for a compilation, 15 ms for a mask."""
    return LLParserLimits(
        initial_lexer_fuel=1_000_000,
        max_items_in_row=8_000,  # an object takes four for each optional property
        step_lexer_fuel=200_000,
        step_max_items=50_000,
        max_lexer_states=30_000,
        max_grammar_size=500_000,
        verbose_errors=False,  # they would repeat the whole grammar
    )


@dataclass(frozen=True, slots=True)
class _Written:
    """A grammar as the engine was given it, so many characters, and what it made of it."""

    engine: LLMatcher
    schemas: list[Lowered]
    size: int


def _written(tokens: Tokens, part: Part, *, share: bool) -> _Written:
    writer = Writer(lambda text: list(tokens.split(text)), lowered, share)
    source = writer.write(part)
    if len(source) > MAX_GRAMMAR:
        raise InvalidRequest(
            f"The grammar has {len(source)} characters when it is written out; the most is "
            f"{MAX_GRAMMAR}. Use a smaller schema."
        )
    engine = deep.call(LLMatcher, tokens.engine, source, log_level=0, limits=_limits())
    return _Written(engine, writer.schemas, len(source))


def _check(written: _Written, *, is_lark: bool) -> None:
    """Refuse what the engine has not taken, and what would fail at once.

    With `is_lark` its places are those of what the client sent.
    """
    if written.engine.is_error():
        for schema in written.schemas:
            _try(schema)
        why = brief(written.engine.get_error())
        if is_lark and not written.schemas:
            place = _PLACE.sub(r"in line \1, column \2, ", why, count=1)
            raise InvalidRequest(f"The grammar can't be taken as Lark: {place}")
        raise InvalidRequest(f"The constraint can't be enforced: {why}")
    _check_start(written.engine.deep_copy())


def _check_start(probe: LLMatcher) -> None:
    """Refuse what would fail at the first token, and what goes on for ever."""
    probe.compute_bitmask()
    forced = probe.compute_ff_tokens()
    if len(forced) >= _LONG:
        probe.consume_tokens(forced)
        probe.compute_bitmask()
    if _NOTHING in probe.get_error():
        raise InvalidRequest(
            "No text satisfies the constraint. Is there a way out of its recursion, and something "
            "that its patterns match?"
        )
    if probe.is_error():
        raise InvalidRequest(
            f"The constraint is too complex, or nothing that satisfies it has an end: "
            f"{brief(probe.get_error())}"
        )


def _try(lowered: Lowered) -> None:
    """Refuse what the engine can't take, naming the place as closely as it can be found."""
    error = _error(lowered.schema)
    if not error:
        return
    path, schema = "$", lowered.schema
    n_tries = 0
    children = list(_children(schema, path))
    while children and n_tries < _MAX_TRIES:
        n_tries += 1
        below, child = children.pop()
        found = _error(child)
        if found:
            error, path = found, below
            children = list(_children(child, path))
    raise InvalidRequest(f"The schema at {path} can't be enforced: {brief(error)}")


def _error(schema: Schema) -> str:
    source = f"start: %json {schema_text(schema, whitespace=False)}\n"
    error = deep.call(LLMatcher.validate_grammar, source, limits=_limits())
    return "" if error.startswith("WARNING") else error.rpartition("schema: ")[2]


def _children(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    """The subschemas of a lowered schema, each with the definitions that it may need."""
    if not isinstance(schema, dict):
        return
    shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    for keyword in ("properties", "patternProperties"):
        for name, child in schema.get(keyword, {}).items():
            if isinstance(child, dict):
                yield f"{path}.{keyword}.{name}", {**child, **shared}
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            yield f"{path}.{keyword}", {**schema[keyword], **shared}
    for keyword in ("anyOf", "allOf", "prefixItems"):
        for i, child in enumerate(schema.get(keyword, ())):
            if isinstance(child, dict):
                yield f"{path}.{keyword}[{i}]" if keyword != "allOf" else path, {**child, **shared}
