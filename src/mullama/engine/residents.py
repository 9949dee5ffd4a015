"""The running sequences: how they come to a lane, share cells, and give them up again.

The scheduler decides who runs and how many rows it gets; here is what that means for lanes, cells
and the prefix cache. A sequence starts with what is cached of it, has the rest of that put back
piece by piece if it has left the KV cache, and then computes what nobody has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mullama.engine import checkpoints
from mullama.engine.cache import Cache
from mullama.engine.cells import Cells
from mullama.engine.disk import DiskStats, Part
from mullama.engine.disk_tier import WORTH_FETCHING, DiskTier, Fetched
from mullama.engine.misses import Reason, Shortfall
from mullama.engine.naive import NoCache
from mullama.engine.pace import Pace
from mullama.engine.prefix_cache import PrefixCache
from mullama.engine.radix import NO_LANE, common_length
from mullama.engine.sequence import Sequence
from mullama.engine.tiers import HostTier, TierOptions
from mullama.types import Load, LoadState, MemoryKind, Remove, Runner, Save, SaveState

# A common prefix shorter than this is sooner computed than waited for.
WORTH_WAITING = 32
# Cells that each running sequence should find free when another one is admitted.
HEADROOM = 16


class Residents:
    """Running sequences in the order in which they came, and the books of what they hold."""

    def __init__(
        self,
        runner: Runner,
        pace: Pace,
        tiers: TierOptions,
        *,
        prefix_cache: bool,
        ends: frozenset[int],
        disk: DiskTier | None = None,
    ) -> None:
        self._runner = runner
        self._pace = pace
        self._ends = ends
        self._options = tiers
        self._prefix_cache = prefix_cache
        self._disk = disk
        self._spacing = checkpoints.spacing(runner.state_bytes)
        self.running: dict[int, Sequence] = {}  # by key
        self._open_books()

    def _open_books(self) -> None:
        self.cells = Cells(self._runner.n_cells, self._runner.n_lanes)
        self.tier = self._make_tier()
        self.cache = self._make_cache()

    def forget_all(self) -> None:
        """Empty every lane and every tier; no sequence may be running."""
        assert not self.running
        n_evicted = self.cache.n_evicted
        self._open_books()
        self.cache.n_evicted = n_evicted  # a total never goes back
        self.cache.ops += [Remove(lane, 0) for lane in range(self.cells.n_lanes)]

    @property
    def cuts(self) -> bool:
        """Whether a lane can be cut at any position: only attention remembers every one."""
        return self._runner.memory is MemoryKind.ATTENTION

    def _make_tier(self) -> HostTier | None:
        runner = self._runner
        if not (self._prefix_cache and self._options.ram and runner.cell_bytes):
            return None
        return HostTier(self._options, runner.cell_bytes, runner.state_bytes)

    def _make_cache(self) -> Cache:
        if not self._prefix_cache or not (self.cuts or self.tier is not None):
            return NoCache(self.cells)
        worth = self._pace.worth_restoring
        return PrefixCache(self.cells, self.tier, exact=not self.cuts, worth=worth, disk=self._disk)

    # -- the disk -----------------------------------------------------------------------------

    def expect(self, sequence: Sequence) -> None:
        """A sequence has arrived: what it needs should not leave the KV cache meanwhile."""
        self.cache.want(sequence.tokens, self._shareable(sequence), sequence.job.namespace)

    def distrust_disk(self) -> None:
        """Read nothing from disk any more."""
        if self._disk is not None:
            self._disk.distrust()

    def disk_stats(self) -> DiskStats | None:
        """The disk tier's counters, if there is one."""
        return None if self._disk is None else self._disk.stats()

    def look_up(self, sequence: Sequence) -> tuple[Part, ...]:
        """The parts of its prefix that are worth fetching from disk before it starts."""
        if self._disk is None or self.tier is None or sequence.job.is_private:
            return ()
        tokens, namespace = sequence.tokens, sequence.job.namespace
        limit = self._shareable(sequence)
        parts = self._disk.find(tokens, limit, namespace, exact=self.cache.exact)
        n_known = self._peek(sequence)[1]
        parts = tuple(part for part in parts if part.end > n_known)
        n_new = parts[-1].end - n_known if parts else 0
        n_bytes = sum(part.entry.n_bytes for part in parts)
        if n_new < WORTH_FETCHING or n_bytes > self.tier.max_bytes:
            return ()
        seconds = n_bytes / self._disk.read_bytes_per_second
        return parts if self._pace.worth_reading(n_new, n_bytes, seconds) else ()

    def fetch(self, parts: tuple[Part, ...], done: Callable[[list[Fetched]], None]) -> None:
        """Have parts read; `done` is called by another thread."""
        assert self._disk is not None
        self._disk.fetch(parts, done)

    def fetched(self, sequence: Sequence, arrived: list[Fetched]) -> None:
        """Parts of the sequence's prefix came from disk: they are in the host tier now."""
        before = self._peek(sequence)[1]
        for one in arrived:
            if not self.cache.insert(sequence.tokens, sequence.job.namespace, one):
                break
        sequence.n_from_disk = max(0, self._peek(sequence)[1] - before)

    # -- coming and going ---------------------------------------------------------------------

    def has_room_for(self, sequence: Sequence) -> bool:
        """Whether a lane is there, and cells for all that it and the others still need."""
        n_live, _ = self._peek(sequence)
        need = len(sequence.tokens) - n_live + HEADROOM * len(self.running)
        if self.running and need > self._n_available():
            return False
        return self.has_lane()

    def has_lane(self) -> bool:
        """Whether a lane is free, or can be made so."""
        return bool(self.cells.n_free_lanes) or self.cache.free_lane()

    def start(self, sequence: Sequence) -> None:
        """Give a sequence, for which there is room, a lane and its cached prefix."""
        lane, job = self.cells.take_lane(), sequence.job
        limit = self._shareable(sequence)
        sequence.lane = lane
        sequence.match = self.cache.attach(lane, sequence.tokens, limit, job.namespace)
        sequence.n_computed = sequence.node.end
        if self.cache.exact:
            last = job.options.n > 1
            places = checkpoints.places(sequence.tokens, self._ends, self._spacing, last=last)
            begin = sequence.goal_end
            sequence.checkpoints = [place for place in places if place > begin]
        self.running[sequence.key] = sequence

    def explain(self, sequence: Sequence) -> Shortfall:
        """Why no more of a sequence that has just started was cached."""
        job, limit = sequence.job, self._shareable(sequence)
        if job.is_private:
            return Shortfall(Reason.UNSHARED, 0)
        return self.cache.explain(sequence.tokens, limit, job.namespace, sequence.goal_end)

    @property
    def n_bytes_loaded(self) -> int:
        """Bytes that the operations planned so far put back."""
        return self._n_bytes_of(Load, LoadState)

    def _n_bytes_of(self, *kinds: type[Save | Load | SaveState | LoadState], since: int = 0) -> int:
        """Bytes that the operations from the `since`-th on copy."""
        ops = self.cache.ops[since:]
        return sum(op.blob.n_bytes for op in ops if isinstance(op, kinds))

    def restore(self, sequence: Sequence, most: int) -> None:
        """Put the sequence's prefix back, while cells are free and the plan puts back less than
        `most` bytes. What had to be copied out is not counted: it must not keep anyone waiting."""
        n_bytes = self.n_bytes_loaded
        while sequence.match.goal is not None and n_bytes < most:
            n_ops = len(self.cache.ops)
            child = sequence.node.child_towards(sequence.match.goal)
            cells = None if child.live else child.cells
            if cells is not None and not self.make_room(cells.end - cells.start):
                break
            sequence.match = self.cache.restore(sequence.match, sequence.lane)
            sequence.n_computed = sequence.node.end
            n_bytes += self._n_bytes_of(Load, LoadState, since=n_ops)

    def give_up(self, sequence: Sequence) -> bool:
        """Compute what can't be put back: a copy is loaded as a whole, and may need more room than
        there is beside the sequence, even where nobody else runs. False if all is back."""
        match = sequence.match
        if match.goal is None:
            return False
        self.abandon(sequence)
        self.cache.forget(match)
        self.cache.free_lane()
        self.start(sequence)
        sequence.recount(sequence.goal_end)
        return True

    def advance(self, sequence: Sequence, n: int) -> None:
        """`n` more rows are computed; a prompt's are shared from now on."""
        in_prompt = sequence.n_computed < sequence.job.n_prompt
        sequence.n_computed += n
        self.cells.compute(n)
        if in_prompt:
            self._publish(sequence)
        while sequence.checkpoints and sequence.checkpoints[0] <= sequence.n_computed:
            if sequence.checkpoints.pop(0) == sequence.n_computed:  # else streams went past it
                self._checkpoint(sequence)

    def cut(self, sequence: Sequence) -> None:
        """Rows beyond what counts as computed were wrong."""
        self.cache.ops.append(Remove(sequence.lane, sequence.n_computed))

    def leave(self, sequence: Sequence) -> None:
        """Give up the lane; what was computed goes to the cache."""
        if sequence.match.goal is None:
            self._publish(sequence)
            self._checkpoint(sequence)
        self.abandon(sequence)

    def abandon(self, sequence: Sequence) -> None:
        """Give up the lane; what was not shared yet is lost."""
        self.cells.drop_private(sequence.n_private)
        self.cache.detach(sequence.match, sequence.lane)
        del self.running[sequence.key]
        sequence.n_computed = 0
        sequence.lane = NO_LANE

    def _publish(self, sequence: Sequence) -> None:
        node = self.cache.extend(sequence.node, sequence.lane, sequence.tokens, sequence.n_computed)
        sequence.match = sequence.match._replace(node=node)

    def _checkpoint(self, sequence: Sequence) -> None:
        if self.cache.exact and sequence.node.end == sequence.n_computed:
            self.cache.checkpoint(sequence.node, sequence.lane)

    def save(self, n_bytes: int) -> None:
        """Copy idle prefixes, while the plan copies less than `n_bytes` out."""
        n_left = n_bytes - self._n_bytes_of(Save, SaveState)
        if n_left > 0:
            self.cache.save(n_left)

    def demote(self) -> None:
        """A step passes in which something runs: idle prefixes that are saved may leave."""
        if self.running:
            self.cache.demote()

    # -- sharing ------------------------------------------------------------------------------

    def must_wait(self, sequence: Sequence) -> bool:
        """Is a running sequence computing more of this one's prefix than the cache holds?"""
        if not self.cache.shares:
            return False
        limit, cached = self._shareable(sequence), -1
        for common in self._coming(sequence, limit):
            if cached < 0:
                _, cached = self._peek(sequence)
            if common > cached:
                return True
        return False

    def _coming(self, sequence: Sequence, limit: int) -> Iterator[int]:
        """The lengths of its prefix that running sequences are about to share."""
        for running in self.running.values():
            if running.streams or running.job.namespace != sequence.job.namespace:
                continue
            common = common_length(running.tokens, sequence.tokens, 0, limit)
            if self.cache.exact:
                common = max((at for at in running.checkpoints if at <= common), default=0)
            if common >= WORTH_WAITING and common > running.n_computed:
                yield common

    def _shareable(self, sequence: Sequence) -> int:
        """How much of a sequence may come from the cache: its last token's logits are needed."""
        if sequence.is_scored:
            return 0
        return len(sequence.tokens) - 1

    def _peek(self, sequence: Sequence) -> tuple[int, int]:
        return self.cache.peek(sequence.tokens, self._shareable(sequence), sequence.job.namespace)

    # -- cells --------------------------------------------------------------------------------

    def make_room(self, n: int) -> bool:
        """Evict until `n` cells are free beside those already planned for."""
        cells = self.cells
        n_missing = cells.n_planned + n - cells.n_free
        if n_missing <= 0:
            return True
        self.cache.evict(n_missing)
        return cells.n_planned + n <= cells.n_free

    def _n_available(self) -> int:
        """Cells that are free or could be, less what running prompts still need."""
        evictable = self.cells.n_cached - self.cache.n_pinned(s.node for s in self.running.values())
        promised = sum(sequence.todo for sequence in self.running.values())
        return self.cells.n_free + evictable - promised

    # -- audit --------------------------------------------------------------------------------

    def audit(self, *, with_runner: bool) -> None:
        """Assert that the books agree with a fresh count, and with what the runner holds."""
        running = self.running.values()
        self.cells.check(
            n_private=sum(sequence.n_private for sequence in running),
            n_cached=self.cache.count(),
            n_running=len(running),
            n_idle=self.cache.n_idle,
        )
        if not with_runner or self.cache.ops:
            return
        for sequence in running:
            if sequence.match.goal is None:  # a lane without its state has no length
                length = self._runner.lane_length(sequence.lane)
                assert length == sequence.n_computed, (sequence.lane, length, sequence.n_computed)
