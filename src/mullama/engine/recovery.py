"""What becomes of a step that could not be computed.

`llama_decode` answers: NO_SLOT changes nothing, so the next plan is smaller. After a failed call
the sequences that took part are suspects, tried one by one, and only one that fails alone is given
up. When a copied prefix can't be put back, all that is cached is forgotten and computed again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from mullama.engine.planner import Planner
from mullama.engine.residents import Residents
from mullama.engine.sequence import Job, Sequence
from mullama.engine.stats import Stats
from mullama.errors import InternalError, MullamaError
from mullama.types import Chunk, Event, Plan, Remove, Status, StepOutput

log = logging.getLogger("mullama.engine")

Fail = Callable[[Job, MullamaError], list[Event]]


class Recovery:
    """Brings the books in line with what a failed step left behind. Each of its answers is the
    events that come of it."""

    def __init__(self, residents: Residents, planner: Planner, stats: Stats, fail: Fail) -> None:
        """`fail` ends a request with an error."""
        self._residents = residents
        self._planner = planner
        self._stats = stats
        self._fail = fail
        self._suspects: set[int] = set()  # keys of a failed call, to be tried one by one

    def suspect(self) -> Sequence | None:
        """The sequence that must be computed alone next, if there is one."""
        running = self._residents.running
        self._suspects &= running.keys()  # one that was preempted starts anew
        return running[min(self._suspects)] if self._suspects else None

    def clear(self, key: int) -> None:
        """A sequence was computed, or is gone."""
        self._suspects.discard(key)

    def after_no_slot(self, plan: Plan) -> list[Event]:
        """No room although the books said so: evict, and plan fewer rows the next time."""
        self._stats.n_no_slot_total += 1
        self._planner.lower_limit(plan.n_rows)
        evicted = self._residents.cache.evict(plan.n_rows)
        if evicted or plan.n_rows > 1 or self._planner.preempt(Plan()):
            return []
        job = self._sequence(plan.chunks[0]).job
        return self._fail(job, _no_room(self._residents.cells.n_cells))

    def after_failure(self, plan: Plan, output: StepOutput) -> list[Event]:
        """Go on from what the KV cache really holds, one sequence at a time."""
        if len(plan.chunks) == 1 and output.status is not Status.ABORTED:  # that is nobody's fault
            error = InternalError(f"Computing this request failed (llama_decode: {output.status}).")
            events = self._fail(self._sequence(plan.chunks[0]).job, error)
            if output.lengths and not self._residents.cuts:
                self._start_over()
            return events
        self._suspects.update(chunk.key for chunk in plan.chunks)
        if output.lengths and not self._residents.cuts:
            # llama.cpp moves states while it computes; now those of all lanes are in doubt.
            self._start_over()
            return []
        for chunk in plan.chunks:
            self._resume_at(self._sequence(chunk), output.lengths.get(chunk.lane))
        return []

    def _resume_at(self, sequence: Sequence, length: int | None) -> None:
        """`length` positions are computed, the last token's logits among what was lost."""
        if length is None or length <= sequence.n_computed:
            return
        kept = min(length, len(sequence.tokens) - 1)
        if sequence.is_scored:  # what was computed is still to be scored
            kept = sequence.n_computed
        if length > kept:
            self._residents.cache.ops.append(Remove(sequence.lane, kept))
        self._residents.cells.compute(kept - sequence.n_computed)
        sequence.n_computed = kept

    def after_loss(self) -> list[Event]:
        """A copied prefix could not be put back, and what else the plan did is not known."""
        log.warning("a cached prefix could not be restored; the prefix cache starts afresh")
        self._stats.n_lost_total += 1
        self._residents.distrust_disk()
        self._start_over()
        return []

    def _start_over(self) -> None:
        """Forget what is cached; compute what runs from its beginning."""
        running = list(self._residents.running.values())
        for sequence in running:
            self._residents.abandon(sequence)
        self._residents.forget_all()
        for sequence in running:
            self._residents.start(sequence)

    def _sequence(self, chunk: Chunk) -> Sequence:
        return self._residents.running[chunk.key]


def _no_room(n_ctx: int) -> MullamaError:
    return InternalError(f"No room in the KV cache of {n_ctx} cells for a single sequence.")
