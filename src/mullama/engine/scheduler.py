"""The scheduler: all requests of one model, from their arrival to their last event.

`plan()` turns the present state into a `Plan`; a runner executes it; `apply()` turns its output
into events and the next state. Both touch only the scheduler's own books, so every decision can be
tested with made-up output. Which rows a plan has is the planner's business, what running means for
lanes and cells the residents', what a failed step leaves behind the recovery's; here is what comes
of a step that was computed.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable
from dataclasses import replace

from mullama.engine.arrival import check_answers, check_fits, start_of, waited
from mullama.engine.delivery import Delivery
from mullama.engine.detokenizer import Detokenizer
from mullama.engine.disk_tier import DiskTier
from mullama.engine.drafts import Drafts
from mullama.engine.fetching import Fetching, Post
from mullama.engine.options import EngineOptions
from mullama.engine.pace import Pace
from mullama.engine.planner import Planner
from mullama.engine.queue import FairQueue
from mullama.engine.radix import NO_LANE, tokens_of
from mullama.engine.recovery import Recovery
from mullama.engine.residents import Residents
from mullama.engine.sequence import Job, Sequence
from mullama.engine.stats import Stats
from mullama.errors import MullamaError
from mullama.types import (
    Chunk,
    Event,
    Failed,
    FinishReason,
    GenerateRequest,
    Matcher,
    Plan,
    PromptScored,
    Runner,
    Sample,
    Started,
    Status,
    StepOutput,
    Token,
    Vocab,
)

log = logging.getLogger("mullama.engine")


class Scheduler:
    """All sequences of one model. Not thread-safe: one thread plans and applies."""

    def __init__(
        self,
        options: EngineOptions,
        runner: Runner,
        vocab: Vocab,
        clock: Callable[[], float],
        *,
        disk: DiskTier | None = None,
        post: Post = lambda item: None,
    ) -> None:
        """`post` has a call made by the thread that steps; other threads use it, when a prefix
        was read from disk."""
        self.stats = Stats(n_cells=runner.n_cells)
        self._options = options
        self._clock = clock
        self._delivery = Delivery(vocab)
        self._pace = Pace(options.target_gap, runner.n_tile)
        self._residents = Residents(
            runner,
            self._pace,
            options.tiers,
            prefix_cache=options.prefix_cache,
            ends=vocab.eog,
            disk=disk,
        )
        self._fetching = Fetching(self._residents, self.stats, clock, post)
        self._waiting: FairQueue[Sequence] = FairQueue(options.queue_size)
        self._drafts = Drafts(options.draft_tokens, options.draft_ngram, runner)
        self._planner = Planner(
            runner,
            self._residents,
            self._waiting,
            self._delivery,
            self._pace,
            self._drafts,
            self.stats,
            n_parallel=min(options.n_parallel, runner.n_lanes),
        )
        self._recovery = Recovery(self._residents, self._planner, self.stats, self._fail)
        self._jobs: dict[int, Job] = {}
        self._closed: list[int] = []  # samplers to close with the next plan
        self._next_key = 0

    # -- requests -----------------------------------------------------------------------------

    @property
    def n_ctx(self) -> int:
        """Positions that one request can have."""
        return self._residents.cells.n_cells

    @property
    def has_work(self) -> bool:
        cache = self._residents.cache
        return bool(self._jobs or cache.ops or cache.n_unsaved or self._closed)

    def check(self, request: GenerateRequest) -> None:
        """Raises InvalidRequest for what can never be served, such as a prompt that is too long.
        Thread-safe."""
        check_fits(request, self.n_ctx)
        check_answers(request, self._options.queue_size)

    def check_queue(self, n_arriving: int) -> None:
        """Raises Overloaded when so many answers more would not find a place. Thread-safe."""
        self._waiting.check(n_arriving)

    def add(self, request: GenerateRequest) -> list[Event]:
        """Put a request, checked before, at the end of the queue."""
        options = request.options
        try:
            starts = [start_of(request) for _ in range(options.n)]
        except MullamaError as error:  # its constraint can't be followed
            return [Failed(request.id, error.info())]
        if options.max_wait is None and self._options.max_wait is not None:
            options = replace(options, max_wait=self._options.max_wait)
        private = options.prompt_logprobs or not options.cache_prompt
        prompt = tokens_of(request.prompt)
        job = Job(
            request.id,
            options,
            len(prompt),
            namespace=request.id if private else options.cache_salt,
            arrived=self._clock(),
        )
        self._jobs[job.id] = job
        self.stats.n_requests_total += 1
        for index, (matcher, mask) in enumerate(starts):
            sequence = self._new_sequence(job, index, prompt)
            sequence.matcher, sequence.mask = matcher, mask
            job.sequences.append(sequence)
            self._waiting.push(sequence)
        self._residents.expect(job.sequences[0])
        self._fetching.begin(job.sequences[0])
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

    def expire(self) -> list[Event]:
        """End the requests that waited longer than they may."""
        self._fetching.give_up()
        events: list[Event] = []
        for sequence in self._waiting.expire(self._clock()):
            self._waiting.push(sequence)  # it is ended like any other that waits
            events += self._fail(sequence.job, waited(sequence.job.options.max_wait or 0.0))
        return events

    def clear_cache(self) -> list[Event]:
        """Forget every cached prefix that no running sequence uses."""
        self._residents.cache.clear()
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

    # -- a step -------------------------------------------------------------------------------

    def plan(self) -> Plan:
        """The next step. Without chunks there is nothing to compute (ops may be left to do)."""
        plan = self._planner.plan(self._recovery.suspect())
        cache = self._residents.cache
        plan.ops, cache.ops = cache.ops, []
        plan.closed, self._closed = self._closed, []
        return plan

    def apply(self, plan: Plan, output: StepOutput, seconds: float) -> list[Event]:
        """Record a step that took so many seconds; returns its events in order."""
        self._residents.cache.written()
        self._pace.record_loading(output.n_bytes_loaded, output.seconds_loading)
        self._pace.record_saving(output.n_bytes_saved, output.seconds_saving)
        if output.status is Status.LOST:
            return self._recovery.after_loss()
        if not plan.chunks:
            return []
        self.stats.n_steps_total += 1
        self.stats.seconds_computing_total += seconds
        if output.status is Status.NO_SLOT:
            return self._recovery.after_no_slot(plan)
        if output.status is not Status.DONE:
            return self._recovery.after_failure(plan, output)
        self._planner.lift_limit()
        return self._apply_rows(plan, output, seconds - output.seconds_moving)

    def _apply_rows(self, plan: Plan, output: StepOutput, seconds: float) -> list[Event]:
        now = self._clock()
        events: list[Event] = []
        n_streaming, n_prompt = 0, 0
        for i, chunk in enumerate(plan.chunks):
            sequence = self._residents.running.get(chunk.key)
            if sequence is None:
                continue  # another answer to its request has just failed
            n = len(chunk.tokens) - chunk.n_draft
            in_answer = n == 1 or chunk.pos >= sequence.job.n_prompt
            n_streaming += len(chunk.tokens) if in_answer else 0  # drafts are rows as well
            n_prompt += 0 if in_answer else n
            events += self._advance(sequence, n, now - seconds)
            if chunk.targets:
                events += self._delivery.score(sequence.job, chunk, output.scores[i])
            if output.samples[i]:
                try:
                    events += self._append(sequence, chunk, output.samples[i], now)
                except MullamaError as error:  # its constraint can't be followed any further
                    events += self._fail(sequence.job, error)
            elif not sequence.todo:  # nothing was asked for but the prompt
                events += self._finish(sequence, FinishReason.LENGTH)
        self.stats.n_rows_total += plan.n_rows
        self._drafts.record(plan, output, seconds)
        self._pace.record(n_streaming, n_prompt, seconds)
        return events

    def _advance(self, sequence: Sequence, n: int, begin: float) -> list[Event]:
        """`n` more rows, computed from `begin` on."""
        job = sequence.job
        if sequence.first_computed is None:
            sequence.first_computed = begin
        in_prompt = sequence.n_computed < job.n_prompt
        if in_prompt:
            self.stats.n_prompt_tokens_total += n
        self._recovery.clear(sequence.key)
        self._residents.advance(sequence, n)
        n_more = min(sequence.n_computed, job.n_prompt) - sequence.n_charged
        if n_more > 0:  # rows that a preemption lost are not its caller's fault
            sequence.n_charged += n_more
            self._waiting.charge(sequence, n_prompt=min(n, n_more))
        if in_prompt and job.options.progress and not sequence.index:
            return [self._delivery.progress(sequence, self._clock())]
        return []

    def _append(
        self, sequence: Sequence, chunk: Chunk, samples: list[Sample], now: float
    ) -> list[Event]:
        """Take drawn tokens in; all but the last were a draft's, whose rows are computed."""
        events: list[Event] = []
        reason = None
        for n_taken, sample in enumerate(samples):
            if n_taken:
                self._residents.advance(sequence, 1)
            told, reason = self._delivery.append(sequence, sample, now)
            events += told
            self._drafts.learn(sequence, sample.token)
            if reason is None and sequence.matcher is not None:
                told, reason = self._follow(sequence, sequence.matcher, sample.token, now)
                events += told
            if reason is not None:
                break
        n_taken += 1
        self.stats.n_generated_tokens_total += n_taken
        self.stats.n_drafted_tokens_total += chunk.n_draft
        self.stats.n_accepted_tokens_total += n_taken - 1
        self._waiting.charge(sequence, n_generated=n_taken)
        if n_taken <= chunk.n_draft:  # the rest of the draft was wrong
            self._residents.cut(sequence)
        if reason is not None:
            events += self._finish(sequence, reason)
        return events

    def _follow(
        self, sequence: Sequence, matcher: Matcher, token: Token, now: float
    ) -> tuple[list[Event], FinishReason | None]:
        """Tell a constraint what was drawn; what must come next is appended without drawing."""
        events: list[Event] = []
        matcher.accept(token)
        sequence.n_unseen = 0
        # A token that was not drawn has no log-probability.
        forced = matcher.forced() if sequence.job.options.logprobs is None else []
        for one in forced:
            matcher.accept(one)
            told, reason = self._delivery.append(sequence, Sample(one), now)
            events += told
            sequence.n_unseen += 1
            self.stats.n_forced_tokens_total += 1
            self._drafts.learn(sequence, one)
            if reason is not None:
                return events, reason
        if matcher.done:
            return events, FinishReason.STOP
        sequence.mask = matcher.mask()
        return events, None

    def _finish(self, sequence: Sequence, reason: FinishReason) -> list[Event]:
        """The answer has ended: the last of its text, its accounts, its lane."""
        events = self._delivery.finish(sequence, reason)
        if sequence.lane != NO_LANE:
            self._residents.leave(sequence)
            self._waiting.finish(sequence)
        else:
            self._waiting.remove(sequence)
        self._remove(sequence)
        return events

    def _remove(self, sequence: Sequence) -> None:
        """Take a sequence that neither runs nor waits off its job; with the last one that goes."""
        job = sequence.job
        self._recovery.clear(sequence.key)
        if sequence.n_starts:
            self._closed.append(sequence.key)
        job.sequences.remove(sequence)
        if job.sequences:
            return
        del self._jobs[job.id]
        self.stats.n_finished_total += 1
        if job.is_private:
            self._residents.cache.drop(job.namespace)

    def _fail(self, job: Job, error: MullamaError) -> list[Event]:
        """End a request with an error; nothing that it computed since the last step is kept."""
        self.stats.n_failed_total += 1
        for sequence in list(job.sequences):
            if sequence.lane != NO_LANE:
                self._residents.abandon(sequence)
                self._waiting.finish(sequence)
            else:
                self._waiting.remove(sequence)
            self._remove(sequence)
        return [Failed(job.id, error.info())]

    def retire(self, error: MullamaError) -> list[Event]:
        """End every request with an error; what they computed stays cached."""
        failed: list[Event] = []
        for job in list(self._jobs.values()):
            for sequence in list(job.sequences):
                self._finish(sequence, FinishReason.CANCELLED)
            failed.append(Failed(job.id, error.info()))
        self.stats.n_failed_total += len(failed)
        return failed

    def fail_all(self, error: MullamaError) -> list[Event]:
        """End every request with an error: the engine stops. Where a mistake of ours stopped it
        the books may be wrong, so they are not looked at, and are of no use afterwards."""
        failed: list[Event] = [Failed(id, error.info()) for id in self._jobs]
        self.stats.n_failed_total += len(failed)
        self._jobs.clear()
        return failed

    # -- audit --------------------------------------------------------------------------------

    def snapshot(self) -> Stats:
        """The counters with what is there now."""
        stats, residents = self.stats, self._residents
        stats.n_waiting = len(self._waiting)
        stats.n_running = len(residents.running)
        stats.n_cells_free = residents.cells.n_free
        stats.n_cells_cached = residents.cells.n_cached
        stats.n_lanes_free = residents.cells.n_free_lanes
        stats.n_evicted_cells_total = residents.cache.n_evicted
        stats.n_host_bytes = 0 if residents.tier is None else residents.tier.n_bytes
        stats.disk = residents.disk_stats()
        return stats

    def audit(self, runner: Runner | None = None) -> None:
        """Assert that the books agree with a fresh count, and with what the runner holds."""
        self._residents.audit(with_runner=runner is not None)
