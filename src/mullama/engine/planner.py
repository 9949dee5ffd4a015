"""Which rows the next step computes.

A step's rows are given out in this order:

1. Sequences that need one row: they are streaming, and a long prompt must not stall them.
2. Running sequences that need more (their prompts), in the order they were admitted.
3. Waiting sequences, in the queue's order, as far as lanes, cells and the step's budget reach.

While anyone streams, the budget of 2 and 3 is what fits into the target gap (`pace`). When nobody
does, it is one micro-batch, and the step ends early with the prompt that brings it past
`EFFICIENT_ROWS`: finishing prompts one after another costs no throughput, and the first one's
client has its answer sooner.

A prefix that has left the KV cache is put back before its sequence gets rows, a budget of bytes a
step while anyone streams. A waiting sequence whose prefix a running one is just computing waits for
it and then shares the cells: a common prefix is computed once. That is also how n > 1 answers fork.

Cells: cached prefixes are evicted first; then the youngest running sequence is preempted: what it
computed goes to the cache, and it waits at the head of the queue. A sequence that is alone always
fits, since one that could not was refused when it came.
"""

from __future__ import annotations

import logging

from mullama.engine.delivery import Delivery
from mullama.engine.drafts import Drafts
from mullama.engine.misses import describe
from mullama.engine.pace import Pace
from mullama.engine.queue import FairQueue
from mullama.engine.radix import NO_LANE
from mullama.engine.residents import Residents
from mullama.engine.sequence import Sequence
from mullama.engine.stats import Stats
from mullama.types import Chunk, OpenSampler, Plan, Runner

log = logging.getLogger("mullama.engine")

# From about here on a row costs the same in a small batch as in a large one.
EFFICIENT_ROWS = 256


class Planner:
    """Makes plans from who is running and who waits."""

    def __init__(
        self,
        runner: Runner,
        residents: Residents,
        waiting: FairQueue[Sequence],
        delivery: Delivery,
        pace: Pace,
        drafts: Drafts,
        stats: Stats,
        *,
        n_parallel: int,
    ) -> None:
        self._residents = residents
        self._waiting = waiting
        self._delivery = delivery
        self._pace = pace
        self._drafts = drafts
        self._stats = stats
        self._n_parallel = n_parallel
        self._n_batch = runner.n_batch
        self._n_ubatch = min(runner.n_ubatch, runner.n_batch)
        self._n_tile = runner.n_tile
        self._row_limit = self._n_batch  # lowered by NO_SLOT
        self._most_bytes = 0  # that this step may put back
        self._one_by_one = False  # nobody streams: prompts are finished one after another

    def plan(self, suspect: Sequence | None) -> Plan:
        """The next step's samplers and rows; of `suspect` alone if there is one."""
        plan = Plan()
        self._residents.cells.n_planned = 0
        if suspect is not None:
            self._most_bytes = self._pace.n_bytes_to_load(0)
            self._plan_alone(plan, suspect)
        else:
            self._plan_all(plan)
        self._residents.cells.n_planned = 0
        return plan

    def lower_limit(self, n_rows: int) -> None:
        """So many rows found no slot: fewer the next time."""
        self._row_limit = max(1, n_rows // 2)

    def lift_limit(self) -> None:
        self._row_limit = self._n_batch

    # -- rows ---------------------------------------------------------------------------------

    @property
    def _planned(self) -> int:
        return self._residents.cells.n_planned

    def _plan_alone(self, plan: Plan, sequence: Sequence) -> None:
        while not self._restored(sequence):
            if self._has_loaded_enough:
                return
            self._make_way(plan, sequence)
        n = min(self._to_next_place(sequence), self._n_ubatch, self._row_limit)
        while not self._residents.make_room(n) and self.preempt(plan, besides=sequence):
            pass
        self._add_chunk(plan, sequence, n)

    def _plan_all(self, plan: Plan) -> None:
        residents = self._residents
        n_streaming = self._plan_streaming(plan)
        if self._waiting or len(plan.chunks) < len(residents.running):
            self._plan_others(plan, n_streaming)
        if self._planned == len(plan.chunks):
            self._add_drafts(plan)
        if residents.cache.n_unsaved:
            residents.save(self._pace.n_bytes_to_save(n_streaming, residents.n_bytes_loaded))
        residents.demote()

    def _plan_others(self, plan: Plan, n_streaming: int) -> None:
        """Prompts, and who waits."""
        self._one_by_one = not n_streaming
        self._most_bytes = self._pace.n_bytes_to_load(n_streaming)
        budget = self._plan_prompts(plan, self._prompt_budget(n_streaming))
        self._admit(plan, budget)

    def _add_drafts(self, plan: Plan) -> None:
        """Nothing but streams: their drafts, as far as cells are free anyway."""
        n_cells = min(self._residents.cells.n_free, self._row_limit) - self._planned
        self._drafts.lengthen(plan, self._residents.running, n_cells)

    def _plan_streaming(self, plan: Plan) -> int:
        """The row, or the few, that every stream needs; returns how many of them stream."""
        n_streaming = 0
        for sequence in list(self._residents.running.values()):
            if sequence.lane == NO_LANE or not sequence.streams:
                continue  # without a lane: preempted for one before it
            n = sequence.todo
            if self._planned + n > self._row_limit:
                continue
            if not self._residents.make_room(n) and not self._push_out(plan, sequence, n):
                continue
            self._add_chunk(plan, sequence, n)
            n_streaming += sequence.n_generated > 0
        return n_streaming

    def _push_out(self, plan: Plan, sequence: Sequence, n: int) -> bool:
        """Preempt others until `n` cells are free; False if it had to be the sequence itself."""
        while self.preempt(plan) and sequence.lane != NO_LANE:
            if self._residents.make_room(n):
                return True
        return False

    def _prompt_budget(self, n_streaming: int) -> int:
        if n_streaming:
            n_waiting = len(self._waiting) + self._n_catching_up
            budget = self._pace.chunk(n_streaming, n_waiting)
        else:
            budget = self._n_ubatch
        return max(0, min(budget, self._row_limit - self._planned))

    def _plan_prompts(self, plan: Plan, budget: int) -> int:
        """Chunks for running sequences that need more than one row; returns the budget left."""
        planned = {chunk.key for chunk in plan.chunks}
        for sequence in list(self._residents.running.values()):
            if budget <= 0:
                break
            if sequence.key not in planned and sequence.todo > 1 and sequence.lane != NO_LANE:
                budget = self._plan_chunk(plan, sequence, budget)
        return budget

    def _plan_chunk(self, plan: Plan, sequence: Sequence, budget: int) -> int:
        if not self._restored(sequence):
            return self._try_again(plan, sequence, budget)
        n = self._chunk_size(sequence, budget)
        if not self._residents.make_room(n):
            n = min(n, self._residents.cells.n_free - self._planned)
            if n <= 0:
                return self._try_again(plan, sequence, budget)
        self._add_chunk(plan, sequence, n)
        finished_one = n == sequence.todo
        if self._one_by_one and finished_one and self._planned >= EFFICIENT_ROWS:
            return 0
        return budget - n

    def _try_again(self, plan: Plan, sequence: Sequence, budget: int) -> int:
        """There was no cell for a sequence: rather it than a younger one, if nobody has rows."""
        if self._has_loaded_enough:
            return budget
        if not self._planned and self._make_way(plan, sequence):
            return self._plan_chunk(plan, sequence, budget)
        return 0

    def _make_way(self, plan: Plan, sequence: Sequence) -> bool:
        """Push another sequence back, or else do without what there is no room to restore."""
        return self.preempt(plan, besides=sequence) or self._residents.give_up(sequence)

    def _restored(self, sequence: Sequence) -> bool:
        """Put the sequence's prefix back, as far as this step may; whether all of it is there."""
        if sequence.match.goal is not None:
            self._residents.restore(sequence, self._most_bytes)
        return sequence.match.goal is None

    @property
    def _has_loaded_enough(self) -> bool:
        return self._residents.n_bytes_loaded >= self._most_bytes

    def _chunk_size(self, sequence: Sequence, budget: int) -> int:
        """Rows of a prompt for this step. A batch of less than a tile is slow, the more so the
        deeper in the context: so a prompt that nobody shares its steps with begins with its odd
        rows, and does not leave a few for the end."""
        if sequence.checkpoints:
            return min(self._to_next_place(sequence), budget)
        todo = sequence.todo
        if todo <= budget or self._waiting or self._n_catching_up > 1:
            return min(todo, budget)
        if sequence.first_computed is None:
            return todo % budget or budget
        a_few_left = todo - budget < self._n_tile - self._planned
        return todo if a_few_left and todo <= self._row_limit - self._planned else budget

    def _to_next_place(self, sequence: Sequence) -> int:
        """Rows until the sequence is complete, or has come to where its state is saved."""
        end = sequence.checkpoints[0] if sequence.checkpoints else len(sequence.tokens)
        return end - sequence.n_computed

    @property
    def _n_catching_up(self) -> int:
        return sum(not sequence.streams for sequence in self._residents.running.values())

    def _add_chunk(self, plan: Plan, sequence: Sequence, n: int) -> None:
        begin, end = sequence.n_computed, sequence.n_computed + n
        options = sequence.job.options
        last = end == len(sequence.tokens)
        chunk = Chunk(
            sequence.key,
            sequence.lane,
            begin,
            sequence.tokens[begin:end],
            sample=last and sequence.max_tokens > 0,
            logprobs=options.logprobs,
            banned=self._delivery.banned(sequence),
        )
        if chunk.sample:
            chunk.mask = sequence.mask
            if sequence.n_unseen:
                chunk.unseen = sequence.tokens[-sequence.n_unseen :]
        if sequence.is_scored and begin < sequence.job.n_prompt:
            chunk.targets = sequence.tokens[begin + 1 : min(end + 1, sequence.job.n_prompt)]
        plan.chunks.append(chunk)
        self._residents.cells.n_planned += n

    # -- coming and going ---------------------------------------------------------------------

    def _admit(self, plan: Plan, budget: int) -> None:
        """Let waiting sequences in, in order; one that waits for a shared prefix is passed over."""
        residents = self._residents
        for sequence in self._waiting.candidates():
            if budget <= 0 or len(residents.running) >= self._n_parallel:
                break
            if sequence.job.is_fetching or residents.must_wait(sequence):
                continue
            if not residents.has_room_for(sequence):
                break
            self._waiting.take(sequence)
            self._start(plan, sequence)
            budget = self._plan_chunk(plan, sequence, budget)

    def _start(self, plan: Plan, sequence: Sequence) -> None:
        self._residents.start(sequence)
        self._drafts.open(sequence)
        sequence.n_starts += 1
        if sequence.n_starts == 1:
            plan.opened.append(OpenSampler(sequence.key, sequence.sampler, sequence.tokens))
            sequence.n_cached = sequence.goal_end
            sequence.n_restored = sequence.goal_end - sequence.n_computed
            self._stats.n_cached_tokens_total += sequence.n_cached
            self._stats.n_restored_tokens_total += sequence.n_restored
            if not sequence.index:
                self._explain(sequence)

    def _explain(self, sequence: Sequence) -> None:
        """Count why no more of a request's prompt was cached, and tell those who debug."""
        found = self._residents.explain(sequence)
        self._stats.n_prefixes_total[found.reason] += 1
        if log.isEnabledFor(logging.DEBUG):
            tokens, n_cached = sequence.tokens, sequence.n_cached
            log.debug(describe(sequence.job.id, found, tokens, n_cached, self._delivery.shown))

    def preempt(self, plan: Plan, besides: Sequence | None = None) -> bool:
        """Push the youngest running sequence of the lowest class back to the queue's head; False if
        it is the only one.

        One that has rows in this plan already is left alone.
        """
        planned = {chunk.key for chunk in plan.chunks}
        running = self._residents.running
        others = [s for s in running.values() if s is not besides and s.key not in planned]
        if not others or len(running) == 1:
            return False
        last = max(sequence.priority for sequence in others)
        sequence = next(s for s in reversed(others) if s.priority == last)
        self._stats.n_preempted_total += 1
        self._residents.leave(sequence)
        self._waiting.push_front(sequence)
        return True
