"""Numbers that come to an end.

JSON lets a number have any number of digits, and a small model that has begun to write nines writes
them until `max_tokens`. So while JSON is followed, a number stays within what programs read:

- its whole part in 64 bits (at most 2**63 - 1, with either sign),
- 20 digits after the point,
- an exponent of 280 at most, so that the whole stays finite as a float.

This is about what is *written next*: where the schema wants another digit (in a constant, of what
is more than 0 and was 0.000 so far), it gets one, and if it can be, one after which the number may
end. Digits in strings are not looked at: there the grammar allows letters, or the quote.

It is done on the mask, since the engine's schemas have no keyword for digits, and a bound on every
number would cost it more than all else. A number that has room left costs a look at its last bytes.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from llguidance import LLMatcher

from mullama.text.constraint.masks import allows, count_allowed
from mullama.text.constraint.matcher import Follower
from mullama.text.constraint.tokens import Tokens
from mullama.types import Token

MAX_WHOLE = 2**63 - 1
MAX_DECIMALS = 20
MAX_EXPONENT = 280
_MOST = {"whole": len(str(MAX_WHOLE)), "decimals": MAX_DECIMALS, "exponent": len(str(MAX_EXPONENT))}
_SIGNS = b"0123456789.eE+-"
_LONGEST = 64  # bytes that are looked at
_NUMBER = re.compile(rb"(?P<whole>\d+)(?:\.(?P<decimals>\d*))?(?:[eE][+-]?(?P<exponent>\d*))?\Z")


class JsonFollower(Follower):
    """A place in a grammar in which JSON is written."""

    __slots__ = ("_tails",)

    def __init__(self, tokens: Tokens, engine: LLMatcher, tail: bytes = b"") -> None:
        super().__init__(tokens, engine)
        self._tails = [tail]  # after each token: what the text ends with, if it may be a number

    def mask(self) -> bytes | None:
        mask = super().mask()
        tail = self._tails[-1]
        if mask is None or not tail:
            return mask
        banned = list(_too_long(self._tokens, tail))
        if not banned or any(allows(mask, token) for token in self._tokens.only_in_strings):
            return mask
        return _without(mask, banned) or self._ending(mask)

    def _ending(self, mask: bytes) -> bytes:
        """Of the digits that must go on a number, those after which it may end."""
        found = list(_last_digits(self._tokens, self._engine, mask))
        return _only(mask, found) if found else mask

    def accept(self, token: Token) -> None:
        super().accept(token)
        self._tails.append(_ending(self._tails[-1], self._tokens.pieces[token]))

    def count_allowed(self, tokens: Sequence[Token]) -> int:
        n = super().count_allowed(tokens)
        tail = self._tails[-1]
        for token in tokens[:n]:
            if tail and any(token == banned for banned in _too_long(self._tokens, tail)):
                return count_allowed(self.clone(), tokens[:n])
            tail = _ending(tail, self._tokens.pieces[token])
        return n

    def rollback(self, n: int) -> None:
        super().rollback(n)
        del self._tails[len(self._tails) - n :]

    def clone(self) -> JsonFollower:
        return JsonFollower(self._tokens, self._engine.deep_copy(), self._tails[-1])

    def begin(self, data: bytes) -> bool:
        self._tails[-1] = _ending(b"", data)
        return super().begin(data)


def _ending(tail: bytes, piece: bytes) -> bytes:
    """What a text that ends with `tail` ends with after `piece`, if that may be a number."""
    rest = piece.rstrip(_SIGNS)
    return piece[len(rest) :] if rest else (tail + piece)[-_LONGEST:]


def _too_long(tokens: Tokens, tail: bytes) -> Iterator[Token]:
    """The tokens that would give the number at the end of `tail` too many digits."""
    found = _NUMBER.search(tail)
    if found is None:
        return
    kind = found.lastgroup or "whole"
    digits = found[kind]
    room = _MOST[kind] - len(digits)
    starting = tokens.digits
    for n, more, token in starting[bisect_left(starting, (room,)) :]:
        if n > room or not _fits(kind, digits + more):
            yield token


def _fits(kind: str, digits: bytes) -> bool:
    """Whether digits are not too many in value, either."""
    most = {"whole": MAX_WHOLE, "exponent": MAX_EXPONENT}.get(kind)
    return most is None or int(digits) <= most


def _last_digits(tokens: Tokens, engine: LLMatcher, mask: bytes) -> Iterator[Token]:
    """The digits that the mask allows and after which a number may end."""
    for token in tokens.single_digits:
        if allows(mask, token):
            then = engine.deep_copy()
            then.consume_token(token)
            digits = (one for _, _, one in tokens.digits)
            if _without(then.compute_bitmask(), digits) is not None:
                yield token


def _only(mask: bytes, kept: Iterable[Token]) -> bytes:
    """The mask with these tokens alone, all of which it has."""
    made = bytearray(len(mask))
    for token in kept:
        made[token // 8] |= 1 << token % 8
    return bytes(made)


def _without(mask: bytes, banned: Iterable[Token]) -> bytes | None:
    """The mask without these tokens; None if nothing is left."""
    made = bytearray(mask)
    for token in banned:
        made[token // 8] &= ~(1 << token % 8)
    return bytes(made) if any(made) else None
