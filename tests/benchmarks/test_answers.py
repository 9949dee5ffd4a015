"""What recordings say, made by hand: the times are the pieces' own."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from benchmarks.answers import Answer, read_answer, shortfall, vector_error
from benchmarks.client import Recording
from benchmarks.figures import Outcome, of_answers, percentile

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def event(**fields: Any) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def text(words: str) -> bytes:
    return event(choices=[{"text": words, "index": 0}])


USAGE = event(choices=[], usage={"completion_tokens": 9, "prompt_tokens": 1})


def recording(*pieces: tuple[float, bytes], start: float = 10.0) -> Recording:
    return Recording(start, list(pieces))


def test_times_are_those_of_events_with_text() -> None:
    answer = read_answer(
        recording((10.5, HEAD), (11, text("")), (12, text("a")), (12.25, text("b")), (13, USAGE))
    )
    assert answer.error is None
    assert (answer.ttft, answer.gaps, answer.n_tokens) == (2.0, [0.25], 9)


def test_events_of_one_piece_have_no_gap_between_them() -> None:
    answer = read_answer(recording((11, HEAD + text("a") + text("b")), (12, text("c"))))
    assert answer.gaps == [0.0, 1.0]


def test_an_event_in_two_pieces_counts_from_the_second() -> None:
    data = text("a")
    answer = read_answer(recording((11, HEAD + data[:20]), (12, data[20:])))
    assert answer.times == (12,)


def test_without_usage_the_pieces_of_text_are_counted() -> None:
    assert read_answer(recording((11, HEAD + text("a") + text("b")))).n_tokens == 2


def test_an_answer_without_text_began_with_its_first_choice() -> None:
    answer = read_answer(recording((11, HEAD), (12, text("")), (13, text("")), (14, USAGE)))
    assert (answer.ttft, answer.gaps, answer.error) == (2.0, [], None)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (recording(), "closed before an answer"),
        (recording((11, HEAD)), "no token"),
        (recording((11, HEAD + b"data: {nonsense\n\n")), "can't be read"),
        (recording((11, HEAD + text("a") + event(error={"message": "ouch"}))), "ouch"),
        (recording((11, b'HTTP/1.1 503 Busy\r\n\r\n{"error": "full"}')), 'HTTP 503: {"error": "fu'),
        (Recording(10.0, [(11, HEAD + text("a"))], error="it broke"), "it broke"),
    ],
)
def test_what_went_wrong_is_told(given: Recording, words: str) -> None:
    assert words in (read_answer(given).error or "")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"data": [{"embedding": []}, {"embedding": []}]}', None),
        (b'{"data": [{"embedding": []}]}', "1 vectors came for 2 texts"),
        (b'{"nothing": 1}', "can't be read"),
    ],
)
def test_a_vector_for_each_text_is_asked_for(body: bytes, words: str | None) -> None:
    error = vector_error(recording((11, HEAD + body)), 2)
    assert error is None if words is None else words in (error or "")


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile([4, 1, 2, 3], 0.5) == 2
    assert percentile(range(1, 101), 0.99) == 99
    assert percentile([5], 0.99) == 5


def answer(*times: float, n_tokens: int = 0, error: str | None = None) -> Answer:
    return Answer(0.0, times, n_tokens or len(times), 200, error)


def test_figures_are_of_all_answers_that_came() -> None:
    answers = [answer(1, 2, 4), answer(3, 4, 5), answer(1, error="broken")]
    outcome = of_answers(answers, n_out=3, wall=2.0)
    assert outcome.n_failed == 1
    assert outcome.notes == ("1 of 3 requests failed, the first with: broken",)
    assert outcome.figures == {
        "wall_s": 2.0,
        "tokens_per_s": 3.0,
        "requests_per_s": 1.0,
        "gap_mean_ms": 1250.0,
        "gap_p50_ms": 1000.0,
        "gap_p99_ms": 2000.0,
        "gap_max_ms": 2000.0,
        "gap_ratio": 2.0,
        "ttft_p50_ms": 1000.0,
        "ttft_p99_ms": 3000.0,
    }


def test_answers_that_ended_early_are_noted() -> None:
    notes = of_answers([answer(1, 2, n_tokens=5), answer(1, 2, n_tokens=8)], 8, 1.0).notes
    assert notes == ("1 of 2 answers ended early, the shortest after 5 of 8 tokens",)


def test_where_all_failed_only_the_time_is_left() -> None:
    assert of_answers([answer(error="x")], 1, 2.0) == Outcome(
        {"wall_s": 2.0}, ("1 of 1 requests failed, the first with: x",), 1
    )


def test_what_of_the_prompt_was_computed_is_told_by_the_timings() -> None:
    last = event(choices=[{"text": ""}], timings={"prompt_n": 7, "cache_n": 100})
    assert read_answer(recording((11, HEAD + text("a") + last))).n_computed == 7
    assert read_answer(recording((11, HEAD + text("a")))).n_computed is None


def test_a_chat_s_text_is_in_its_deltas() -> None:
    role, content = ({"delta": delta} for delta in ({"role": "assistant"}, {"content": "hi"}))
    data = HEAD + event(choices=[role]) + event(choices=[content]) + text(" you")
    answer = read_answer(recording((11, data)))
    assert (answer.text, answer.n_tokens) == ("hi you", 2)


def likely(token: str, **top: float) -> bytes:
    return event(choices=[{"text": token, "logprobs": {"tokens": [token], "top_logprobs": [top]}}])


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ab", 0.0),
        ("ac", 0.5),
        ("acx", 0.5),
        ("az", math.inf),
        ("b", math.inf),
        ("a", math.inf),
    ],
)
def test_a_text_falls_short_by_its_first_other_token(said: str, expected: float) -> None:
    data = HEAD + likely("a", a=-0.1, x=-3.0) + likely("b", b=-1.0, c=-1.5, d=-2.0)
    assert shortfall(recording((11, data)), said) == pytest.approx(expected)


def test_a_prompt_s_figures_are_of_the_answers_that_tell() -> None:
    answers = [Answer(0.0, (1.0,), 1, 200, None, n_computed) for n_computed in (16, None, 32)]
    figures = of_answers(answers, 1, 1.0).figures
    assert (figures["prompt_computed"], figures["prompt_computed_max"]) == (24, 32)


def test_the_longest_gap_is_compared_to_the_median() -> None:
    figures = of_answers([Answer(0.0, (1.0, 2.0, 3.0, 9.0), 4, 200, None)], 4, 9.0).figures
    assert figures["gap_ratio"] == 6
