"""The scheduler: decides which rows the next step computes, and records what came of them.

`plan()` turns the present state into a `Plan`; a runner executes it; `apply()` turns its output
into events and the next state. Both touch only the scheduler's own books, so every decision can be
tested with made-up output.

A step's rows are given out in this order:

1. Sequences that need one row: they are streaming, and a long prompt must not stall them.
2. Running sequences that need more (their prompts), in the order they were admitted.
3. Waiting sequences, in the order they arrived, as far as lanes, cells and the step's budget reach.

While anyone streams, the budget of 2 and 3 is what fits into the target gap (`pace`). When nobody
does, it is one micro-batch, and the step ends early with the prompt that brings it past
`EFFICIENT_ROWS`: finishing prompts one after another costs no throughput, and the first one's
client has its answer sooner.

A waiting sequence whose prefix a running one is just computing waits for it and then shares the
cells: a common prefix is computed once. That is also how n > 1 answers fork.

Cells: cached prefixes are evicted first; then the youngest running sequence is preempted: what it
computed goes to the cache, and it waits at the head of the queue. A sequence that is alone always
fits, since one that could not was refused when it came.

`llama_decode` answers: NO_SLOT changes nothing, so the next plan is smaller. After a failed call
the sequences that took part are tried one by one, and only one that fails alone is given up.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from mullama.engine.cells import Cells
from mullama.engine.delivery import Delivery
from mullama.engine.detokenizer import Detokenizer
from mullama.engine.naive import NoCache
from mullama.engine.pace import Pace
from mullama.engine.prefix_cache import NO_LANE, Cache, PrefixCache, common_length, tokens_of
from mullama.engine.sequence import Job, Sequence
from mullama.engine.stats import Stats
from mullama.errors import ContextLengthExceeded, InternalError, MullamaError, Overloaded
from mullama.types import (
    Chunk,
    Event,
    Failed,
    FinishReason,
    GenerateRequest,
    MemoryKind,
    OpenSampler,
    Plan,
    PromptScored,
    Remove,
    Runner,
    Started,
    Status,
    StepOutput,
    Vocab,
)

# From about here on a row costs the same in a small batch as in a large one.
EFFICIENT_ROWS = 128
# A common prefix shorter than this is sooner computed than waited for.
WORTH_WAITING = 32
# Logits of every row are kept for scoring a prompt: n_vocab floats each.
SCORED_ROWS = 64
# Cells that each running sequence should find free when another one is admitted.
HEADROOM = 16


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """`target_gap` in seconds; `queue_size` counts answers (n of them for a request)."""

    n_parallel: int = 16
    queue_size: int = 512
    target_gap: float = 0.1
    prefix_cache: bool = True


class Scheduler:
    """All sequences of one model. Not thread-safe: one thread plans and applies."""

    def __init__(
        self, options: EngineOptions, runner: Runner, vocab: Vocab, clock: Callable[[], float]
    ) -> None:
        self.stats = Stats(n_cells=runner.n_cells)
        self._options = options
        self._delivery = Delivery(vocab)
        self._clock = clock
        self._n_batch = runner.n_batch
        self._n_ubatch = min(runner.n_ubatch, runner.n_batch)
        self._cells = Cells(runner.n_cells, runner.n_lanes)
        # Only attention remembers every position, so that a prefix can be cut anywhere.
        self._cuts = runner.memory is MemoryKind.ATTENTION
        cache = PrefixCache if options.prefix_cache and self._cuts else NoCache
        self._cache: Cache = cache(self._cells)
        self._n_tile = runner.n_tile
        self._pace = Pace(options.target_gap, runner.n_tile)
        self._jobs: dict[int, Job] = {}
        self._waiting: deque[Sequence] = deque()
        self._running: dict[int, Sequence] = {}  # by key, in the order of admission
        self._suspects: set[int] = set()  # keys of a failed call, to be tried one by one
        self._closed: list[int] = []  # samplers to close with the next plan
        self._row_limit = self._n_batch  # lowered by NO_SLOT
        self._planned = 0  # rows in the plan being made
        self._next_key = 0
        self._n_parallel = min(options.n_parallel, runner.n_lanes)

    # -- requests -----------------------------------------------------------------------------

    @property
    def n_ctx(self) -> int:
        """Positions that one request can have."""
        return self._cells.n_cells

    @property
    def has_work(self) -> bool:
        return bool(self._jobs or self._cache.ops or self._closed)

    def check(self, request: GenerateRequest) -> None:
        """Raises ContextLengthExceeded for a prompt that can never fit. Thread-safe."""
        n_prompt, n_ctx = len(request.prompt), self.n_ctx
        room = 0 if request.options.max_tokens == 0 else 1
        if n_prompt + room > n_ctx:
            raise ContextLengthExceeded(
                f"The prompt has {n_prompt} tokens, and the context {n_ctx}, which must hold the "
                "answer too. Send a shorter prompt, or serve the model with a larger "
                "--context-size.",
                param="messages",
            )

    def check_queue(self, n_arriving: int) -> None:
        """Raises Overloaded when so many answers more would not find a place. Thread-safe."""
        if len(self._waiting) + n_arriving > self._options.queue_size:
            raise Overloaded(
                f"{len(self._waiting)} answers are waiting already, and at most "
                f"{self._options.queue_size} may; try again later.",
                code="queue_full",
                retry_after=2.0,
            )

    def add(self, request: GenerateRequest) -> list[Event]:
        """Put a request, checked before, at the end of the queue."""
        options = request.options
        private = options.prompt_logprobs or not options.cache_prompt
        prompt = tokens_of(request.prompt)
        job = Job(
            request.id,
            options,
            len(prompt),
            namespace=request.id if private else None,
            arrived=self._clock(),
        )
        self._jobs[job.id] = job
        self.stats.n_requests_total += 1
        for index in range(options.n):
            sequence = self._new_sequence(job, index, prompt)
            job.sequences.append(sequence)
            self._waiting.append(sequence)
        events: list[Event] = [
            Started(job.id, job.n_prompt, request.prompt if options.return_tokens else ())
        ]
        if options.prompt_logprobs:
            job.scored.append(None)  # nothing comes before the first token
            if job.n_prompt == 1:
                events.append(PromptScored(job.id, (None,)))
        return events

    def cancel(self, request_id: int) -> list[Event]:
        """End a request's answers now; what they computed stays cached."""
        job = self._jobs.get(request_id)
        if job is None:
            return []
        self.stats.n_cancelled_total += 1
        events: list[Event] = []
        for sequence in list(job.sequences):
            events += self._finish(sequence, FinishReason.CANCELLED)
        return events

    def clear_cache(self) -> list[Event]:
        """Forget every cached prefix that no running sequence uses."""
        self._cache.clear()
        return []

    def _new_sequence(self, job: Job, index: int, prompt: array[int]) -> Sequence:
        self._next_key += 1
        room = self.n_ctx - job.n_prompt
        wanted = job.options.max_tokens
        return Sequence(
            key=self._next_key,
            job=job,
            index=index,
            tokens=prompt[:],
            detokenizer=Detokenizer(job.options.stop),
            max_tokens=room if wanted is None else min(wanted, room),
        )

    # -- plan ---------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """The next step. Without chunks there is nothing to compute (ops may be left to do)."""
        plan = Plan()
        self._planned = 0
        if self._suspects:
            self._plan_suspect(plan)
        else:
            n_streaming = self._plan_streaming(plan)
            budget = self._prompt_budget(n_streaming)
            budget = self._plan_prompts(plan, budget, one_by_one=not n_streaming)
            self._admit(plan, budget, one_by_one=not n_streaming)
        plan.ops, self._cache.ops = self._cache.ops, []
        plan.closed, self._closed = self._closed, []
        return plan

    def _plan_suspect(self, plan: Plan) -> None:
        """One sequence of a failed call alone, so that only the guilty one fails."""
        sequence = self._running[next(iter(self._suspects))]
        n = min(sequence.todo, self._n_ubatch, self._row_limit)
        while not self._make_room(n) and self._preempt(plan, besides=sequence):
            pass
        self._add_chunk(plan, sequence, n)

    def _plan_streaming(self, plan: Plan) -> int:
        """A row for every sequence that needs just one; returns how many of them stream."""
        n_streaming = 0
        for sequence in list(self._running.values()):
            if sequence.todo != 1 or self._planned >= self._row_limit:
                continue
            while not self._make_room(1) and self._preempt(plan):
                pass
            if sequence.lane == NO_LANE or not self._make_room(1):
                continue  # it was the one to be preempted
            self._add_chunk(plan, sequence, 1)
            n_streaming += sequence.n_generated > 0
        return n_streaming

    def _prompt_budget(self, n_streaming: int) -> int:
        if n_streaming:
            n_waiting = len(self._waiting) + self._n_catching_up
            budget = self._pace.chunk(n_streaming, n_waiting)
        else:
            budget = self._n_ubatch
        return max(0, min(budget, self._row_limit - self._planned))

    def _plan_prompts(self, plan: Plan, budget: int, *, one_by_one: bool) -> int:
        """Chunks for running sequences that need more than one row; returns the budget left."""
        for sequence in list(self._running.values()):
            if budget <= 0:
                break
            if sequence.todo > 1 and sequence.lane != NO_LANE:
                budget = self._plan_chunk(plan, sequence, budget, one_by_one)
        return budget

    def _plan_chunk(self, plan: Plan, sequence: Sequence, budget: int, one_by_one: bool) -> int:
        n = self._chunk_size(sequence, budget)
        if not self._make_room(n):
            n = min(n, self._cells.n_free - self._planned)
            if n <= 0:
                if not self._planned and self._preempt(plan, besides=sequence):
                    return self._plan_chunk(plan, sequence, budget, one_by_one)
                return 0
        self._add_chunk(plan, sequence, n)
        finished_one = n == sequence.todo
        if one_by_one and finished_one and self._planned >= EFFICIENT_ROWS:
            return 0
        return budget - n

    def _chunk_size(self, sequence: Sequence, budget: int) -> int:
        """Rows of a prompt for this step. A batch of less than a tile is slow, the more so the
        deeper in the context: so a prompt that nobody shares its steps with begins with its odd
        rows, and does not leave a few for the end."""
        todo = sequence.todo
        if sequence.job.options.prompt_logprobs:
            return min(todo, budget, SCORED_ROWS)
        if todo <= budget or self._waiting or self._n_catching_up > 1:
            return min(todo, budget)
        if sequence.first_computed is None:
            return todo % budget or budget
        return todo if todo - budget < self._n_tile - self._planned else budget

    @property
    def _n_catching_up(self) -> int:
        return sum(sequence.todo > 1 for sequence in self._running.values())

    def _admit(self, plan: Plan, budget: int, *, one_by_one: bool) -> None:
        """Let waiting sequences in, in order; one that waits for a shared prefix is passed over."""
        passed_over: list[Sequence] = []
        while budget > 0 and self._waiting and len(self._running) < self._n_parallel:
            sequence = self._waiting.popleft()
            if self._must_wait(sequence):
                passed_over.append(sequence)
                continue
            if not self._start(plan, sequence):
                passed_over.append(sequence)
                break
            if sequence.todo:
                budget = self._plan_chunk(plan, sequence, budget, one_by_one)
        self._waiting.extendleft(reversed(passed_over))

    def _must_wait(self, sequence: Sequence) -> bool:
        """Is a running sequence computing more of this one's prefix than the cache holds?"""
        if not self._cache.shares:
            return False
        limit, tokens = self._shareable(sequence), sequence.tokens
        cached = -1
        for running in self._running.values():
            if running.todo <= 1 or running.job.namespace != sequence.job.namespace:
                continue
            common = common_length(running.tokens, tokens, 0, limit)
            if common < WORTH_WAITING or common <= running.n_computed:
                continue
            if cached < 0:
                cached = self._peek(sequence)
            if common > cached:
                return True
        return False

    def _shareable(self, sequence: Sequence) -> int:
        """How much of a sequence may come from the cache: its last token's logits are needed."""
        if sequence.job.options.prompt_logprobs and not sequence.index:
            return 0
        return len(sequence.tokens) - 1

    def _peek(self, sequence: Sequence) -> int:
        return self._cache.peek(sequence.tokens, self._shareable(sequence), sequence.job.namespace)

    def _start(self, plan: Plan, sequence: Sequence) -> bool:
        """Give a waiting sequence its lane and its cached prefix, if there is room for the rest."""
        need = len(sequence.tokens) - self._peek(sequence) + HEADROOM * len(self._running)
        if self._running and need > self._n_available():
            return False
        if not self._cells.n_free_lanes and not self._cache.free_lane():
            return False
        job, lane = sequence.job, self._cells.take_lane()
        limit = self._shareable(sequence)
        sequence.node = self._cache.attach(lane, sequence.tokens, limit, job.namespace)
        sequence.lane = lane
        sequence.n_computed = sequence.node.end
        if not sequence.has_sampler:
            sequence.n_cached = sequence.n_computed
            sequence.has_sampler = True
            self.stats.n_cached_tokens_total += sequence.n_cached
            plan.opened.append(OpenSampler(sequence.key, sequence.sampler, sequence.tokens))
        self._running[sequence.key] = sequence
        return True

    def _n_available(self) -> int:
        """Cells that are free or could be, less what running prompts still need."""
        nodes = [s.node for s in self._running.values() if s.node is not None]
        evictable = self._cells.n_cached - self._cache.n_pinned(nodes)
        promised = sum(s.todo for s in self._running.values())
        return self._cells.n_free + evictable - promised

    def _make_room(self, n: int) -> bool:
        """Evict until `n` cells are free beside those already planned for."""
        short = self._planned + n - self._cells.n_free
        if short > 0:
            self._cache.evict(short)
        return self._planned + n <= self._cells.n_free

    def _preempt(self, plan: Plan, besides: Sequence | None = None) -> bool:
        """Push the youngest running sequence back to the queue's head; False if it is the only one.

        One that has rows in this plan already is left alone.
        """
        planned = {chunk.key for chunk in plan.chunks}
        for sequence in reversed(self._running.values()):
            if sequence is not besides and sequence.key not in planned:
                break
        else:
            return False
        if len(self._running) == 1:
            return False
        self.stats.n_preempted_total += 1
        self._leave(sequence)
        sequence.n_computed = 0
        self._waiting.appendleft(sequence)
        return True

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
        if options.prompt_logprobs and not sequence.index and begin < sequence.job.n_prompt:
            chunk.targets = sequence.tokens[begin + 1 : min(end + 1, sequence.job.n_prompt)]
        plan.chunks.append(chunk)
        self._planned += n

    # -- apply --------------------------------------------------------------------------------

    def apply(self, plan: Plan, output: StepOutput, seconds: float) -> list[Event]:
        """Record a step that took so many seconds; returns its events in order."""
        self.stats.n_steps_total += 1
        self.stats.seconds_computing_total += seconds
        if output.status is Status.NO_SLOT:
            return self._apply_no_slot(plan)
        if output.status is not Status.DONE:
            return self._apply_failure(plan, output)
        self._row_limit = self._n_batch
        now = self._clock()
        events: list[Event] = []
        n_streaming, n_prompt = 0, 0
        for i, chunk in enumerate(plan.chunks):
            sequence = self._running[chunk.key]
            n = len(chunk.tokens)
            n_streaming += n == 1
            n_prompt += n if n > 1 else 0
            self._advance(sequence, n, now - seconds)
            if chunk.targets:
                events += self._delivery.score(sequence.job, chunk, output.scores[i])
            sample = output.samples[i]
            if sample is not None:
                self.stats.n_generated_tokens_total += 1
                told, reason = self._delivery.append(sequence, sample, now)
                events += told
                if reason is not None:
                    events += self._finish(sequence, reason)
            elif not sequence.todo:  # nothing was asked for but the prompt
                events += self._finish(sequence, FinishReason.LENGTH)
        self.stats.n_rows_total += n_streaming + n_prompt
        self._pace.record(n_streaming, n_prompt, seconds)
        return events

    def _advance(self, sequence: Sequence, n: int, begin: float) -> None:
        """`n` more rows, computed from `begin` on; a prompt's are shared from now on."""
        job = sequence.job
        if sequence.first_computed is None:
            sequence.first_computed = begin
        in_prompt = sequence.n_computed < job.n_prompt
        self._suspects.discard(sequence.key)
        sequence.n_computed += n
        self._cells.compute(n)
        if in_prompt:
            self.stats.n_prompt_tokens_total += n
            self._publish(sequence)

    def _publish(self, sequence: Sequence) -> None:
        assert sequence.node is not None
        sequence.node = self._cache.extend(
            sequence.node, sequence.lane, sequence.tokens, sequence.n_computed
        )

    def _finish(self, sequence: Sequence, reason: FinishReason) -> list[Event]:
        """The answer has ended: the last of its text, its accounts, its lane."""
        events = self._delivery.finish(sequence, reason)
        self._remove(sequence)
        return events

    def _remove(self, sequence: Sequence) -> None:
        """Take a sequence out of everything; with the last one its job goes too."""
        job = sequence.job
        if sequence.lane != NO_LANE:
            self._leave(sequence)
        else:
            self._waiting.remove(sequence)
        if sequence.has_sampler:
            self._closed.append(sequence.key)
        job.sequences.remove(sequence)
        if job.sequences:
            return
        del self._jobs[job.id]
        self.stats.n_finished_total += 1
        if job.is_private:
            self._cache.drop(job.namespace)

    def _leave(self, sequence: Sequence) -> None:
        """A running sequence gives up its lane; what it computed goes to the cache."""
        assert sequence.node is not None
        self._publish(sequence)
        self._cells.drop_private(sequence.n_private)
        self._cache.detach(sequence.node, sequence.lane)
        del self._running[sequence.key]
        self._suspects.discard(sequence.key)
        sequence.lane, sequence.node = NO_LANE, None

    # -- what llama_decode could not do -------------------------------------------------------

    def _apply_no_slot(self, plan: Plan) -> list[Event]:
        """No room although the books said so: evict, and plan fewer rows the next time."""
        self.stats.n_no_slot_total += 1
        n = plan.n_rows
        self._row_limit = max(1, n // 2)
        if self._cache.evict(n) or n > 1 or self._preempt(Plan()):
            return []
        return self._fail(self._running[plan.chunks[0].key].job, _no_room(self.n_ctx))

    def _apply_failure(self, plan: Plan, output: StepOutput) -> list[Event]:
        """Go on from what the KV cache really holds, one sequence at a time."""
        keys = [chunk.key for chunk in plan.chunks]
        if len(keys) == 1:
            error = InternalError(f"Computing this request failed (llama_decode: {output.status}).")
            return self._fail(self._running[keys[0]].job, error)
        for chunk in plan.chunks:
            self._resume_at(self._running[chunk.key], output.lengths.get(chunk.lane))
        self._suspects.update(keys)
        return []

    def _resume_at(self, sequence: Sequence, length: int | None) -> None:
        """`length` positions are computed, the last token's logits among what was lost."""
        if length is None or length <= sequence.n_computed:
            return
        kept = min(length, len(sequence.tokens) - 1)
        if not self._cuts:
            self._cells.drop_private(sequence.n_computed)
            kept = sequence.n_computed = 0
        if length > kept:
            self._cache.ops.append(Remove(sequence.lane, kept))
        self._cells.compute(kept - sequence.n_computed)
        sequence.n_computed = kept

    def _fail(self, job: Job, error: MullamaError) -> list[Event]:
        """End a request with an error; nothing that it computed is kept."""
        self.stats.n_failed_total += 1
        for sequence in list(job.sequences):
            if sequence.node is not None:
                self._cells.drop_private(sequence.n_private)
                self._cache.ops.append(Remove(sequence.lane, sequence.node.end))
                sequence.n_computed = sequence.node.end
            self._remove(sequence)
        return [Failed(job.id, error.info())]

    def fail_all(self, error: MullamaError) -> list[Event]:
        """End every request with an error: the engine stops."""
        return [event for job in list(self._jobs.values()) for event in self._fail(job, error)]

    # -- audit --------------------------------------------------------------------------------

    def snapshot(self) -> Stats:
        """The counters with what is there now."""
        stats, cells = self.stats, self._cells
        stats.n_waiting = len(self._waiting)
        stats.n_running = len(self._running)
        stats.n_cells_free = cells.n_free
        stats.n_cells_cached = cells.n_cached
        stats.n_lanes_free = cells.n_free_lanes
        stats.n_evicted_cells_total = self._cache.n_evicted
        return stats

    def audit(self, runner: Runner | None = None) -> None:
        """Assert that the books agree with a fresh count, and with what the runner holds."""
        running = self._running.values()
        self._cells.check(
            n_private=sum(s.n_private for s in running),
            n_cached=self._cache.count(),
            n_running=len(self._running),
            n_idle=self._cache.n_idle,
        )
        if runner is not None and not self._cache.ops:
            for s in running:
                assert runner.lane_length(s.lane) == s.n_computed, (s.lane, s.n_computed)


def _no_room(n_ctx: int) -> MullamaError:
    return InternalError(f"No room in the KV cache of {n_ctx} cells for a single sequence.")
