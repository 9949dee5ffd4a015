"""Masks of tokens, and what can be said of tokens to come by trying them on a copy of a matcher."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mullama.errors import InvalidRequest
from mullama.text.constraint.tokens import Tokens
from mullama.types import Matcher, Token


def count_allowed(trial: Matcher, tokens: Sequence[Token]) -> int:
    """How many of `tokens` could follow `trial`, which is used up."""
    for n, token in enumerate(tokens):
        if trial.done or not allows(trial.mask(), token):
            return n
        trial.accept(token)
    return len(tokens)


def count_free(trial: Matcher, tokens: Sequence[Token]) -> int:
    """After how many of `tokens` anything may still follow `trial`, which is used up."""
    try:
        if trial.mask() is not None:
            return 0
        for n, token in enumerate(tokens):
            trial.accept(token)
            if trial.done or trial.mask() is not None:
                return n
    except InvalidRequest:  # a grammar began that is too complex: whoever gets there hears of it
        return 0
    return len(tokens)


def allows(mask: bytes | None, token: Token) -> bool:
    """Whether a mask has this token."""
    return mask is None or bool(mask[token // 8] >> token % 8 & 1)


def only(token: Token, n_tokens: int) -> bytes:
    """The mask that allows one token."""
    mask = bytearray((n_tokens + 31) // 32 * 4)
    mask[token // 8] = 1 << token % 8
    return bytes(mask)


def all_but(banned: Iterable[Token], n_tokens: int) -> bytes:
    mask = bytearray(b"\xff" * ((n_tokens + 31) // 32 * 4))
    for token in banned:
        mask[token // 8] &= ~(1 << token % 8)
    return bytes(mask)


def ends(tokens: Tokens) -> bytes:
    """The mask of the tokens that end a generation."""
    mask = bytearray((tokens.n_tokens + 31) // 32 * 4)
    for token in tokens.eog:
        mask[token // 8] |= 1 << token % 8
    return bytes(mask)


def any_of(masks: Sequence[bytes | None]) -> bytes | None:
    """The tokens that one of the masks allows."""
    if len(masks) == 1:
        return masks[0]
    bits, size = 0, 0
    for mask in masks:
        if mask is None:
            return None
        bits |= int.from_bytes(mask, "little")
        size = len(mask)
    return bits.to_bytes(size, "little")
