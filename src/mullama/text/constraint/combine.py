"""Matchers made of others: one after the other, one of several, a thought that may come first.

    Free()                      anything, without end
    End()                       nothing more
    Chain(first, then)          `first`, whose end is certain (literal text), then `then`
    Either((a, b))              a or b: both are followed until what is written tells
    Opening(mark, thought, body)    `thought` if the text begins with `mark`, else `body`

Such things can't always be said in one grammar: a client's own grammar is no part of another, and
free text must not be followed by a grammar at all, as that costs time at every token. Each is a
`Template`, thread-safe, and gives followers; `combined` has what they share.
"""

from __future__ import annotations

from collections.abc import Sequence

from mullama.errors import InvalidRequest
from mullama.text.constraint.combined import Combined, CombinedFollower, End, Free
from mullama.text.constraint.lazy import Beginner, Template
from mullama.text.constraint.masks import allows, any_of
from mullama.text.constraint.tokens import Tokens
from mullama.types import Token

__all__ = ["Chain", "Either", "End", "Free", "Opening"]

# ------------------------------------------------------------------------------- one after another


class Chain(Combined):
    """`first`, then `then`. No token may be partly the one and partly the other."""

    def __init__(self, tokens: Tokens, first: Template, then: Template) -> None:
        super().__init__(tokens)
        self.first, self.then = first, then

    def matcher(self) -> ChainFollower:
        return ChainFollower(self)


class ChainFollower(CombinedFollower):
    def __init__(self, chain: Chain) -> None:
        super().__init__()
        self._chain = chain
        self._reset()

    def _reset(self) -> None:
        self._inner: Beginner = self._chain.first.matcher()
        self._in_first = True
        self._go_on()

    def _go_on(self) -> None:
        if self._in_first and self._inner.done:
            self._inner, self._in_first = self._chain.then.matcher(), False

    @property
    def done(self) -> bool:
        return not self._in_first and self._inner.done

    @property
    def can_end(self) -> bool:
        return not self._in_first and self._inner.can_end

    def mask(self) -> bytes | None:
        return self._inner.mask()

    def forced(self) -> list[Token]:
        return self._inner.forced()

    def _take(self, token: Token) -> None:
        self._inner.accept(token)
        self._go_on()

    def _begin(self, data: bytes) -> bool:
        begun = self._inner.begin(data)
        self._go_on()
        return begun

    def clone(self) -> ChainFollower:
        copy = ChainFollower(self._chain)
        copy._inner, copy._in_first = self._inner.clone(), self._in_first
        self._copy_to(copy)
        return copy


# ------------------------------------------------------------------------------- one of several


class Either(Combined):
    """One of the options, as soon as the text tells which."""

    def __init__(self, tokens: Tokens, options: Sequence[Template]) -> None:
        super().__init__(tokens)
        self.options = tuple(options)

    def matcher(self) -> EitherFollower:
        return EitherFollower(self)


class EitherFollower(CombinedFollower):
    def __init__(self, either: Either) -> None:
        super().__init__()
        self._either = either
        self._reset()

    def _reset(self) -> None:
        self._alive: list[Beginner] = [option.matcher() for option in self._either.options]

    @property
    def done(self) -> bool:
        return all(one.done for one in self._alive)

    @property
    def can_end(self) -> bool:
        return any(one.can_end for one in self._alive)

    def mask(self) -> bytes | None:
        return any_of([one.mask() for one in self._alive])

    def forced(self) -> list[Token]:
        return self._alive[0].forced() if len(self._alive) == 1 else []

    def _take(self, token: Token) -> None:
        if len(self._alive) > 1:
            self._alive = [one for one in self._alive if not one.done and allows(one.mask(), token)]
        if not self._alive:
            raise InvalidRequest(f"Token {token} is none that may follow.")
        for one in self._alive:
            one.accept(token)

    def _begin(self, data: bytes) -> bool:
        self._alive = [one for one in self._alive if one.begin(data)]
        return bool(self._alive)

    def clone(self) -> EitherFollower:
        copy = EitherFollower(self._either)
        copy._alive = [one.clone() for one in self._alive]
        self._copy_to(copy)
        return copy


# ------------------------------------------------------------------------------- a thought first


class Opening(Combined):
    """`thought` if the text begins with `mark`, after white space or none; else `body`.

    `begun` is the grammar of the mark alone: its tokens are those that may begin the text so. A
    `body` that is free needs none of them; the text tells, and is told the same way by a reader.
    """

    def __init__(
        self, tokens: Tokens, mark: str, begun: Template, thought: Template, body: Template
    ) -> None:
        super().__init__(tokens)
        self.mark = mark.encode()
        self.begun, self.thought, self.body = begun, thought, body

    def matcher(self) -> OpeningFollower:
        return OpeningFollower(self)


class OpeningFollower(CombinedFollower):
    """`_mark` and `_body` are what the text may still be, `_inner` what it has turned out to be."""

    def __init__(self, opening: Opening) -> None:
        super().__init__()
        self._opening = opening
        self._reset()

    def _reset(self) -> None:
        self._text = b""
        self._mark: Beginner | None = self._opening.begun.matcher()
        self._body: Beginner | None = self._opening.body.matcher()
        self._inner: Beginner | None = None

    @property
    def done(self) -> bool:
        return self._inner is not None and self._inner.done

    @property
    def can_end(self) -> bool:
        inner = self._inner or self._body
        return inner is not None and inner.can_end

    def mask(self) -> bytes | None:
        if self._inner is not None:
            return self._inner.mask()
        return any_of([one.mask() for one in (self._mark, self._body) if one is not None])

    def forced(self) -> list[Token]:
        return self._inner.forced() if self._inner is not None else []

    def _take(self, token: Token) -> None:
        if self._inner is not None:
            self._inner.accept(token)
            return
        in_body, in_mark = _step(self._body, token), _step(self._mark, token)
        if not in_body and not in_mark:
            raise InvalidRequest(f"Token {token} is none that may follow.")
        self._body = self._body if in_body else None
        self._read(self._opening.tokens.pieces[token], in_mark=in_mark)

    def _read(self, piece: bytes, *, in_mark: bool) -> None:
        """See what the text tells. `in_mark`: the mark's grammar has followed it."""
        mark = self._opening.mark
        self._text = (self._text + piece).lstrip()
        if self._text.startswith(mark):
            self._inner = self._opening.thought.matcher()
            if rest := self._text[len(mark) :]:
                self._inner.begin(rest)
        elif not mark.startswith(self._text):
            self._inner = self._body
        elif self._text and not in_mark:
            self._mark = None  # it is being written in tokens that its grammar does not take

    def _begin(self, data: bytes) -> bool:
        if self._body is not None and not self._body.begin(data):
            self._body = None
        text = data.lstrip()
        if text and self._mark is not None and not self._mark.begin(text):
            self._mark = None
        if self._body is None and self._mark is None:
            return False
        self._read(data, in_mark=True)
        return True

    def clone(self) -> OpeningFollower:
        copy = OpeningFollower(self._opening)
        copy._text = self._text
        copy._mark, copy._body, copy._inner = (
            None if one is None else one.clone() for one in (self._mark, self._body, self._inner)
        )
        self._copy_to(copy)
        return copy


def _step(one: Beginner | None, token: Token) -> bool:
    """Take the token, if there is one to take it and it may."""
    if one is None or one.done or not allows(one.mask(), token):
        return False
    one.accept(token)
    return True
