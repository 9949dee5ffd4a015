"""Following a grammar token by token: what may come next, what must, and what has come.

`Follower` implements `types.Matcher` over the engine. It is used by one thread at a time; a mask
is computed with the interpreter's lock released. Its errors are requests' errors: a grammar that
turns out too complex (an ambiguous one, a regular expression with too many states) ends its own
request, with InvalidRequest, and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

from llguidance import LLMatcher

from mullama.errors import InvalidRequest
from mullama.text.constraint.tokens import Tokens
from mullama.types import Token


class Follower:
    """A place in a grammar. Begins where `engine`, which it owns, stands."""

    __slots__ = ("_engine", "_tokens")

    def __init__(self, tokens: Tokens, engine: LLMatcher) -> None:
        self._tokens = tokens
        self._engine = engine

    @property
    def done(self) -> bool:
        return bool(self._engine.is_stopped())

    @property
    def can_end(self) -> bool:
        return bool(self._engine.is_accepting())

    def mask(self) -> bytes | None:
        mask: bytes = self._engine.compute_bitmask()
        self._check()
        return mask

    def accept(self, token: Token) -> None:
        self._engine.consume_token(token)
        self._check()

    def count_allowed(self, tokens: Sequence[Token]) -> int:
        n: int = self._engine.validate_tokens(list(tokens))
        self._check()
        return n

    def count_free(self, tokens: Sequence[Token]) -> int:
        return 0  # a grammar never lets everything through

    def forced(self) -> list[Token]:
        tokens: list[Token] = self._engine.compute_ff_tokens()
        self._check()
        return tokens

    def rollback(self, n: int) -> None:
        if n:
            self._engine.rollback(n)
            self._check()

    def clone(self) -> Follower:
        return Follower(self._tokens, self._engine.deep_copy())

    def begin(self, data: bytes) -> bool:
        """Take `data`, the rest of a token that began before this grammar; False if it can't be."""
        tokens = self._tokens.tokenize_bytes(data)
        taken: int = self._engine.try_consume_tokens(tokens)
        return taken == len(tokens) and not self._engine.is_error()

    def _check(self) -> None:
        if self._engine.is_error():
            raise InvalidRequest(
                f"The answer can't be constrained any further: {brief(self._engine.get_error())} "
                "Use a simpler grammar, schema or pattern."
            )


def brief(error: str) -> str:
    """The first line of the engine's words, as a sentence."""
    line = (error.strip().splitlines() or ["it gives no reason"])[0][:300]
    return line if line.endswith(".") else line + "."
