"""A radix tree over tokens, whose nodes know where the KV data of their tokens is.

A node is a run of tokens; the path from the root to it spells a prefix. Its data can be live (in
the KV cache), copied (in a blob outside it), or both. What is live is a tree of its own at the top:

    a live node's parent is live                        (the root always is)
    a live node without live children has a lane, whose cells hold the whole path
    a node that is not live has a copy of its cells

A node may also have a state: what a model that forgets (a recurrent one, one with a sliding window)
remembers at exactly the node's end.

Nothing here decides what to keep, or knows lanes beyond their numbers.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mullama.types import Blob, Token

NO_LANE = -1
# What a node remembers of children that were evicted: so many beginnings, of so many tokens each.
MOST_GONE = 32
GONE_TOKENS = 16


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
    live: bool = True
    lane: int = NO_LANE
    n_live: int = 0  # children that are live
    n_pins: int = 0  # running sequences whose shared cells end here
    n_holds: int = 0  # running sequences that are on their way to restoring it
    used: int = 0  # when last, in ticks
    cells: Blob | None = None  # a copy; after a split it begins earlier or ends later
    state: Blob | None = None
    key: bytes | None = None  # of the segment on disk that has its end
    children: dict[Token, Node] = field(default_factory=dict)
    gone: dict[Token, array[int]] = field(default_factory=dict)  # how evicted children began

    @property
    def end(self) -> int:
        return self.start + len(self.tokens)

    def path(self) -> Iterator[Node]:
        """This node and those above it, without the root."""
        node: Node = self
        while node.parent is not None:
            yield node
            node = node.parent

    def below(self) -> Iterator[Node]:
        """All nodes under this one, each before its children."""
        todo = list(self.children.values())
        while todo:
            node = todo.pop()
            todo.extend(node.children.values())
            yield node

    def prefix(self) -> array[int]:
        """All tokens from the root to this node's end."""
        tokens = tokens_of(())
        for node in reversed(list(self.path())):
            tokens.extend(node.tokens)
        return tokens

    def child_towards(self, below: Node) -> Node:
        """The child of this node on the way to a node under it."""
        node = below
        while node.parent is not self:
            assert node.parent is not None, "not under this node"
            node = node.parent
        return node

    def last_live(self) -> Node:
        """The lowest node of the path that is live, or the root."""
        node = self
        while not node.live:
            assert node.parent is not None
            node = node.parent
        return node

    def holder(self) -> int:
        """A lane that holds the whole prefix of this live node."""
        node = self
        while node.lane == NO_LANE:
            node = next(child for child in node.children.values() if child.live)
        return node.lane


def walk(node: Node, tokens: array[int], limit: int) -> tuple[Node, Node | None, int]:
    """The last node below `node` that `tokens[:limit]` spell whole; the child after it that they
    spell in part, and how much of it."""
    while node.end < limit:
        child = node.children.get(tokens[node.end])
        if child is None:
            break
        n = common_length(child.tokens, tokens, child.start, limit - child.start)
        if n < len(child.tokens):
            return node, child, n
        node = child
    return node, None, 0


def split(node: Node, n: int) -> Node:
    """Cut a node after its n-th token; returns the new upper part. `node` becomes the lower one,
    and keeps lane, pins and state, which belong to its end; a copy of cells is for both."""
    assert node.parent is not None
    upper = Node(
        node.parent,
        node.tokens[:n],
        node.start,
        live=node.live,
        n_live=int(node.live),
        used=node.used,
        cells=node.cells,
        key=node.key,
    )
    node.parent.children[upper.tokens[0]] = upper
    node.parent, node.tokens, node.start = upper, node.tokens[n:], upper.end
    upper.children[node.tokens[0]] = node
    return upper


def unlink(node: Node) -> None:
    """Take a node that is not live, and all below it, out of the tree; its parent remembers how it
    began."""
    parent, first = node.parent, node.tokens[0]
    assert parent is not None
    assert not node.live
    del parent.children[first]
    parent.gone.pop(first, None)  # the newest is the last
    parent.gone[first] = node.tokens[:GONE_TOKENS]
    if len(parent.gone) > MOST_GONE:
        del parent.gone[next(iter(parent.gone))]
    node.parent = None
