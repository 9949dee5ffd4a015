"""The prefix cache: which lanes and which copies hold which prefixes, in a radix tree over tokens.

A running sequence is attached to the node where its shared part ends:

    0                node.end            n_computed         len(tokens)
    |  cached: shared with |  private to its    |  todo: no cells |
    |  every lane below    |  lane              |  yet            |
      in the tree            counted by Cells     n_free

`attach` finds the longest prefix and pins the end of what is live of it; where the rest has copies,
`restore` puts them back piece by piece. `extend` moves the private part into the tree (dropping
what another sequence has put there meanwhile, so equal tokens never hold two cells); `detach`
unpins, and leaves the lane to the tree if it is some leaf's. In a unified KV cache sharing with a
lane copies nothing and computes nothing.

Only live leaves without a pin are evicted, least recently used first, from their ends (where a lane
is wanted: the shortest of the older ones); a parent whose last live child goes becomes a leaf and
takes over the lane. So a pinned node is never evicted: it is a leaf, or has leaves below. With a
host tier what is evicted is copied first, and its node stays in the tree.

Idle prefixes slow the running ones down, since attention passes over their cells, and come back
from the host tier in a millisecond: so they are copied at leisure (`copied_tree` does that), and
leave the KV cache when a step computes something and no request that waits wants them (`demote`).
While nothing runs they stay.

A model that forgets (`exact`) can go on from a prefix only where its state was saved: a node with a
state is what `attach` looks for, and `checkpoint` makes one. Nothing is shared between two nodes.

Prefixes are kept apart by namespace: one tree each.

The tree decides; what it decided is in `ops`, for the next plan to carry out, in order.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Hashable
from itertools import islice

from mullama.engine.cache import Match
from mullama.engine.cells import Cells
from mullama.engine.copied_tree import CopiedTree
from mullama.engine.disk_tier import DiskTier
from mullama.engine.misses import Reason, Shortfall, is_longer_in, shortfall
from mullama.engine.radix import Node, common_length, unlink, walk
from mullama.engine.tiers import HostTier
from mullama.types import Copy, Load, LoadState, Remove, SaveState

# Evicting a few cells at a time would cost an operation a step; below this an entry is no use.
EVICT_AT_LEAST = 64
# Fewer tokens than this are not looked for in the middle of a prefix: many begin alike.
LEAST_OVERLAP = 8
# Steps for which a prefix stays in the KV cache when a request that arrived wants it.
STEPS_WANTED = 16
# Other namespaces, the newest, in which a prefix that is missing is looked for.
MOST_OTHERS = 64


class PrefixCache(CopiedTree):
    """The radix tree. See the module's text for its rules."""

    shares = True

    def __init__(
        self,
        cells: Cells,
        tier: HostTier | None = None,
        *,
        exact: bool = False,
        worth: Callable[[int, int], bool] = lambda n_tokens, n_bytes: True,
        disk: DiskTier | None = None,
    ) -> None:
        """`worth` says whether so many tokens are sooner restored from so many bytes."""
        super().__init__(cells, tier, disk, exact=exact)
        self.n_evicted = 0
        self._worth = worth

    # -- a sequence's life --------------------------------------------------------------------

    def peek(self, tokens: array[int], limit: int, namespace: Hashable) -> tuple[int, int]:
        node, child, overlap = walk(self._root(namespace), tokens, limit)
        node = self._usable(node)
        n_live, n_all = node.last_live().end, node.end
        if child is not None and self._is_worth_splitting(child, overlap):
            n_all += overlap
            n_live += overlap if child.live else 0
        return n_live, n_all

    def explain(
        self, tokens: array[int], limit: int, namespace: Hashable, n_cached: int
    ) -> Shortfall:
        node, child, overlap = walk(self._root(namespace), tokens, limit)
        n_known = node.end + overlap
        n_usable = self._usable(node).end if self.exact else n_known
        if n_cached < n_usable:
            return Shortfall(Reason.NOT_WORTH, n_known)
        if n_usable < n_known:
            return Shortfall(Reason.NO_CHECKPOINT, n_known)
        if n_known == limit:
            return Shortfall(Reason.WHOLE, n_known)
        found = shortfall(node, child, overlap, tokens)
        others = islice(reversed(self._roots.values()), MOST_OTHERS)
        if found.reason is not Reason.EVICTED and is_longer_in(others, tokens, limit, n_known):
            return Shortfall(Reason.OTHER_NAMESPACE, n_known)
        return found

    def attach(self, lane: int, tokens: array[int], limit: int, namespace: Hashable) -> Match:
        node, child, overlap = walk(self._root(namespace), tokens, limit)
        if child is not None and self._is_worth_splitting(child, overlap):
            node = self._split(child, overlap)
        goal = self._worthwhile(self._usable(node))
        live = goal.last_live()
        if live.end:
            self.ops.append(Copy(live.holder(), lane, 0, live.end))
        live.n_pins += 1
        goal.n_holds += 1
        self._touch(goal)
        return self._towards(live, goal, lane)

    def restore(self, match: Match, lane: int) -> Match:
        node, goal = match
        assert goal is not None
        child = node.child_towards(goal)
        if child.live:
            self.ops.append(Copy(child.holder(), lane, child.start, child.end))
        else:
            assert child.cells is not None
            self.ops.append(Load(child.cells, lane, child.start, child.end))
            self._cells.restore(len(child.tokens))
            self._enliven(child, lane)
        self._move_pin(node, child)
        return self._towards(child, goal, lane)

    def _towards(self, node: Node, goal: Node, lane: int) -> Match:
        if node is not goal:
            return Match(node, goal)
        goal.n_holds -= 1
        if self.exact and goal.state is not None:
            self.ops.append(LoadState(goal.state, lane))
        return Match(node)

    def forget(self, match: Match) -> None:
        node, goal = match
        assert goal is not None
        assert self._tier is not None
        first = node.child_towards(goal)
        for below in (first, *first.below()):
            assert not below.n_holds
            self._tier.forget(below)
        unlink(first)

    def extend(self, node: Node, lane: int, tokens: array[int], n: int) -> Node:
        start = node
        while node.end < n:
            child = node.children.get(tokens[node.end])
            if child is None:
                node = self._grow(node, lane, tokens[node.end : n])
                break
            if child.live and self.exact:
                break  # ours stays private: a state can't be cut out and exchanged
            overlap = common_length(child.tokens, tokens, child.start, n - child.start)
            if overlap < len(child.tokens):
                child = self._split(child, overlap)
            if child.live:  # somebody else computed these tokens too: share theirs, drop ours
                self.ops.append(Remove(lane, child.start, child.end))
                self.ops.append(Copy(child.holder(), lane, child.start, child.end))
                self._cells.drop_private(len(child.tokens))
            else:
                self._cells.publish(len(child.tokens))
                self._enliven(child, lane)
            node = child
        self._move_pin(start, node)
        self._touch(node)
        return node

    def checkpoint(self, node: Node, lane: int) -> None:
        if self._tier is not None and node.state is None and node.end >= self._tier.min_tokens:
            blob = self._tier.save_state(node)
            self.ops.append(SaveState(lane, blob))
            self._to_write.append((node, blob))

    def detach(self, match: Match, lane: int) -> None:
        node, goal = match
        node.n_pins -= 1
        if goal is not None:
            goal.n_holds -= 1
        if node.lane != lane:
            self._release(lane)
            return
        self.ops.append(Remove(lane, node.end))
        self._idle[lane] = self._step
        if self._tier is not None:
            self._unsaved.append(node)

    # -- eviction -----------------------------------------------------------------------------

    def demote(self) -> None:
        self._step += 1
        if self._tier is None:
            return
        for lane, until in list(self._idle.items()):
            while self._step > until and lane in self._idle:
                leaf = self._leaves[lane]
                if leaf.n_pins or (leaf.cells is None and self._keeps(leaf)):
                    break
                self._evict_leaf(leaf)

    def want(self, tokens: array[int], limit: int, namespace: Hashable) -> None:
        node, child, overlap = walk(self._root(namespace), tokens, limit)
        if child is not None and child.live and overlap >= LEAST_OVERLAP:
            node = child
        live = node.last_live()
        if live.end and (lane := live.holder()) in self._idle:
            self._idle[lane] = self._step + STEPS_WANTED

    def evict(self, n: int) -> int:
        freed = 0
        while freed < n:
            leaf = min(self._unpinned(), key=lambda leaf: leaf.used, default=None)
            if leaf is None:
                break
            freed += self._trim(leaf, max(n - freed, EVICT_AT_LEAST))
        return freed

    def free_lane(self) -> bool:
        while not self._cells.n_free_lanes:
            leaves = sorted(self._unpinned(), key=lambda leaf: leaf.used)
            if not leaves:
                return False
            # A lane is worth what it holds: many short prompts must not push out a long one. And
            # what has a copy goes at once, where another would be copied in one step.
            older = leaves[: len(leaves) // 2 + 1]
            self._evict_leaf(min(older, key=lambda leaf: (leaf.cells is None, len(leaf.tokens))))
        return True

    def drop(self, namespace: Hashable) -> None:
        root = self._roots.get(namespace)
        if root is None:
            return
        for node in reversed(list(root.below())):  # each after its children
            if node.children or node.n_pins or node.n_holds:
                continue
            if self._tier is not None:
                self._tier.forget(node)
            if node.live:
                self._take_out(node)
            unlink(node)
        if not root.children and not root.n_pins:
            del self._namespaces[self._roots.pop(namespace)]

    def clear(self) -> None:
        for namespace in list(self._roots):
            self.drop(namespace)

    def _trim(self, leaf: Node, n: int) -> int:
        """Evict the last `n` tokens of an unpinned leaf, all of it if no more are left."""
        if n < len(leaf.tokens) and not self.exact:
            self._split(leaf, len(leaf.tokens) - n)
        return self._evict_leaf(leaf)

    def _evict_leaf(self, leaf: Node) -> int:
        """Take an unpinned leaf out of the KV cache; its node stays if it has a copy. Returns how
        many cells are free."""
        n = len(leaf.tokens)
        parts = [leaf]
        if leaf.cells is None and self._tier is not None and self._keeps(leaf):
            parts = self._save_in_pieces(leaf, self._tier)
        for part in reversed(parts):
            self._take_out(part)
        self.n_evicted += n
        if leaf.cells is None:
            for below in leaf.below():
                self._lose(below)
            self._lose(leaf)
            unlink(leaf)
        return n

    # -- the tree -----------------------------------------------------------------------------

    def _worthwhile(self, goal: Node) -> Node:
        """The goal, or what is live of it where the rest is sooner computed than restored."""
        blobs = {blob for node in goal.path() if not node.live and (blob := node.cells) is not None}
        if self.exact and goal.state is not None:
            blobs.add(goal.state)
        n_tokens = goal.end - (0 if self.exact else goal.last_live().end)
        if not blobs or self._worth(n_tokens, sum(blob.n_bytes for blob in blobs)):
            return goal
        return self._usable(goal.last_live()) if not self.exact else self._top(goal)

    def _is_worth_splitting(self, node: Node, overlap: int) -> bool:
        """Whether only the beginning of a node is of use."""
        if node.live or node.cells is None or self.exact:
            return not self.exact
        return overlap >= LEAST_OVERLAP and self._worth(overlap, node.cells.n_bytes)
