"""Drafts in the engine: the same answers in fewer steps, where rows are cheap."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mullama.engine.options import EngineOptions
from mullama.types import FinishReason, GenerateRequest, MemoryKind, Status, Token
from tests.engine.bench import Bench
from tests.engine.fakes import EOG, N_VOCAB, echoing_token, reference, request

PROMPT = list(range(1, 30))
N = 200


def bench(*, draft_tokens: int = 6, **options: object) -> Bench:
    """A model that repeats itself, on a machine where a step takes a second whatever its rows."""
    chosen = {"seconds_per_row": 0.0, "seconds_per_step": 1.0, "n_cells": 2000} | options
    return Bench(EngineOptions(draft_tokens=draft_tokens), model=echoing_token, **chosen)  # type: ignore[arg-type]


def n_drafted(it: Bench) -> int:
    return sum(chunk.n_draft for plan in it.runner.plans for chunk in plan.chunks)


def test_drafts_save_steps_and_change_nothing() -> None:
    it = bench()
    it.add(request(1, PROMPT, N))
    it.run()
    assert it.tokens()[1, 0] == reference(PROMPT, N, echoing_token)
    assert it.clock.now < 0.7 * N


def test_without_drafts_there_are_none() -> None:
    it = bench(draft_tokens=0)
    it.add(request(1, PROMPT, N))
    it.run()
    assert n_drafted(it) == 0
    assert it.clock.now == N


def test_rows_that_cost_what_they_bring_are_not_drafted() -> None:
    it = bench(seconds_per_row=1.0, seconds_per_step=0.0)
    it.add(request(1, PROMPT, N))
    it.run()
    assert n_drafted(it) <= N / 10  # until the first were measured


def test_several_streams_draft_in_one_step() -> None:
    it = bench()
    for id in range(1, 5):
        it.add(request(id, [id, *PROMPT], N))
    it.run()
    for id in range(1, 5):
        assert it.tokens()[id, 0] == reference([id, *PROMPT], N, echoing_token)
    assert max(sum(c.n_draft > 0 for c in plan.chunks) for plan in it.runner.plans) > 1


def test_an_end_in_the_middle_of_a_draft_is_the_end() -> None:
    expected = reference(PROMPT, N, echoing_token)
    stop = expected[150]
    first = expected.index(stop)
    it = bench()
    it.add(request(1, PROMPT, N, stop_tokens=(stop,)))
    it.run()
    assert it.tokens()[1, 0] == expected[:first]
    assert it.finished().reason is FinishReason.STOP
    assert it.finished().n_generated == first + 1


def test_what_is_banned_stays_banned() -> None:
    it = bench()
    it.add(request(1, PROMPT, N, min_tokens=N))
    it.run()
    assert n_drafted(it) == 0


class Watched:
    """A matcher of free text: but behind each `trigger` 77 must come."""

    done = False
    can_end = True

    def __init__(self, trigger: Token) -> None:
        self.trigger = trigger
        self.last = -1

    def mask(self) -> bytes | None:
        if self.last != self.trigger:
            return None
        bits = bytearray(N_VOCAB // 8 + 4)
        bits[77 // 8] |= 1 << 77 % 8
        return bytes(bits)

    def accept(self, token: Token) -> None:
        assert self.last != self.trigger or token == 77
        self.last = token

    def count_free(self, tokens: Sequence[Token]) -> int:
        ahead = list(tokens)
        return ahead.index(self.trigger) if self.trigger in ahead else len(ahead)

    def forced(self) -> list[Token]:
        return []

    def count_allowed(self, tokens: Sequence[Token]) -> int:
        raise NotImplementedError

    def rollback(self, n: int) -> None:
        raise NotImplementedError

    def clone(self) -> Watched:
        raise NotImplementedError


def test_text_that_a_constraint_leaves_free_is_drafted_and_no_further() -> None:
    trigger = reference(PROMPT, N, echoing_token)[40]
    answers = []
    for draft_tokens in (0, 6):
        it = bench(draft_tokens=draft_tokens)
        plain = request(1, PROMPT, N)
        it.add(GenerateRequest(1, plain.prompt, plain.options, lambda: Watched(trigger)))
        it.run()
        answers.append(it.tokens()[1, 0])
    assert answers[0] == answers[1]
    assert n_drafted(it) > N / 10
    assert answers[0][answers[0].index(trigger) + 1] == 77


def test_the_next_turn_finds_what_was_drafted() -> None:
    it = bench()
    it.add(request(1, PROMPT, N))
    it.run()
    turn = [*PROMPT, *it.tokens()[1, 0], EOG, 5]
    it.add(request(2, turn, 20))
    it.run()
    assert it.finished(2).n_cached == len(PROMPT) + N - 1
    assert it.tokens()[2, 0] == reference(turn, 20, echoing_token)


@pytest.mark.parametrize("status", [Status.NO_SLOT, Status.INVALID, Status.FATAL, Status.ABORTED])
@pytest.mark.parametrize("n_requests", [2, 3])
def test_a_failed_step_with_drafts_costs_no_tokens(status: Status, n_requests: int) -> None:
    it = bench()
    for id in range(1, n_requests + 1):
        it.add(request(id, [id, *PROMPT], N))
    while not n_drafted(it):
        it.step()
    it.runner.script = [status]
    it.run()
    for id in range(1, n_requests + 1):
        assert it.tokens()[id, 0] == reference([id, *PROMPT], N, echoing_token)


def test_what_is_computed_again_row_by_row_is_not_drafted() -> None:
    """Drafts were put behind the single row of a prompt's step, where nothing was drawn to check
    them: they stayed in the KV cache."""
    it = bench(n_ubatch=1)
    it.add(request(1, PROMPT, N))
    while not n_drafted(it):
        it.step()
    it.scheduler._recovery.after_loss()  # it starts over, and has learned that drafts are worth it
    it.run()
    assert it.tokens()[1, 0] == reference(PROMPT, N, echoing_token)


@pytest.mark.parametrize("memory", [MemoryKind.RECURRENT, MemoryKind.WINDOW])
def test_a_memory_that_cannot_be_cut_has_no_drafts(memory: MemoryKind) -> None:
    it = bench(memory=memory)
    it.add(request(1, PROMPT, N))
    it.run()
    assert n_drafted(it) == 0
    assert it.tokens()[1, 0] == reference(PROMPT, N, echoing_token)
