"""The part of the tree that is kept in copies: what is copied, in which pieces, what comes of it.

A copy of a node's cells lets the node leave the KV cache and stay in the tree. Sequences that end
are queued, and copied at leisure (`save`), some bytes a step, from the top of their path down: what
is copied is always a beginning. What must leave before its turn is copied at once, in pieces that
come back one by one. `written` is told when the copies are there: then they may go to disk, and
what is over the host tier's budget is forgotten. `insert` takes in what was read from disk.

A model that forgets (`exact`) goes on only from states that were saved: there a copy is of use if
its node has a state, or leads to one.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Hashable

from mullama.engine.cells import Cells
from mullama.engine.disk_tier import DiskTier, Fetched
from mullama.engine.live_tree import LiveTree
from mullama.engine.radix import Node, unlink, walk
from mullama.engine.tiers import HostTier
from mullama.types import Blob, Save


class CopiedTree(LiveTree):
    """A live tree with a host tier behind it, and a disk behind that, if there are any."""

    def __init__(
        self, cells: Cells, tier: HostTier | None, disk: DiskTier | None, *, exact: bool
    ) -> None:
        super().__init__(cells, tier)
        self.exact = exact
        self._disk = disk
        self._to_write: list[tuple[Node, Blob]] = []
        self._unsaved: deque[Node] = deque()

    @property
    def n_unsaved(self) -> int:
        return len(self._unsaved)

    def save(self, n_bytes: int) -> None:
        while self._unsaved and n_bytes > 0:
            part = self._first_unsaved(self._unsaved[0])
            if part is None or self._tier is None:
                self._unsaved.popleft()
                continue
            n = self._tier.n_tokens_in(n_bytes)
            if len(part.tokens) > n:
                part = self._split(part, n)
            self._save(part, self._tier)
            assert part.cells is not None
            n_bytes -= part.cells.n_bytes

    def _first_unsaved(self, node: Node) -> Node | None:
        """The first node on the path to `node` that should have a copy and has none."""
        if not node.live or node.parent is None or not self._keeps(node):
            return None
        unsaved = [above for above in self._usable(node).path() if above.cells is None]
        return unsaved[-1] if unsaved else None

    def _keeps(self, node: Node) -> bool:
        """Whether a copy of the node would be of use, be it to the copies below it."""
        if self._tier is None or len(node.children) > node.n_live:
            return self._tier is not None
        useful = not self.exact or node.state is not None or bool(node.children)
        return useful and node.end >= self._tier.min_tokens

    def _save_in_pieces(self, node: Node, tier: HostTier) -> list[Node]:
        """Copy all of a node, so that it comes back piece by piece; the parts that it became."""
        parts = []
        while len(node.tokens) > tier.piece:
            parts.append(self._split(node, tier.piece))
        parts.append(node)
        for part in parts:
            self._save(part, tier)
        return parts

    def _save(self, node: Node, tier: HostTier) -> None:
        blob = tier.save_cells(node)
        self.ops.append(Save(node.holder(), blob))
        self._to_write.append((node, blob))

    def written(self) -> None:
        to_write, self._to_write = self._to_write, []
        if self._disk is not None:
            for node, blob in to_write:
                self._write(self._disk, node, blob)
        if self._tier is None:
            return
        for node in self._tier.over_budget():
            self._forget(node)

    def _write(self, disk: DiskTier, node: Node, blob: Blob) -> None:
        if blob is node.state:
            disk.save_state(node)
        elif node.end == blob.end and (root := self._top(node)) in self._namespaces:
            disk.save(self._namespaces[root], node, blob)

    def insert(self, tokens: array[int], namespace: Hashable, fetched: Fetched) -> bool:
        part, cells, state = fetched
        node = self._reach(namespace, tokens, part.end)
        if node.end < part.entry.start or self._tier is None:
            return False
        if node.end < part.end and cells is not None:
            start = node.end
            node = Node(node, tokens[start : part.end], start, live=False, key=part.entry.key)
            assert node.parent is not None
            node.parent.children[node.tokens[0]] = node
            self._tier.give_cells(node, cells)
        if state is not None and node.end == state.end and node.state is None:
            self._tier.give_state(node, state)
        self._touch(node)
        return True

    def _reach(self, namespace: Hashable, tokens: array[int], end: int) -> Node:
        """The node at whose end the tree and `tokens[:end]` part."""
        node, child, overlap = walk(self._root(namespace), tokens, end)
        return node if child is None else self._split(child, overlap)

    def _usable(self, node: Node) -> Node:
        """The lowest node of the path at whose end a sequence can go on."""
        while self.exact and node.state is None and node.parent is not None:
            node = node.parent
        return node

    def _forget(self, node: Node) -> None:
        """Drop a node's copies, and the node with its last one."""
        assert self._tier is not None
        self._tier.forget(node)
        if not node.live:
            unlink(node)

    def _lose(self, node: Node) -> None:
        if self._tier is not None:
            self._tier.forget(node)
