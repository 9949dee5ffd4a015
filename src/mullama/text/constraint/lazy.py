"""A grammar that takes hold once a trigger has been written: a tool call opened, a thought closed.

Until then everything is allowed, so that special tokens and the model's own words are untouched.
The text written is watched for the triggers; the one that ends first counts. A token may end a
trigger and go on: what goes on must begin the grammar, so tokens whose rest could not are masked
just where they would end the trigger.

When the grammar is complete: with `again` the text is free again, for the next trigger; without,
nothing more may follow, but behind those triggers that are `aside`. With `required` the answer
can't end before one grammar is complete.

With a `Budget` the free text ends after so many tokens: then its closing tokens must come, and what
follows them, as if a trigger had been written. That is how a thought is closed. It is closed in a
place that is fit for it: never within a character or a trigger, and, a few tokens later if need
be, where a sentence ends. All texts with a budget in one answer have it together.

Free text must cost next to nothing: a step without a trigger in sight walks a trie of what may
stand before a trigger's end, backwards from the last byte, and gives no mask.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from mullama.errors import InvalidRequest
from mullama.text.constraint.masks import all_but, count_allowed, count_free, only
from mullama.text.constraint.tokens import Tokens
from mullama.types import Matcher, Token

_MOST_MASKS = 64  # that are kept: a place before a trigger has one
_LONGEST_CHARACTER = 4  # bytes
_UNFINISHED = 8  # tokens beyond a budget that may complete a character or a trigger
_SENTENCE_ENDS = tuple(mark.encode() for mark in (".", "!", "?", "\n", "…", "。", "！", "？"))
_Trie = dict[Any, Any]  # by bytes, backwards; under None what ends there
_NOWHERE: _Trie = {}


class Template(Protocol):
    """What gives matchers: a compiled grammar, `Lazy`, or what is made of several."""

    def matcher(self) -> Beginner: ...

    def begins(self, data: bytes) -> bool:
        """Whether a matcher could begin with `data`, the rest of a token."""
        ...


class Beginner(Matcher, Protocol):
    """A matcher that can begin with the rest of a token."""

    def begin(self, data: bytes) -> bool: ...

    def clone(self) -> Beginner: ...


@dataclass(frozen=True, slots=True)
class Budget:
    """How many tokens of free text there may be, what closes it, and what follows.

    `in_line` closes a text that ends within a line, `at_line` one that has ended it already.
    """

    n_tokens: int
    in_line: tuple[Token, ...]
    at_line: tuple[Token, ...]
    then: Template

    @property
    def patience(self) -> int:
        """How many tokens more it may take to end a sentence."""
        return min(8, self.n_tokens // 8)


class Lazy:
    """`triggers` maps a trigger's text to the grammar of what follows it. Thread-safe.

    `before` is text that stands before this one; a trigger may have begun in it. The tokens in
    `never` are not written in free text. `aside` are triggers of free texts that do not count:
    where one ends and no grammar follows, this text is free again whatever `again` says.
    """

    def __init__(
        self,
        tokens: Tokens,
        triggers: Mapping[str, Template],
        *,
        required: bool = False,
        again: bool = True,
        budget: Budget | None = None,
        before: str = "",
        never: Iterable[Token] = (),
        aside: Iterable[str] = (),
    ) -> None:
        self._banned = frozenset(never)
        if not (triggers or budget or self._banned) or "" in triggers:
            raise ValueError("a trigger is a text of at least one character")
        self.tokens = tokens
        self.required = required
        self.again = again
        self.budget = budget
        self._aside = frozenset(text.encode() for text in aside)
        self.triggers = {text.encode(): then for text, then in triggers.items()}
        # Bytes that may begin a trigger; and enough to see whether a character is whole.
        self.n_tail = max([_LONGEST_CHARACTER, *(len(text) - 1 for text in self.triggers)])
        self.before = before.encode()[-self.n_tail :]
        self._masks: dict[frozenset[Token], bytes] = {}

    def matcher(self, n_spent: int = 0) -> LazyFollower:
        """A matcher that waits for a trigger; so much of the answer's budget is spent."""
        return LazyFollower(self, n_spent)

    def begins(self, data: bytes) -> bool:
        """Whether a matcher could begin with `data`, the rest of a token."""
        return self.matcher().begin(data)

    def find(self, data: bytes, start: int) -> tuple[Template, bytes, bool] | None:
        """The grammar of the trigger that ends first in `data`, what follows it there, and whether
        the trigger is `aside`.

        A trigger that ends in the first `start` bytes has been passed over.
        """
        ends = [
            (found + len(trigger), -len(trigger), trigger)
            for trigger in self.triggers
            if (found := data.find(trigger, max(0, start - len(trigger) + 1))) >= 0
        ]
        if not ends:
            return None
        end, _, trigger = min(ends)
        return self.triggers[trigger], data[end:], trigger in self._aside

    def is_unfinished(self, tail: bytes) -> bool:
        """Whether text that ends so ends within a character, or with the beginning of a trigger."""
        return not _is_whole(tail) or any(
            tail.endswith(trigger[:n]) for trigger in self.triggers for n in range(1, len(trigger))
        )

    def wrong(self, tail: bytes) -> Iterator[Token]:
        """The tokens that would end a trigger, after `tail`, with what its grammar refuses."""
        yield from self._never
        node = self._endings
        for byte in reversed(tail):
            node = node.get(byte, _NOWHERE)
            if not node:
                return
            for token, rest, then in node.get(None, ()):
                if not then.begins(rest):
                    yield token

    def all_but(self, banned: frozenset[Token]) -> bytes:
        """The mask that allows every token but these."""
        mask = self._masks.get(banned)
        if mask is None:
            if len(self._masks) >= _MOST_MASKS:
                self._masks.clear()
            mask = self._masks[banned] = all_but(banned, self.tokens.n_tokens)
        return mask

    @cached_property
    def _never(self) -> frozenset[Token]:
        """Tokens that hold a whole trigger and go on wrongly, and those that may never come."""
        whole = self._endings.get(None, ())
        return self._banned | {token for token, rest, then in whole if not then.begins(rest)}

    @cached_property
    def _endings(self) -> _Trie:
        """What may stand before the end of a trigger -> tokens that end it and go on."""
        root: _Trie = {}
        for text, then in self.triggers.items():
            for before, rests in self.tokens.passing(text).items():
                node = root
                for byte in reversed(before):
                    node = node.setdefault(byte, {})
                node.setdefault(None, []).extend((token, rest, then) for token, rest in rests)
        return root


@dataclass(frozen=True, slots=True)
class _Before:
    """What to go back to: the state before a token, and how many tokens `inner` took of it."""

    tail: bytes
    inner: Beginner | None
    aside: bool
    bare: bool
    n_complete: int
    n_spent: int
    n_free: int
    n_closing: int
    n_taken: int


class LazyFollower:
    """A place in a text that waits for triggers, or in the grammar of one.

    `n_spent` is what has been taken of the answer's budget: the tokens of this text if it has one,
    those included that close it, and of those before and in it that have.
    """

    __slots__ = (
        "_aside",
        "_bare",
        "_history",
        "_inner",
        "_lazy",
        "_n_closing",
        "_n_complete",
        "_n_free",
        "_n_spent",
        "_tail",
    )

    def __init__(self, lazy: Lazy, n_spent: int = 0) -> None:
        self._lazy = lazy
        self._tail = lazy.before  # the end of the free text, as far as it may begin a trigger
        self._inner: Beginner | None = None
        self._aside = False  # whether it does not count
        self._bare = False  # whether it had nothing in it
        self._n_complete = 0
        self._n_spent = n_spent  # before this text
        self._n_free = 0
        self._n_closing = 0  # closing tokens that have come
        self._history: list[_Before] = []

    @property
    def n_spent(self) -> int:
        return self._n_spent + (self._n_free if self._lazy.budget else 0)

    @property
    def done(self) -> bool:
        return self._inner is not None and self._inner.done

    @property
    def can_end(self) -> bool:
        if self._inner is not None:
            return self._inner.can_end
        return not self._n_closing and (not self._lazy.required or self._n_complete > 0)

    def mask(self) -> bytes | None:
        if self._inner is not None:
            return self._inner.mask()
        closing = self._closing
        if closing:
            return only(closing[0], self._lazy.tokens.n_tokens)
        banned = frozenset(self._lazy.wrong(self._tail))
        if not self.can_end:
            banned |= self._lazy.tokens.eog
        return self._lazy.all_but(banned) if banned else None

    def accept(self, token: Token) -> None:
        before = _Before(
            self._tail,
            self._inner,
            self._aside,
            self._bare,
            self._n_complete,
            self._n_spent,
            self._n_free,
            self._n_closing,
            int(self._inner is not None),
        )
        if self._inner is not None:
            self._inner.accept(token)
        else:
            self._accept_free(token)
        self._history.append(before)
        if self._inner is not None and self._inner.done and self._goes_on(self._inner):
            if isinstance(self._inner, LazyFollower):
                self._n_spent = self._inner.n_spent
            self._inner, self._tail = None, b""
            self._n_complete += 1
            self._n_free = self._n_closing = 0

    def _goes_on(self, inner: Beginner) -> bool:
        """Whether the text is free again behind `inner`, which is complete."""
        counts = not self._aside or (isinstance(inner, LazyFollower) and not inner._bare)
        return self._lazy.again or not counts

    def _accept_free(self, token: Token) -> None:
        closing, budget = self._closing, self._lazy.budget
        self._n_free += 1
        if closing and budget:
            if token != closing[0]:
                raise InvalidRequest(f"Token {token} is not the one that closes the text.")
            self._n_closing += 1
            if len(closing) == 1:
                self._enter(budget.then, aside=False)
        elif not self._read(self._lazy.tokens.pieces[token]):
            raise InvalidRequest(f"Token {token} ends a trigger with what its grammar refuses.")

    @property
    def _closing(self) -> tuple[Token, ...]:
        """The tokens that must come, as the budget is used up."""
        budget = self._lazy.budget
        if budget is None or self._inner is not None or self.n_spent < budget.n_tokens:
            return ()
        if not self._n_closing and not self._may_close(budget, self.n_spent - budget.n_tokens):
            return ()
        at_line = self._tail.endswith(b"\n")
        return (budget.at_line if at_line else budget.in_line)[self._n_closing :]

    def _may_close(self, budget: Budget, n_over: int) -> bool:
        """Whether the text, so many tokens beyond its budget, can be closed here."""
        if n_over < _UNFINISHED and self._lazy.is_unfinished(self._tail):
            return False
        return n_over >= budget.patience or self._tail.rstrip(b" ").endswith(_SENTENCE_ENDS)

    def count_allowed(self, tokens: Sequence[Token]) -> int:
        """How many of `tokens` could follow. Where the grammar begins, it is tried on a copy."""
        if self._inner is not None and not self._lazy.again and not self._aside:
            return self._inner.count_allowed(tokens)
        return count_allowed(self.clone(), tokens)

    def count_free(self, tokens: Sequence[Token]) -> int:
        if self._inner is not None and not self._lazy.again and not self._aside:
            return self._inner.count_free(tokens)
        return count_free(self.clone(), tokens)

    def forced(self) -> list[Token]:
        return self._inner.forced() if self._inner is not None else list(self._closing)

    def rollback(self, n: int) -> None:
        for before in reversed(self._history[len(self._history) - n :]):
            if before.inner is not None:
                before.inner.rollback(before.n_taken)
            self._tail, self._inner = before.tail, before.inner
            self._aside, self._bare = before.aside, before.bare
            self._n_complete, self._n_spent = before.n_complete, before.n_spent
            self._n_free, self._n_closing = before.n_free, before.n_closing
        del self._history[len(self._history) - n :]

    def clone(self) -> LazyFollower:
        """A copy; what came before it stays where it is, so it rolls back to here at most."""
        copy = LazyFollower(self._lazy, self._n_spent)
        copy._tail, copy._aside, copy._bare = self._tail, self._aside, self._bare
        copy._inner = self._inner.clone() if self._inner is not None else None
        copy._n_complete = self._n_complete
        copy._n_free, copy._n_closing = self._n_free, self._n_closing
        return copy

    def begin(self, data: bytes) -> bool:
        """Take `data`, the rest of a token that began before this text."""
        return not data or self._read(data)

    def _read(self, data: bytes) -> bool:
        joined = self._tail + data
        found = self._lazy.find(joined, len(self._tail))
        if found is None:
            self._tail = joined[-self._lazy.n_tail :]
            return True
        then, rest, aside = found
        inner = self._enter(then, aside=aside)
        return not rest or inner.begin(rest)

    def _enter(self, then: Template, *, aside: bool) -> Beginner:
        """Go on in the grammar of a trigger."""
        inner = then.matcher(self.n_spent) if isinstance(then, Lazy) else then.matcher()
        self._inner, self._aside, self._bare = inner, aside, inner.done
        return inner


def _is_whole(tail: bytes) -> bool:
    """Whether text ends with a whole character."""
    for n, byte in enumerate(reversed(tail[-_LONGEST_CHARACTER:]), 1):
        if byte < 0x80:
            return True
        if byte >= 0xC0:  # the first byte of a character, which says how many there are
            return n >= (2 if byte < 0xE0 else 3 if byte < 0xF0 else 4)
    return True
