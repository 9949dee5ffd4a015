"""Drafts in the plan: tokens ahead of what a sequence has, computed along and checked in one step.

A draft costs rows. Where they come from is `lookup`'s business, what they are worth `draft_pace`'s;
here they meet the plan: only in steps of streams alone, only as far as logits and tokens reach,
only where a lane can be cut again after the last token that was right, and under a constraint only
while it leaves the text free.

Another source of drafts, such as a second model, would be asked here.
"""

from __future__ import annotations

from mullama.engine.draft_pace import DraftPace
from mullama.engine.lookup import Lookup
from mullama.engine.sequence import Sequence
from mullama.types import MemoryKind, Plan, Runner, StepOutput, Token


class Drafts:
    """Proposes drafts for streaming sequences, and learns from what came of them."""

    def __init__(self, most: int, max_ngram: int, runner: Runner) -> None:
        """Drafts of up to `most` tokens; 0 for none."""
        self._most = most if runner.memory is MemoryKind.ATTENTION else 0
        self._max_ngram = max_ngram
        self._n_outputs = runner.n_outputs
        self._pace = DraftPace()

    def open(self, sequence: Sequence) -> None:
        """A sequence starts: index what it has."""
        if self._most and sequence.lookup is None:
            sequence.lookup = Lookup(self._max_ngram)
            sequence.lookup.extend(sequence.tokens)

    def learn(self, sequence: Sequence, token: Token) -> None:
        """A token was generated, drafted or not."""
        if sequence.lookup is not None:
            sequence.acceptance.record(sequence.lookup.append(token))

    def lengthen(self, plan: Plan, sequences: dict[int, Sequence], n_cells: int) -> None:
        """Add drafts to a plan that has a row of each of its sequences and nothing else; they may
        take `n_cells` cells."""
        n_sequences = n_rows = len(plan.chunks)
        if not self._most or not n_rows or not self._pace.may_draft(n_rows):
            return
        for chunk in plan.chunks:
            sequence = sequences[chunk.key]
            if sequence.lookup is None or not sequence.lookup.foresees:
                continue
            most = min(self._room(sequence), n_cells, self._n_outputs - n_rows)
            if most <= 0 or not chunk.sample:  # of a row in a prompt nothing is drawn
                continue
            n = self._pace.length(sequence.acceptance, n_rows, n_sequences, most)
            draft = sequence.lookup.propose(n)
            if draft and sequence.matcher is not None:
                draft = draft[: sequence.matcher.count_free(draft)]
            if draft:
                chunk.tokens = [*chunk.tokens, *draft]
                chunk.n_draft = len(draft)
                n_rows += len(draft)
                n_cells -= len(draft)

    def _room(self, sequence: Sequence) -> int:
        """Tokens that a draft may have: the last one wanted needs no row, and what is banned must
        not change on the way."""
        if sequence.mask is not None or sequence.n_unseen:  # each row would need one of its own
            return 0
        if sequence.n_generated < sequence.job.options.min_tokens:
            return 0
        return min(self._most, sequence.max_tokens - sequence.n_generated - 1)

    def record(self, plan: Plan, output: StepOutput, seconds: float) -> None:
        """A step took so many seconds."""
        if not self._most:
            return
        n_drafted = sum(chunk.n_draft for chunk in plan.chunks)
        n_accepted = sum(len(samples) - 1 for samples in output.samples if samples)
        n_rows = plan.n_rows - n_drafted
        self._pace.record(n_rows, len(plan.chunks), seconds, n_drafted, n_accepted)
