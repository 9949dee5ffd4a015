"""The prefix cache: a radix tree over tokens that remembers which lane holds which prefix.

A node is a run of tokens; the path from the root to it spells a prefix. Every leaf has a lane whose
cells hold the whole path, so any prefix in the tree can be shared with a new lane by copying from
some leaf below it. In a unified KV cache that copy shares cells and computes nothing.

A running sequence is attached to the node where its shared part ends:

    0                node.end            n_computed         len(tokens)
    |  cached: shared with |  private to its    |  todo: no cells |
    |  every lane below    |  lane              |  yet            |
      in the tree            counted by Cells     n_free

`attach` finds the longest prefix and pins its end; `extend` moves the private part into the tree
(dropping what another sequence has put there meanwhile, so equal tokens never hold two cells);
`detach` unpins, and leaves the lane to the tree if it is some leaf's. Only leaves without a pin are
evicted, least recently used first, from their ends (where a lane is wanted: the shortest of the
older ones); a parent whose last child goes becomes a leaf and takes over the lane. So a pinned node
is never evicted: it is a leaf, or has leaves below.

Prefixes are kept apart by namespace: one tree each.

The tree decides; what it decided is in `ops`, for the next plan to carry out, in order.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from mullama.engine.cells import Cells
from mullama.types import Copy, Remove, Token

NO_LANE = -1
# Evicting a few cells at a time would cost an operation a step; below this an entry is no use.
EVICT_AT_LEAST = 64


def tokens_of(values: Iterable[Token]) -> array[int]:
    """Tokens as the compact array that the tree keeps and compares."""
    return array("i", values)


def common_length(a: array[int], b: array[int], b_start: int, limit: int) -> int:
    """How many tokens `a` and `b[b_start:]` begin with in common, at most `limit`."""
    low, high = 0, min(limit, len(a), len(b) - b_start)
    if high <= 0 or a[0] != b[b_start]:
        return 0
    if a[:high] == b[b_start : b_start + high]:
        return high
    while high - low > 1:  # a[:low] is equal, a[:high] is not
        middle = (low + high) // 2
        if a[low:middle] == b[b_start + low : b_start + middle]:
            low = middle
        else:
            high = middle
    return low


@dataclass(eq=False, slots=True)
class Node:
    """A run of tokens at positions [start, end). The root is empty."""

    parent: Node | None
    tokens: array[int]
    start: int
    lane: int = NO_LANE  # a leaf's: it holds positions [0, end)
    n_pins: int = 0  # running sequences attached here
    used: int = 0  # when last, in ticks
    children: dict[Token, Node] = field(default_factory=dict)

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)

    def path(self) -> Iterator[Node]:
        """This node and those above it, without the root."""
        node: Node = self
        while node.parent is not None:
            yield node
            node = node.parent


class Cache(Protocol):
    """What the scheduler needs of a prefix cache; `naive.NoCache` is the other one."""

    ops: list[Copy | Remove]
    n_evicted: int  # cells so far
    shares: bool  # whether a sequence ever finds what another one computed

    @property
    def n_idle(self) -> int:
        """Lanes that the cache owns."""
        ...

    def peek(self, tokens: array[int], limit: int, namespace: Hashable) -> int:
        """The longest prefix of `tokens[:limit]` that is cached; changes nothing."""
        ...

    def attach(self, lane: int, tokens: array[int], limit: int, namespace: Hashable) -> Node:
        """Share the longest cached prefix of `tokens[:limit]` with `lane`, and pin it."""
        ...

    def extend(self, node: Node, lane: int, tokens: array[int], n: int) -> Node:
        """Cache `tokens[:n]`, all computed on `lane`; the pin moves from `node` to their end."""
        ...

    def detach(self, node: Node, lane: int) -> None:
        """Unpin; the lane becomes the cache's or free. It must hold nothing private."""
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
        """Evict all of a namespace that is not pinned."""
        ...

    def clear(self) -> None:
        """Evict all that is not pinned."""
        ...

    def count(self) -> int:
        """Cached cells, counted afresh; asserts what must hold of the tree."""
        ...


class PrefixCache:
    """The radix tree. See the module's text for its rules."""

    shares = True

    def __init__(self, cells: Cells) -> None:
        self.ops: list[Copy | Remove] = []
        self.n_evicted = 0
        self._cells = cells
        self._roots: dict[Hashable, Node] = {}
        self._leaves: dict[int, Node] = {}  # by lane
        self._idle: set[int] = set()
        self._tick = 0

    @property
    def n_idle(self) -> int:
        return len(self._idle)

    def peek(self, tokens: array[int], limit: int, namespace: Hashable) -> int:
        node, _, overlap = self._walk(self._root(namespace), tokens, limit)
        return node.end + overlap

    def attach(self, lane: int, tokens: array[int], limit: int, namespace: Hashable) -> Node:
        node, child, overlap = self._walk(self._root(namespace), tokens, limit)
        if child is not None and overlap:
            node = self._split(child, overlap)
        if node.end:
            self.ops.append(Copy(self._holder(node), lane, 0, node.end))
        self._pin(node)
        return node

    def extend(self, node: Node, lane: int, tokens: array[int], n: int) -> Node:
        if n <= node.end:
            return node
        end, child, overlap = self._walk(node, tokens, n)
        if child is not None and overlap:
            end = self._split(child, overlap)
        if end is not node:  # somebody else computed these tokens too: share theirs, drop ours
            self.ops.append(Remove(lane, node.end, end.end))
            self.ops.append(Copy(self._holder(end), lane, node.end, end.end))
            self._cells.drop_private(end.end - node.end)
        if end.end < n:
            end = self._grow(end, lane, tokens[end.end : n])
        if end is not node:
            node.n_pins -= 1
            end.n_pins += 1
        self._touch(end)
        return end

    def detach(self, node: Node, lane: int) -> None:
        node.n_pins -= 1
        if node.lane == lane:
            self._idle.add(lane)
        else:
            self._release(lane)

    def evict(self, n: int) -> int:
        freed = 0
        while freed < n:
            leaf = self._oldest()
            if leaf is None:
                break
            freed += self._trim(leaf, max(n - freed, EVICT_AT_LEAST))
        return freed

    def free_lane(self) -> bool:
        while not self._cells.n_free_lanes:
            leaves = sorted(self._unpinned(), key=lambda leaf: leaf.used)
            if not leaves:
                return False
            # A lane is worth what it holds: many short prompts must not push out a long one.
            older = leaves[: len(leaves) // 2 + 1]
            leaf = min(older, key=lambda leaf: len(leaf.tokens))
            self._trim(leaf, len(leaf.tokens))
        return True

    def n_pinned(self, nodes: Iterable[Node]) -> int:
        pinned = {id(above): len(above.tokens) for node in nodes for above in node.path()}
        return sum(pinned.values())

    def drop(self, namespace: Hashable) -> None:
        root = self._roots.pop(namespace, None)
        if root is None:
            return
        leaves = [leaf for leaf in self._leaves.values() if _root_of(leaf) is root]
        while leaves:
            leaf = leaves.pop()
            parent = leaf.parent
            if leaf.n_pins or parent is None:
                continue
            self._trim(leaf, len(leaf.tokens))
            if parent.lane != NO_LANE:
                leaves.append(parent)
        if root.children or root.n_pins:
            self._roots[namespace] = root  # a running sequence is still there

    def clear(self) -> None:
        for namespace in list(self._roots):
            self.drop(namespace)

    def count(self) -> int:
        total, leaves = 0, 0
        for root in self._roots.values():
            for node in _below(root):
                total += len(node.tokens)
                leaf = not node.children
                leaves += leaf
                assert leaf == (node.lane != NO_LANE), f"node at {node.start}: leaf without a lane"
                assert not leaf or self._leaves[node.lane] is node
                assert node.tokens, "an empty node"
        assert leaves == len(self._leaves), f"{leaves} leaves, {len(self._leaves)} known"
        assert self._idle <= self._leaves.keys(), "an idle lane that holds no leaf"
        return total

    # -- the tree -----------------------------------------------------------------------------

    def _root(self, namespace: Hashable) -> Node:
        root = self._roots.get(namespace)
        if root is None:
            root = self._roots[namespace] = Node(None, tokens_of(()), 0)
        return root

    def _walk(self, node: Node, tokens: array[int], limit: int) -> tuple[Node, Node | None, int]:
        """The last node below `node` that matches whole; the child after it that matches in part,
        and how much of it."""
        while node.end < limit:
            child = node.children.get(tokens[node.end])
            if child is None:
                break
            n = common_length(child.tokens, tokens, child.start, limit - child.start)
            if n < len(child.tokens):
                return node, child, n
            node = child
        return node, None, 0

    def _split(self, node: Node, n: int) -> Node:
        """Cut a node after its n-th token; returns the new upper part."""
        assert node.parent is not None
        upper = Node(node.parent, node.tokens[:n], node.start, used=node.used)
        node.parent.children[upper.tokens[0]] = upper
        node.parent, node.tokens, node.start = upper, node.tokens[n:], upper.end
        upper.children[node.tokens[0]] = node
        return upper

    def _grow(self, node: Node, lane: int, tokens: array[int]) -> Node:
        """Put `tokens` below `node`; returns the leaf that ends with them."""
        self._cells.publish(len(tokens))
        if node.lane == lane and node.n_pins == 1:  # our own leaf, and nobody else's place
            node.tokens.extend(tokens)
            return node
        if node.lane != NO_LANE:
            self._pass_over(node)
        leaf = Node(node, tokens, node.end, lane)
        node.children[tokens[0]] = leaf
        self._leaves[lane] = leaf
        return leaf

    def _pass_over(self, node: Node) -> None:
        """A leaf is about to get a child: its own lane is not needed to hold it any more."""
        lane, node.lane = node.lane, NO_LANE
        del self._leaves[lane]
        if lane in self._idle:
            self._release(lane)

    def _holder(self, node: Node) -> int:
        while node.lane == NO_LANE:
            node = next(iter(node.children.values()))
        return node.lane

    def _pin(self, node: Node) -> None:
        node.n_pins += 1
        self._touch(node)

    def _touch(self, node: Node) -> None:
        self._tick += 1
        for above in node.path():
            above.used = self._tick

    # -- eviction -----------------------------------------------------------------------------

    def _unpinned(self) -> Iterator[Node]:
        """The leaves that may be evicted."""
        leaves = (self._leaves[lane] for lane in self._idle)
        return (leaf for leaf in leaves if not leaf.n_pins)

    def _oldest(self) -> Node | None:
        return min(self._unpinned(), key=lambda leaf: leaf.used, default=None)

    def _trim(self, leaf: Node, n: int) -> int:
        """Evict the last `n` tokens of an unpinned leaf, all of it if no more are left."""
        n = min(n, len(leaf.tokens))
        self._cells.drop_cached(n)
        self.n_evicted += n
        if n < len(leaf.tokens):
            del leaf.tokens[-n:]
            self.ops.append(Remove(leaf.lane, leaf.end))
        else:
            self._remove(leaf)
        return n

    def _remove(self, leaf: Node) -> None:
        parent, lane = leaf.parent, leaf.lane
        assert parent is not None
        del parent.children[leaf.tokens[0]]
        del self._leaves[lane]
        if parent.children or parent.parent is None:
            self._release(lane)
        else:
            parent.lane = lane
            self._leaves[lane] = parent
            self.ops.append(Remove(lane, parent.end))

    def _release(self, lane: int) -> None:
        self._idle.discard(lane)
        self.ops.append(Remove(lane, 0))
        self._cells.give_lane(lane)


def _root_of(node: Node) -> Node:
    while node.parent is not None:
        node = node.parent
    return node


def _below(root: Node) -> Iterator[Node]:
    todo = list(root.children.values())
    while todo:
        node = todo.pop()
        todo.extend(node.children.values())
        yield node
