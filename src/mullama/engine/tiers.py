"""The host tier: copies of prefixes in memory, under one budget in bytes.

The prefix cache asks it for blobs to save into, tells it which nodes use them, and lets it name
what goes when the budget is exceeded: the least recently used first, and a node before its parents,
which are no use to it without them. A copy whose node is live too goes like any other: dropping it
loses nothing but the copying.

A blob can have several nodes as users, since nodes are split and bytes are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mullama.engine.radix import Node
from mullama.types import Blob

# One saved piece: a stream waits while it is copied, and it is loaded as a whole.
PIECE_BYTES = 16 << 20
MOST_PIECE_TOKENS = 512
LEAST_PIECE_TOKENS = 32
LEAST_AT_LEISURE = 64  # tokens of a piece that is copied while others stream
# What the budget is brought down to when it is exceeded, so that it isn't at each step.
ROOM_AFTER_SHRINKING = 0.95


@dataclass(frozen=True, slots=True)
class TierOptions:
    """`ram` in bytes, 0 for no host tier. Prefixes of fewer than `min_tokens` are not copied."""

    ram: int = 0
    min_tokens: int = 32


class HostTier:
    """The copies and what they take. `max_bytes` is exceeded for a step at most."""

    def __init__(self, options: TierOptions, cell_bytes: int, state_bytes: int) -> None:
        self.min_tokens = options.min_tokens
        self.max_bytes = options.ram
        self.piece = max(
            LEAST_PIECE_TOKENS, min(MOST_PIECE_TOKENS, PIECE_BYTES // max(1, cell_bytes))
        )
        self._cell_bytes = cell_bytes
        self._state_bytes = state_bytes
        self._users: dict[Blob, int] = {}
        self._nodes: set[Node] = set()
        self.n_bytes = 0  # of all copies; of those just made, an estimate
        self._recount = False  # there are such
        self.n_dropped = 0  # blobs so far

    def n_tokens_in(self, n_bytes: int) -> int:
        """Tokens of a piece that has about `n_bytes`, within reason."""
        return max(min(self.piece, LEAST_AT_LEISURE), min(self.piece, n_bytes // self._cell_bytes))

    def save_cells(self, node: Node) -> Blob:
        """A blob for a copy of the node's cells, which the node now has."""
        blob = Blob(node.start, node.end, len(node.tokens) * self._cell_bytes)
        self.give_cells(node, blob)
        return blob

    def save_state(self, node: Node) -> Blob:
        """A blob for the state at the node's end, which the node now has."""
        node.state = Blob(node.end, node.end, self._state_bytes)
        self._add(node, node.state)
        return node.state

    def give_cells(self, node: Node, blob: Blob) -> None:
        """`blob` has the node's cells, among others perhaps."""
        node.cells = blob
        self._add(node, blob)

    def give_state(self, node: Node, blob: Blob) -> None:
        node.state = blob
        self._add(node, blob)

    def _add(self, node: Node, blob: Blob) -> None:
        n_users = self._users.get(blob, 0)
        self._users[blob] = n_users + 1
        self._nodes.add(node)
        if not n_users:
            self.n_bytes += blob.n_bytes
            self._recount = True

    def forget(self, node: Node) -> None:
        """The node's copies are not wanted any more."""
        for blob in (node.cells, node.state):
            if blob is not None:
                self._release(blob)
        node.cells = node.state = None
        self._nodes.discard(node)

    def _release(self, blob: Blob) -> None:
        self._users[blob] -= 1
        if not self._users[blob]:
            del self._users[blob]
            self.n_bytes -= blob.n_bytes
            self.n_dropped += 1

    def over_budget(self) -> Iterator[Node]:
        """Nodes whose copies should go, while the budget is exceeded: the next is named when the
        one before is forgotten, or turned out to be wanted."""
        if self._recount:
            self.n_bytes, self._recount = sum(blob.n_bytes for blob in self._users), False
        if self.n_bytes <= self.max_bytes:
            return
        wanted = self.max_bytes * ROOM_AFTER_SHRINKING
        for node in sorted(self._nodes, key=lambda node: (node.used, -node.start)):
            if self.n_bytes <= wanted:
                break
            if not node.n_holds and (node.live or not node.children):
                yield node

    def check(self, nodes: list[Node]) -> None:
        """Compare with the tree's nodes: AssertionError where a sum is wrong."""
        holding = {node for node in nodes if node.cells or node.state}
        assert holding == self._nodes, f"{len(holding)} nodes with copies, {len(self._nodes)} known"
        users: dict[Blob, int] = {}
        for node in nodes:
            for blob in (node.cells, node.state):
                if blob is not None:
                    users[blob] = users.get(blob, 0) + 1
        assert users == self._users, "blobs and their users"
