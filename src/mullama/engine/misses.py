"""Why no more of a prompt came from the cache, which is what people ask when it is computed again.

Every request gets one reason, when it starts: `WHOLE` and `NEW` are as it should be, the others say
what to look into. A prompt that changed under its client (a date in the system prompt, tools in
another order, a template that drops old reasoning) shows as `DIFFERS`, with the first token that is
another one.

Found by a walk through the tree, which compares runs of tokens at once. What was evicted is known
by the beginnings that its parent remembers (`radix.unlink`); where these are forgotten too, it
counts as new or different. Copies on disk that were not fetched are not looked at.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import NamedTuple

from mullama.engine.radix import Node, walk
from mullama.types import Token


class Reason(StrEnum):
    """Why the cached prefix of a prompt ends where it does."""

    WHOLE = "whole"  # it does not: only the last token is computed, for its logits
    NEW = "new"  # what is cached was used to its end
    NOTHING = "nothing_cached"  # of its namespace
    DIFFERS = "differs"  # what is cached goes on with another token
    EVICTED = "evicted"  # its continuation was cached once
    NO_CHECKPOINT = "no_checkpoint"  # a model that forgets can't go on from there
    NOT_WORTH = "not_worth_restoring"  # computing it takes less time
    OTHER_NAMESPACE = "other_namespace"  # more of it is cached under another cache_salt
    UNSHARED = "not_shared"  # the request, or the engine, does without the cache


class Shortfall(NamedTuple):
    """`n_known` of the prompt's tokens are in the cache, whether they could be used or not;
    `cached` is what the cache has instead of the next one, where it differs."""

    reason: Reason
    n_known: int
    cached: Token | None = None


def shortfall(node: Node, child: Node | None, overlap: int, tokens: array[int]) -> Shortfall:
    """Why the tree of one namespace ends there: at `node`, or `overlap` tokens further."""
    n_known = node.end + overlap
    if _is_gone(node, overlap, tokens):
        return Shortfall(Reason.EVICTED, n_known)
    if child is not None:
        return Shortfall(Reason.DIFFERS, n_known, child.tokens[overlap])
    if node.children:  # the newest is the likeliest to be what the client means
        newest = next(reversed(node.children.values()))
        return Shortfall(Reason.DIFFERS, n_known, newest.tokens[0])
    return Shortfall(Reason.NEW if n_known else Reason.NOTHING, n_known)


def is_longer_in(roots: Iterable[Node], tokens: array[int], limit: int, n_known: int) -> bool:
    """Whether any of these trees has more than `n_known` of the tokens."""
    for root in roots:
        node, _, overlap = walk(root, tokens, limit)
        if node.end + overlap > n_known:
            return True
    return False


def describe(
    id: int, found: Shortfall, tokens: array[int], n_cached: int, piece: Callable[[Token], str]
) -> str:
    """A line for the log; `piece` is a token's text."""
    reason, n_known, cached = found
    line = f"request {id}: {n_cached} of {len(tokens)} prompt tokens cached; {reason}"
    if cached is not None:
        asked = tokens[n_known]
        return f"{line} at token {n_known}: cached {piece(cached)}, asked {piece(asked)}"
    return line if n_known <= n_cached else f"{line}: {n_known} are known"


def _is_gone(node: Node, overlap: int, tokens: array[int]) -> bool:
    """Whether the tokens after `node` begin like something that was evicted there."""
    if node.end >= len(tokens):
        return False
    gone = node.gone.get(tokens[node.end])
    if gone is None or len(gone) <= overlap:
        return False
    return gone == tokens[node.end : node.end + len(gone)]
