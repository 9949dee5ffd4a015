"""The live part of the tree: which lanes hold which nodes, in the KV cache's books.

A lane owned by the cache is idle; it belongs to the leaf whose whole prefix it holds. Growing below
a leaf takes its lane, evicting a leaf hands it to the parent. Every change of what a lane holds is
an operation in `ops`, for the next plan to carry out, in order.

Which nodes are worth their place is `prefix_cache`'s business.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator

from mullama.engine.cells import Cells
from mullama.engine.radix import NO_LANE, Node, split, tokens_of
from mullama.engine.tiers import HostTier
from mullama.types import Op, Remove

# Namespaces of which nothing is cached are forgotten when there are more.
MOST_ROOTS = 1024


class LiveTree:
    """A radix tree for each namespace, and the lanes that hold what is live of them."""

    def __init__(self, cells: Cells, tier: HostTier | None) -> None:
        self.ops: list[Op] = []
        self._cells = cells
        self._tier = tier
        self._roots: dict[Hashable, Node] = {}
        self._namespaces: dict[Node, Hashable] = {}  # of the roots
        self._leaves: dict[int, Node] = {}  # live ones, by lane
        self._idle: dict[int, int] = {}  # lanes, with the step until which they are wanted
        self._tick = 0
        self._step = 0

    @property
    def n_idle(self) -> int:
        return len(self._idle)

    def n_pinned(self, nodes: Iterable[Node]) -> int:
        pinned = {id(above): len(above.tokens) for node in nodes for above in node.path()}
        return sum(pinned.values())

    # -- nodes --------------------------------------------------------------------------------

    def _root(self, namespace: Hashable) -> Node:
        root = self._roots.get(namespace)
        if root is None:
            self._drop_empty_roots()
            root = self._roots[namespace] = Node(None, tokens_of(()), 0)
            self._namespaces[root] = namespace
        return root

    def _drop_empty_roots(self) -> None:
        if len(self._roots) < MOST_ROOTS:
            return
        for root in list(self._namespaces):
            if not root.children and not root.n_pins:
                del self._roots[self._namespaces.pop(root)]

    def _top(self, node: Node) -> Node:
        while node.parent is not None:
            node = node.parent
        return node

    def _split(self, node: Node, n: int) -> Node:
        upper = split(node, n)
        if self._tier is not None and upper.cells is not None:
            self._tier.give_cells(upper, upper.cells)
        return upper

    def _grow(self, node: Node, lane: int, tokens: array[int]) -> Node:
        """Put `tokens` below `node`; returns the leaf that ends with them."""
        self._cells.publish(len(tokens))
        bare = node.cells is None and node.state is None and not node.children
        if bare and node.lane == lane and node.n_pins == 1:  # our own leaf, nobody else's place
            node.tokens.extend(tokens)
            node.gone.clear()  # it was of the end before
            return node
        leaf = Node(node, tokens, node.end, live=False)
        node.children[tokens[0]] = leaf
        self._enliven(leaf, lane)
        return leaf

    def _move_pin(self, node: Node, to: Node) -> None:
        node.n_pins -= 1
        to.n_pins += 1

    def _touch(self, node: Node) -> None:
        self._tick += 1
        for above in node.path():
            above.used = self._tick

    # -- lanes --------------------------------------------------------------------------------

    def _enliven(self, node: Node, lane: int) -> None:
        """A node's cells are in the KV cache, on `lane`; its parent's lane has no part in it."""
        parent = node.parent
        assert parent is not None
        assert parent.live
        node.live, node.lane = True, lane
        parent.n_live += 1
        if parent.lane != NO_LANE:
            self._pass_over(parent)
        self._leaves[lane] = node

    def _take_out(self, leaf: Node) -> None:
        """A live leaf's cells are free; its lane goes to the parent, or is free too."""
        parent, lane = leaf.parent, leaf.lane
        assert parent is not None
        assert not leaf.n_live
        self._cells.drop_cached(len(leaf.tokens))
        leaf.live, leaf.lane = False, NO_LANE
        parent.n_live -= 1
        del self._leaves[lane]
        if parent.n_live or parent.parent is None:
            self._release(lane)
        else:
            parent.lane = lane
            self._leaves[lane] = parent
            self.ops.append(Remove(lane, parent.end))

    def _unpinned(self) -> Iterator[Node]:
        """The live leaves that may be evicted."""
        leaves = (self._leaves[lane] for lane in self._idle)
        return (leaf for leaf in leaves if not leaf.n_pins)

    def _pass_over(self, node: Node) -> None:
        """A leaf is about to get a child: its own lane is not needed to hold it any more."""
        lane, node.lane = node.lane, NO_LANE
        del self._leaves[lane]
        if lane in self._idle:
            self._release(lane)

    def _release(self, lane: int) -> None:
        self._idle.pop(lane, None)
        self.ops.append(Remove(lane, 0))
        self._cells.give_lane(lane)

    # -- audit --------------------------------------------------------------------------------

    def count(self) -> int:
        nodes = [node for root in self._roots.values() for node in root.below()]
        leaves = 0
        for node in nodes:
            assert node.parent is not None
            assert node.tokens, "an empty node"
            assert node.live or node.cells is not None, (
                f"node at {node.start}: neither here nor there"
            )
            assert not node.live or node.parent.live, f"node at {node.start}: live under a copy"
            assert node.n_live == sum(child.live for child in node.children.values())
            leaf = node.live and not node.n_live
            leaves += leaf
            assert leaf == (node.lane != NO_LANE), f"node at {node.start}: leaf without a lane"
            assert not leaf or self._leaves[node.lane] is node
        assert leaves == len(self._leaves), f"{leaves} leaves, {len(self._leaves)} known"
        assert self._idle.keys() <= self._leaves.keys(), "an idle lane that holds no leaf"
        if self._tier is not None:
            self._tier.check(nodes)
        return sum(len(node.tokens) for node in nodes if node.live)
