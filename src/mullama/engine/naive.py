"""No prefix cache: every sequence computes all of its tokens and leaves nothing behind.

The second implementation of `prefix_cache.Cache`: what turning the cache off means, and the plain
truth that the radix tree is tested against.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable

from mullama.engine.cache import Match
from mullama.engine.cells import Cells
from mullama.engine.disk_tier import Fetched
from mullama.engine.misses import Reason, Shortfall
from mullama.engine.radix import Node, tokens_of
from mullama.types import Op, Remove


class NoCache:
    """Always a miss."""

    shares = False
    exact = False
    n_idle = 0
    n_evicted = 0
    n_unsaved = 0

    def __init__(self, cells: Cells) -> None:
        self.ops: list[Op] = []
        self._cells = cells

    def peek(self, tokens: array[int], limit: int, namespace: Hashable) -> tuple[int, int]:
        return 0, 0

    def explain(
        self, tokens: array[int], limit: int, namespace: Hashable, n_cached: int
    ) -> Shortfall:
        return Shortfall(Reason.UNSHARED, 0)

    def attach(self, lane: int, tokens: array[int], limit: int, namespace: Hashable) -> Match:
        return Match(Node(None, tokens_of(()), 0))

    def restore(self, match: Match, lane: int) -> Match:
        return match

    def forget(self, match: Match) -> None: ...

    def extend(self, node: Node, lane: int, tokens: array[int], n: int) -> Node:
        return node

    def checkpoint(self, node: Node, lane: int) -> None: ...

    def detach(self, match: Match, lane: int) -> None:
        self.ops.append(Remove(lane, 0))
        self._cells.give_lane(lane)

    def save(self, n_bytes: int) -> None: ...

    def want(self, tokens: array[int], limit: int, namespace: Hashable) -> None: ...

    def demote(self) -> None: ...

    def insert(self, tokens: array[int], namespace: Hashable, fetched: Fetched) -> bool:
        return False

    def written(self) -> None: ...

    def evict(self, n: int) -> int:
        return 0

    def free_lane(self) -> bool:
        return bool(self._cells.n_free_lanes)

    def n_pinned(self, nodes: Iterable[Node]) -> int:
        return 0

    def clear(self) -> None: ...

    def drop(self, namespace: Hashable) -> None: ...

    def count(self) -> int:
        return 0
