"""A grammar that takes hold once a trigger has been written: a tool call opened, a thought closed.

Until then everything is allowed, so that special tokens and the model's own words are untouched.
The text written is watched for the triggers; the one that ends first counts. A token may end a
trigger and go on: what goes on must begin the grammar, so tokens whose rest could not are masked
just where they would end the trigger.

When the grammar is complete: with `again` the text is free again, for the next trigger; without,
nothing more may follow. With `required` the answer can't end before one grammar is complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mullama.errors import InvalidRequest
from mullama.text.constraint.tokens import Tokens
from mullama.types import Matcher, Token


class Template(Protocol):
    """What gives matchers: a compiled grammar, or `Lazy`."""

    def matcher(self) -> Beginner: ...

    def begins(self, data: bytes) -> bool:
        """Whether a matcher could begin with `data`, the rest of a token."""
        ...


class Beginner(Matcher, Protocol):
    """A matcher that can begin with the rest of a token."""

    def begin(self, data: bytes) -> bool: ...

    def clone(self) -> Beginner: ...


class Lazy:
    """`triggers` maps a trigger's text to the grammar of what follows it. Thread-safe."""

    def __init__(
        self,
        tokens: Tokens,
        triggers: Mapping[str, Template],
        *,
        required: bool = False,
        again: bool = True,
    ) -> None:
        if not triggers or "" in triggers:
            raise ValueError("a trigger is a text of at least one character")
        self.tokens = tokens
        self.required = required
        self.again = again
        self.triggers = {text.encode(): then for text, then in triggers.items()}
        self.n_tail = max(map(len, self.triggers)) - 1  # bytes that may begin a trigger
        self._passing = [(tokens.passing(text), then) for text, then in self.triggers.items()]

    def matcher(self) -> LazyFollower:
        """A matcher that waits for a trigger."""
        return LazyFollower(self)

    def begins(self, data: bytes) -> bool:
        """Whether a matcher could begin with `data`, the rest of a token."""
        return self.matcher().begin(data)

    def find(self, data: bytes) -> tuple[Template, bytes] | None:
        """The grammar of the trigger that ends first in `data`, and what follows it there."""
        ends = [
            (data.index(trigger) + len(trigger), -len(trigger), trigger)
            for trigger in self.triggers
            if trigger in data
        ]
        if not ends:
            return None
        end, _, trigger = min(ends)
        return self.triggers[trigger], data[end:]

    def wrong(self, tail: bytes) -> Iterator[Token]:
        """The tokens that would end a trigger, after `tail`, with what its grammar refuses."""
        for passing, then in self._passing:
            for before, rests in passing.items():
                if tail.endswith(before):
                    yield from (token for token, rest in rests if not then.begins(rest))


@dataclass(frozen=True, slots=True)
class _Before:
    """What to go back to: the state before a token, and how many tokens `inner` took of it."""

    tail: bytes
    inner: Beginner | None
    n_complete: int
    n_taken: int


class LazyFollower:
    """A place in a text that waits for triggers, or in the grammar of one."""

    __slots__ = ("_history", "_inner", "_lazy", "_n_complete", "_tail")

    def __init__(self, lazy: Lazy) -> None:
        self._lazy = lazy
        self._tail = b""  # the end of the free text, as far as it may begin a trigger
        self._inner: Beginner | None = None
        self._n_complete = 0
        self._history: list[_Before] = []

    @property
    def done(self) -> bool:
        return self._inner is not None and self._inner.done

    @property
    def can_end(self) -> bool:
        if self._inner is not None:
            return self._inner.can_end
        return not self._lazy.required or self._n_complete > 0

    def mask(self) -> bytes | None:
        if self._inner is not None:
            return self._inner.mask()
        banned = set(self._lazy.wrong(self._tail))
        if not self.can_end:
            banned |= self._lazy.tokens.eog
        return _all_but(banned, self._lazy.tokens.n_tokens) if banned else None

    def accept(self, token: Token) -> None:
        before = _Before(self._tail, self._inner, self._n_complete, int(self._inner is not None))
        if self._inner is not None:
            self._inner.accept(token)
        elif not self._read(self._lazy.tokens.pieces[token]):
            raise InvalidRequest(f"Token {token} ends a trigger with what its grammar refuses.")
        self._history.append(before)
        if self._inner is not None and self._inner.done and self._lazy.again:
            self._inner, self._tail = None, b""
            self._n_complete += 1

    def count_allowed(self, tokens: Sequence[Token]) -> int:
        """How many of `tokens` could follow. Where the grammar begins, it is tried on a copy."""
        if self._inner is not None and not self._lazy.again:
            return self._inner.count_allowed(tokens)
        trial = self.clone()
        for n, token in enumerate(tokens):
            mask = trial.mask()
            if trial.done or (mask is not None and not mask[token // 8] >> token % 8 & 1):
                return n
            trial.accept(token)
        return len(tokens)

    def forced(self) -> list[Token]:
        return self._inner.forced() if self._inner is not None else []

    def rollback(self, n: int) -> None:
        for before in reversed(self._history[len(self._history) - n :]):
            if before.inner is not None:
                before.inner.rollback(before.n_taken)
            self._tail, self._inner = before.tail, before.inner
            self._n_complete = before.n_complete
        del self._history[len(self._history) - n :]

    def clone(self) -> LazyFollower:
        """A copy; what came before it stays where it is, so it rolls back to here at most."""
        copy = LazyFollower(self._lazy)
        copy._tail = self._tail
        copy._inner = self._inner.clone() if self._inner is not None else None
        copy._n_complete = self._n_complete
        return copy

    def begin(self, data: bytes) -> bool:
        """Take `data`, the rest of a token that began before this text."""
        return self._read(data)

    def _read(self, data: bytes) -> bool:
        found = self._lazy.find(self._tail + data)
        if found is None:
            joined = self._tail + data
            self._tail = joined[len(joined) - min(self._lazy.n_tail, len(joined)) :]
            return True
        then, rest = found
        self._inner = then.matcher()
        return not rest or self._inner.begin(rest)


def _all_but(banned: set[Token], n_tokens: int) -> bytes:
    mask = bytearray(b"\xff" * ((n_tokens + 31) // 32 * 4))
    for token in banned:
        mask[token // 8] &= ~(1 << token % 8)
    return bytes(mask)
