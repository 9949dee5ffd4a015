"""Answers held to a constraint: masks reach the runner, and what must come is not drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from mullama.errors import InvalidRequest
from mullama.types import Delta, Failed, FinishReason, GenerateRequest, Token
from tests.engine.bench import Bench
from tests.engine.fakes import N_VOCAB, request

PROMPT = [5, 6, 7]


class Script:
    """A matcher of runs of tokens that must come; None is a choice between two."""

    def __init__(self, *places: Token | None, breaks_at: int = -1) -> None:
        self.places = places
        self.at = 0
        self.breaks_at = breaks_at

    @property
    def done(self) -> bool:
        return self.at == len(self.places)

    @property
    def can_end(self) -> bool:
        return self.done

    def allowed(self) -> list[Token]:
        place = self.places[self.at]
        return [20, 21] if place is None else [place]

    def mask(self) -> bytes:
        bits = bytearray(N_VOCAB // 8 + 4)
        for token in self.allowed():
            bits[token // 8] |= 1 << token % 8
        return bytes(bits)

    def accept(self, token: Token) -> None:
        assert token in self.allowed(), (token, self.at)
        self.at += 1
        if self.at == self.breaks_at:
            raise InvalidRequest("The grammar became too complex.")

    def forced(self) -> list[Token]:
        run: list[Token] = []
        for place in self.places[self.at :]:
            if place is None:
                break
            run.append(place)
        return run

    def count_allowed(self, tokens: Sequence[Token]) -> int:
        raise NotImplementedError

    def count_free(self, tokens: Sequence[Token]) -> int:
        return 0

    def rollback(self, n: int) -> None:
        raise NotImplementedError

    def clone(self) -> Script:
        raise NotImplementedError


def held(id: int, make: Callable[[], Script], n: int = 50, **options: object) -> GenerateRequest:
    plain = request(id, PROMPT, n, **options)
    return GenerateRequest(id, plain.prompt, plain.options, make)


def test_the_answer_is_what_the_constraint_lets_through() -> None:
    bench = Bench()
    bench.add(held(1, lambda: Script(9, 8, None, 7, 6, 5)))
    bench.run()
    answer = bench.tokens()[1, 0]
    assert [*answer[:2], *answer[3:]] == [9, 8, 7, 6, 5]
    assert answer[2] in (20, 21)
    assert bench.finished().reason is FinishReason.STOP


def test_tokens_that_must_come_share_a_step() -> None:
    bench = Bench()
    bench.add(held(1, lambda: Script(9, 8, 7, 6, None, 5)))
    steps = []
    while bench.scheduler.has_work:
        steps.append(bench.step())
    assert [step for step in steps if step] == [[3], [4]]  # the prompt; 9 was drawn, 8 7 6 were not
    assert bench.scheduler.snapshot().n_forced_tokens_total == 4


def test_the_sampler_is_told_of_tokens_that_it_did_not_draw() -> None:
    bench = Bench()
    bench.add(held(1, lambda: Script(9, 8, 7, None, None)))
    bench.run()
    unseen = [list(chunk.unseen) for plan in bench.runner.plans for chunk in plan.chunks]
    assert unseen == [[], [8, 7], []]


def test_with_logprobs_every_token_is_drawn() -> None:
    bench = Bench()
    bench.add(held(1, lambda: Script(9, 8, 7), logprobs=0))
    bench.run()
    assert bench.tokens()[1, 0] == [9, 8, 7]
    assert bench.scheduler.snapshot().n_forced_tokens_total == 0


def test_max_tokens_cuts_what_must_come() -> None:
    bench = Bench()
    bench.add(held(1, lambda: Script(9, 8, 7, 6, 5), n=3))
    bench.run()
    assert bench.tokens()[1, 0] == [9, 8, 7]
    assert bench.finished().reason is FinishReason.LENGTH


def test_a_stop_string_ends_an_answer_within_what_must_come() -> None:
    bench = Bench()
    bench.add(held(1, lambda: Script(9, 8, 7, 6, None), stop=("IH",)))  # of a drawn J and I H G
    bench.add(held(2, lambda: Script(9, 8, 7, 6, None), stop=("JI",), n=9))
    bench.run()
    for id, text in ((1, "J"), (2, "")):
        deltas = [one for one in bench.events if isinstance(one, Delta) and one.id == id]
        assert "".join(one.text for one in deltas) == text
        assert bench.finished(id).reason is FinishReason.STOP


def test_each_answer_has_a_matcher_of_its_own() -> None:
    bench = Bench()
    bench.add(held(1, lambda: Script(9, None, 8), n=10))
    bench.add(GenerateRequest(2, (5, 6), request(2, [5, 6], 10, n=3).options, lambda: Script(4, 3)))
    bench.run()
    assert all(bench.tokens()[2, i] == [4, 3] for i in range(3))


@pytest.mark.parametrize("breaks_at", [1, 2, 4])
def test_a_constraint_that_breaks_ends_its_request_and_no_other(breaks_at: int) -> None:
    bench = Bench()
    bench.add(held(1, lambda: Script(9, 8, None, 6, 5, breaks_at=breaks_at), n=2 + breaks_at))
    bench.add(held(2, lambda: Script(9, 8, None, 6, 5)))
    bench.run()
    (failed,) = [event for event in bench.events if isinstance(event, Failed)]
    assert (failed.id, failed.error.kind) == (1, "InvalidRequest")
    assert len(bench.tokens()[2, 0]) == 5
    assert (
        bench.scheduler.snapshot().n_cells_free + bench.scheduler.snapshot().n_cells_cached == 256
    )


def test_a_constraint_that_cannot_begin_fails_its_request() -> None:
    def broken() -> Script:
        raise InvalidRequest("too complex")

    bench = Bench()
    bench.add(held(1, broken), request(2, PROMPT, 2))
    bench.run()
    assert [event.id for event in bench.events if isinstance(event, Failed)] == [1]
    assert bench.finished(2).n_generated == 2


def test_a_preempted_answer_goes_on_where_its_constraint_stood() -> None:
    places = [None, 9, 8] * 25
    bench = Bench(n_cells=128)
    for id in (1, 2):
        bench.add(held(id, lambda: Script(*places), n=90))
    bench.run()
    assert bench.scheduler.snapshot().n_preempted_total > 0
    for id in (1, 2):
        assert bench.tokens()[id, 0][1::3] == [9] * 25
