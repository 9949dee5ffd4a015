"""What the scheduler needs of a prefix cache.

`prefix_cache.PrefixCache` is the radix tree, `naive.NoCache` the other implementation. A match is a
sequence's place in a cache; everything else about a cache is its own business.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable
from typing import NamedTuple, Protocol

from mullama.engine.disk_tier import Fetched
from mullama.engine.misses import Shortfall
from mullama.engine.radix import Node
from mullama.types import Op


class Match(NamedTuple):
    """A sequence's place in the tree: `node` is live and pinned. While there is a `goal`, which is
    held, the way there is to be restored before anything is computed."""

    node: Node
    goal: Node | None = None


class Cache(Protocol):
    """Shares prefixes among the sequences of one model. Not thread-safe."""

    ops: list[Op]
    n_evicted: int  # cells so far
    shares: bool  # whether a sequence ever finds what another one computed
    exact: bool  # whether a prefix is of use only where there is a checkpoint

    @property
    def n_idle(self) -> int:
        """Lanes that the cache owns."""
        ...

    def peek(self, tokens: array[int], limit: int, namespace: Hashable) -> tuple[int, int]:
        """The longest usable prefix of `tokens[:limit]`, live and in all; changes nothing."""
        ...

    def explain(
        self, tokens: array[int], limit: int, namespace: Hashable, n_cached: int
    ) -> Shortfall:
        """Why no more than `n_cached` of `tokens[:limit]` was found just now."""
        ...

    def attach(self, lane: int, tokens: array[int], limit: int, namespace: Hashable) -> Match:
        """Share the longest live prefix of `tokens[:limit]` with `lane`, and pin it."""
        ...

    def restore(self, match: Match, lane: int) -> Match:
        """Put the next piece on the way to the goal back, on `lane`."""
        ...

    def forget(self, match: Match) -> None:
        """Drop the copies on the way from a match's node to its goal; nobody may hold them."""
        ...

    def extend(self, node: Node, lane: int, tokens: array[int], n: int) -> Node:
        """Cache `tokens[:n]`, all computed on `lane`; the pin moves from `node` to their end."""
        ...

    def checkpoint(self, node: Node, lane: int) -> None:
        """Save the state of `lane`, which holds exactly the node's prefix."""
        ...

    def detach(self, match: Match, lane: int) -> None:
        """Unpin; the lane becomes the cache's or free. What it holds beyond the node is lost."""
        ...

    def save(self, n_bytes: int) -> None:
        """Copy idle prefixes that have no copy yet, about `n_bytes` of them."""
        ...

    def want(self, tokens: array[int], limit: int, namespace: Hashable) -> None:
        """A request arrived: what is live of its prefix should stay until its turn comes."""
        ...

    def demote(self) -> None:
        """A step passes: idle prefixes that have a copy, and that nobody wants, leave."""
        ...

    @property
    def n_unsaved(self) -> int:
        """Prefixes that wait for `save`."""
        ...

    def insert(self, tokens: array[int], namespace: Hashable, fetched: Fetched) -> bool:
        """Put a part of the prefix `tokens` under what is there; False if there is a gap before."""
        ...

    def written(self) -> None:
        """The operations planned before were executed: copies have their bytes now."""
        ...

    def evict(self, n: int) -> int:
        """Free at least `n` cells if that many are unpinned; returns how many were freed."""
        ...

    def free_lane(self) -> bool:
        """Evict until a lane is free; False if every idle lane is pinned."""
        ...

    def n_pinned(self, nodes: Iterable[Node]) -> int:
        """Cached cells that can't be evicted while `nodes` are pinned."""
        ...

    def drop(self, namespace: Hashable) -> None:
        """Forget all of a namespace that is not pinned, copies too."""
        ...

    def clear(self) -> None:
        """Forget all that is not pinned, copies too."""
        ...

    def count(self) -> int:
        """Cached cells, counted afresh; asserts what must hold of the tree."""
        ...
