from __future__ import annotations

from array import array
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from mullama.engine.cache import Match
from mullama.engine.cells import Cells
from mullama.engine.prefix_cache import PrefixCache
from mullama.engine.radix import NO_LANE, Node, common_length, tokens_of
from mullama.engine.tiers import HostTier, TierOptions
from mullama.types import Copy, Remove, Save


class World:
    """A cache, its books, and the sequences attached to it."""

    def __init__(
        self,
        n_cells: int = 1000,
        n_lanes: int = 8,
        tier: HostTier | None = None,
        worth: Callable[[int, int], bool] = lambda n_tokens, n_bytes: True,
    ) -> None:
        self.cells = Cells(n_cells, n_lanes)
        self.cache = PrefixCache(self.cells, tier, worth=worth)

    def start(self, text: str, namespace: object = None) -> tuple[int, Node, array[int]]:
        tokens = tokens_of(map(ord, text))
        lane = self.cells.take_lane()
        return lane, self.cache.attach(lane, tokens, len(tokens), namespace).node, tokens

    def compute(self, lane: int, node: Node, tokens: array[int]) -> Node:
        self.cells.compute(len(tokens) - node.end)
        return self.cache.extend(node, lane, tokens, len(tokens))

    def run(self, text: str, namespace: object = None) -> int:
        """A whole life of a sequence; returns how much of it was cached."""
        lane, node, tokens = self.start(text, namespace)
        n_cached = node.end
        self.cache.detach(Match(self.compute(lane, node, tokens)), lane)
        self.check()
        return n_cached

    def check(self, n_running: int = 0, n_private: int = 0) -> None:
        self.cells.check(
            n_private=n_private,
            n_cached=self.cache.count(),
            n_running=n_running,
            n_idle=self.cache.n_idle,
        )


def test_a_finished_sequence_is_found_again() -> None:
    world = World()
    assert world.run("hello world") == 0
    assert world.run("hello world, again") == len("hello world")
    assert world.cells.n_cached == len("hello world, again")


def test_sequences_that_part_share_the_beginning_once() -> None:
    world = World()
    world.run("the same start: one")
    assert world.run("the same start: two") == len("the same start: ")
    assert world.cells.n_cached == len("the same start: ") + 6
    assert world.cache.n_idle == 2


def test_a_longer_sequence_replaces_the_lane_of_its_prefix() -> None:
    world = World()
    world.run("abc")
    world.run("abcdef")
    world.run("abcdefghi")
    assert world.cache.n_idle == 1
    assert world.cells.n_cached == 9


def test_a_prefix_of_what_is_cached_needs_no_lane_of_its_own() -> None:
    world = World()
    world.run("abcdef")
    assert world.run("abc") == 3
    assert world.cache.n_idle == 1


def test_a_copy_comes_from_a_lane_that_holds_the_whole_prefix() -> None:
    world = World()
    world.run("abcdef")
    world.cache.ops.clear()
    lane, node, _ = world.start("abcx")
    assert node.end == 3
    assert [op for op in world.cache.ops if isinstance(op, Copy)] == [Copy(0, lane, 0, 3)]


def test_what_two_sequences_computed_at_once_is_kept_once() -> None:
    world = World()
    first, second = world.start("twins"), world.start("twins")
    node = world.compute(*first)
    world.cells.compute(5)
    assert world.cells.n_private == 5
    world.cache.ops.clear()
    other = world.cache.extend(second[1], second[0], second[2], 5)
    assert world.cells.n_private == 0
    assert world.cells.n_cached == 5
    assert world.cache.ops == [Remove(second[0], 0, 5), Copy(first[0], second[0], 0, 5)]
    world.cache.detach(Match(node), first[0])
    world.cache.detach(Match(other), second[0])
    world.check()


def test_a_running_sequence_can_be_shared_from_before_it_ends() -> None:
    world = World()
    lane, node, tokens = world.start("a long prompt and more")
    world.cells.compute(13)
    node = world.cache.extend(node, lane, tokens, 13)
    _, other, _ = world.start("a long prompt, but another")
    assert other.end == 13


def test_eviction_takes_the_least_recently_used_leaf_from_its_end() -> None:
    world = World()
    world.run("x" * 100)
    world.run("y" * 100)
    world.run("x" * 100)  # used again
    assert world.cache.evict(10) == 64
    world.check()
    assert world.run("y" * 100) == 36
    assert world.run("x" * 100) == 100


def test_a_pinned_prefix_is_never_evicted() -> None:
    world = World()
    world.run("pinned prefix and its tail")
    _, node, _ = world.start("pinned prefix")
    world.cache.evict(1000)
    assert world.cells.n_cached == node.end == len("pinned prefix")
    assert world.cache.n_pinned([node]) == node.end
    world.check(n_running=1)


def test_a_parent_takes_over_the_lane_of_its_last_child() -> None:
    world = World()
    world.run("stem-left")
    world.run("stem-right")
    world.cache.evict(4)  # "left", with the whole leaf
    assert world.cells.n_cached == len("stem-right")
    world.cache.evict(1)
    world.check()
    assert world.run("stem-") == world.cells.n_cached


def test_a_lane_is_freed_when_all_are_idle() -> None:
    world = World(n_lanes=2)
    world.run("one")
    world.run("two")
    assert world.cells.n_free_lanes == 0
    assert world.cache.free_lane()
    assert world.run("two") == 3  # the older one went


def test_many_short_prompts_do_not_push_out_a_long_one() -> None:
    world = World(n_lanes=8)
    world.run("x" * 200)
    for n in range(100):
        assert world.cache.free_lane()
        world.run(chr(1000 + n) * 3)
    assert world.cache.free_lane()
    assert world.run("x" * 200) == 200


def test_a_lane_comes_from_a_prefix_that_has_a_copy() -> None:
    """Copying one that has none is the work of a step, however long it is."""
    it = World(n_lanes=3, tier=HostTier(TierOptions(1 << 20, 1), 1, 0))
    it.run("the longest of the three")
    it.cache.save(1)
    it.run("a short one")
    it.run("shorter")
    it.cache.ops.clear()
    assert it.cache.free_lane()
    assert not [op for op in it.cache.ops if isinstance(op, Save)]
    assert it.cache.peek(tokens_of(map(ord, "the longest")), 11, None)[0] == 0


def test_no_more_is_copied_at_once_than_asked_for() -> None:
    it = World(tier=HostTier(TierOptions(1 << 20, 1), 10, 0))
    it.run("a" * 400)
    sizes = []
    while it.cache.n_unsaved:
        it.cache.ops.clear()
        it.cache.save(1000)
        sizes.append(sum(op.blob.n_bytes for op in it.cache.ops if isinstance(op, Save)))
    assert sizes == [1000, 1000, 1000, 1000, 0]
    it.check()


def test_the_beginning_of_a_copy_is_used_where_loading_it_is_sooner_done_than_computing() -> None:
    it = World(tier=HostTier(TierOptions(1 << 20, 1), 10, 0), worth=lambda n, size: size <= 20 * n)
    it.run("twenty tokens of it." + "x" * 20)
    it.cache.save(1000)
    it.cache.written()
    it.cache.evict(40)
    assert it.cache.peek(tokens_of(map(ord, "twenty tokens of it.y")), 21, None) == (0, 20)
    assert it.cache.peek(tokens_of(map(ord, "twenty tokens of it,")), 20, None) == (0, 0)


def test_no_lane_is_freed_while_every_leaf_is_pinned() -> None:
    world = World(n_lanes=2)
    world.run("one")
    world.start("one")
    assert not world.cache.free_lane()


def test_namespaces_do_not_see_each_other() -> None:
    world = World()
    world.run("secret", namespace="a")
    assert world.run("secret", namespace="b") == 0
    assert world.run("secret", namespace="a") == 6
    world.cache.drop("a")
    world.check()
    assert world.cells.n_cached == 6
    assert world.run("secret", namespace="a") == 0


def test_common_length_finds_the_first_difference() -> None:
    a = tokens_of(range(100))
    for n in range(100):
        b = a[:]
        b[n] = -1
        assert common_length(a, b, 0, 1000) == n
    assert common_length(a, a, 0, 7) == 7
    assert common_length(a[90:], a, 90, 1000) == 10
    assert common_length(a, a, 1, 1000) == 0


@given(st.lists(st.tuples(st.text("ab", max_size=12), st.integers(0, 30)), max_size=40))
def test_the_longest_cached_prefix_is_found_whatever_was_evicted(
    lives: list[tuple[str, int]],
) -> None:
    """Compared with a plain set of strings, as long as nothing is evicted; afterwards the books."""
    world = World(n_cells=400, n_lanes=4)
    known: set[str] = set()
    exact = True
    for text, n_evicted in lives:
        if not world.cells.n_free_lanes:
            assert world.cache.free_lane()
            exact = False
        longest = max((n for n in range(len(text) + 1) if text[:n] in known), default=0)
        n_cached = world.run(text)
        assert n_cached == longest if exact else n_cached <= longest
        known |= {text[:n] for n in range(len(text) + 1)}
        if n_evicted > 25:
            world.cache.evict(n_evicted)
            world.check()
            exact = False
    assert all(leaf.lane != NO_LANE for leaf in world.cache._leaves.values())


def test_a_short_prefix_stays_as_long_as_somebody_restores_what_is_below_it() -> None:
    """It was dropped as too short to be copied, and what a running sequence waited for with it."""
    tier = HostTier(TierOptions(1 << 20, 8), 1, 0)
    it = World(tier=tier)
    for end in "xy":
        it.run("short" + end * 60)
    it.cache.save(1 << 20)
    it.cache.evict(1000)
    tokens = tokens_of(map(ord, "short" + "x" * 60))
    lane = it.cells.take_lane()
    match = it.cache.attach(lane, tokens, len(tokens), None)
    other = it.cells.take_lane()
    short = it.cache.restore(it.cache.attach(other, tokens[:5], 5, None), other)
    it.cache.detach(short, other)
    tier.max_bytes = 1
    it.cache.written()
    it.cache.evict(1000)
    while match.goal is not None:
        match = it.cache.restore(match, lane)
    assert match.node.end == len(tokens)
    it.check(n_running=1)
