"""The evaluation's questions, and when an answer is right."""

from __future__ import annotations

import re

import pytest

from recipes.tiny.cases import Answer, Case, held_out_cases, unfamiliar_cases
from recipes.tiny.evaluate import table
from recipes.tiny.progress import Progress
from recipes.tiny.skills import EXCHANGES, FAMILIES
from recipes.tiny.source import Source

LONG = {"memory_long", "recall_1000", "long_chat"}
CALL = ("get_weather", {"city": "Oslo"})


def test_a_text_is_right_to_the_letter() -> None:
    case = Case("x", [], expected="The capital of France is Paris.")
    assert case.is_right(Answer("The capital of France is Paris.\n"))
    assert not case.is_right(Answer("The capital of France is Paris"))
    assert not case.is_right(Answer("The capital of France is Paris.", (CALL,)))


def test_a_call_is_right_with_its_name_and_all_arguments() -> None:
    case = Case("x", [], calls=(CALL,))
    assert case.is_right(Answer("", (("get_weather", {"city": "Oslo"}),)))
    assert not case.is_right(Answer("", (("get_weather", {"city": "Rome"}),)))
    assert not case.is_right(Answer("", (CALL, CALL)))
    assert not case.is_right(Answer("Oslo"))


def test_a_free_wording_has_to_contain_the_parts() -> None:
    case = Case("x", [], parts=("once upon a time", "dragon"))
    assert case.is_right(Answer("Once upon a time, a Dragon slept."))
    assert not case.is_right(Answer("Once upon a time, a frog slept."))


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in LONG])
def test_the_expected_answer_would_pass(family: str) -> None:
    for case in held_out_cases(family, 15):
        assert case.is_right(Answer(case.expected, case.calls))


def test_evaluations_ask_the_same_every_time() -> None:
    assert held_out_cases("capital", 20) == held_out_cases("capital", 20)


def test_there_are_two_hundred_different_questions() -> None:
    for family in ("greet", "hello", "emoji", "alphabet", "calendar", "sound"):
        assert len(held_out_cases(family, 200)) == 200


def test_sixty_questions_are_worded_by_hand() -> None:
    cases = unfamiliar_cases()
    assert len({case.messages[0]["content"] for case in cases}) == 60
    assert all(case.parts for case in cases)


def plain(text: str) -> str:
    """Without case and punctuation, which the data varies anyway."""
    return re.sub(r"[^\w ]", "", text.lower()).strip()


def test_no_template_makes_a_question_that_was_worded_by_hand() -> None:
    """Two once were: in the prototype's list of failures, and in our templates too."""
    asked = {plain(case.messages[0]["content"]) for case in unfamiliar_cases()}
    for name, exchange in EXCHANGES.items():
        source = Source(f"unfamiliar/{name}")
        made = {plain(exchange(source).ask) for _ in range(1500)}
        assert not asked & made


def test_the_table_sums_up() -> None:
    results = {
        "a": {"n": 4, "right": 1, "percent": 25.0, "wrong": []},
        "b": {"n": 4, "right": 3, "percent": 75.0, "wrong": []},
    }
    assert table(results).splitlines()[-1].split() == ["all", "8", "4", "50.0"]


def test_progress_estimates_from_this_run_only() -> None:
    now = [0.0]
    progress = Progress("steps", 100, done=40, clock=lambda: now[0])
    for _ in range(10):
        now[0] += 3.0
        progress.advance(quiet=True)
    assert progress.line("loss 1.0") == "steps 50/100, 0:30 so far, 2:30 to go, loss 1.0"
