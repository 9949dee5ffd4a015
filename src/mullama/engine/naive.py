"""No prefix cache: every sequence computes all of its tokens and leaves nothing behind.

The second implementation of `prefix_cache.Cache`: what turning the cache off means, and the plain
truth that the radix tree is tested against.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable

from mullama.engine.cells import Cells
from mullama.engine.prefix_cache import Node, tokens_of
from mullama.types import Copy, Remove


class NoCache:
    """Always a miss."""

    shares = False
    n_idle = 0
    n_evicted = 0

    def __init__(self, cells: Cells) -> None:
        self.ops: list[Copy | Remove] = []
        self._cells = cells

    def peek(self, tokens: array[int], limit: int, namespace: Hashable) -> int:
        return 0

    def attach(self, lane: int, tokens: array[int], limit: int, namespace: Hashable) -> Node:
        return Node(None, tokens_of(()), 0)

    def extend(self, node: Node, lane: int, tokens: array[int], n: int) -> Node:
        return node

    def detach(self, node: Node, lane: int) -> None:
        self.ops.append(Remove(lane, 0))
        self._cells.give_lane(lane)

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
