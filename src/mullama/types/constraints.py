"""What an answer must look like, as plain data, and what holds it to that, token by token."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from mullama.types.sampling import Token


class ConstraintKind(StrEnum):
    """The language that a constraint is written in."""

    JSON_OBJECT = "json_object"
    JSON_SCHEMA = "json_schema"
    REGEX = "regex"
    CHOICE = "choice"
    GBNF = "gbnf"
    LARK = "lark"


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a whole answer must be. Crosses the process border, and is a key of caches.

    `source` is the constraint itself: a JSON Schema as JSON text (with its order of properties), a
    JSON list of strings for CHOICE, nothing for JSON_OBJECT, else the pattern or grammar.
    `strict` refuses what of a schema can't be enforced; otherwise it is left out and reported.
    `whitespace` allows white space between the tokens of JSON. `param` is the request's field.
    """

    kind: ConstraintKind
    source: str = ""
    strict: bool = True
    whitespace: bool = False
    param: str = field(default="", compare=False)

    @classmethod
    def json_schema(
        cls, schema: dict[str, Any] | bool, *, strict: bool = True, param: str = ""
    ) -> Constraint:
        """JSON that satisfies `schema`, which must consist of JSON's types."""
        return cls(ConstraintKind.JSON_SCHEMA, json.dumps(schema), strict, param=param)

    @classmethod
    def json_object(cls) -> Constraint:
        """Any JSON object."""
        return cls(ConstraintKind.JSON_OBJECT)

    @classmethod
    def regex(cls, pattern: str, *, param: str = "") -> Constraint:
        """A text that `pattern`, a regular expression as of JSON Schema's, matches as a whole."""
        return cls(ConstraintKind.REGEX, pattern, param=param)

    @classmethod
    def grammar(cls, source: str, *, param: str = "") -> Constraint:
        """What a grammar allows: llama.cpp's GBNF if it has rules with "::=", else Lark's."""
        kind = ConstraintKind.GBNF if "::=" in source else ConstraintKind.LARK
        return cls(kind, source, param=param)

    @classmethod
    def choice(cls, texts: Sequence[str], *, param: str = "") -> Constraint:
        """One of `texts`."""
        return cls(ConstraintKind.CHOICE, json.dumps(list(texts)), param=param)


class Matcher(Protocol):
    """Follows one answer through a grammar. Used by one thread at a time.

    Any method may raise InvalidRequest where the grammar turns out too complex: it ends this
    request, and no other.
    """

    @property
    def done(self) -> bool:
        """The answer is complete, and nothing more may follow: end it without sampling."""
        ...

    @property
    def can_end(self) -> bool:
        """The answer may end here; then the mask allows the tokens that end a generation."""
        ...

    def mask(self) -> bytes | None:
        """The tokens that may come next: bit `t % 8` of byte `t // 8` is token t. None: all may.

        It is padded to whole 32-bit words.
        """
        ...

    def accept(self, token: Token) -> None:
        """`token`, which the mask allows, is part of the answer; one that ends it is not given."""
        ...

    def count_allowed(self, tokens: Sequence[Token]) -> int:
        """How many of `tokens`, a draft, could follow one another here. Changes nothing."""
        ...

    def count_free(self, tokens: Sequence[Token]) -> int:
        """How many of `tokens`, a draft, could follow one another here with a mask neither for any
        of them nor for what follows the last. Changes nothing and raises nothing.
        """
        ...

    def forced(self) -> list[Token]:
        """The tokens that must come next, to be appended without sampling; not accepted yet.

        They are the vocabulary's own tokens of that text, but for an end that could still become
        a longer token.
        """
        ...

    def rollback(self, n: int) -> None:
        """Take the last `n` accepted tokens back."""
        ...

    def clone(self) -> Matcher:
        """An independent matcher at this place, for another answer; it can't go back further."""
        ...
