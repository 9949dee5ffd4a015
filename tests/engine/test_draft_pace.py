"""Machines and texts of all kinds, on a made-up clock: what drafts gain, and what they lose."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from mullama.engine.draft_pace import ALLOWANCE, MOST_SAVED, STALE, Acceptance, DraftPace, StepCosts
from mullama.engine.lookup import Lookup

Machine = Callable[[int], float]  # seconds of a step by its rows
Text = Callable[[int, int], bool]  # is the token at a position foreseen, in a draft of so many?

MACHINES: dict[str, Machine] = {
    "flat": lambda n: 1 + 0.01 * (n - 1),  # a GPU: rows are nearly free
    "gentle": lambda n: 1 + 0.3 * (n - 1),
    "cliff": lambda n: 1.0 if n == 1 else 3 + 0.02 * n,  # the second row is the dear one
    "linear": lambda n: float(n),  # a row takes what a row takes: drafts can't gain
}
TEXTS: dict[str, Text] = {
    "always right": lambda i, _: True,
    "never right": lambda i, _: False,
    "in turns": lambda i, _: i % 2 == 0,
    "runs of 20": lambda i, _: i // 20 % 2 == 0,
    "runs of 100": lambda i, _: i // 100 % 2 == 0,
    "mostly right": lambda i, _: random.Random(i).random() < 0.8,
    # What no estimate can foresee: right until it is believed.
    "spiteful": lambda i, n_drafted: n_drafted == 0,
}


def speed(
    machine: Machine,
    text: Text,
    n_tokens: int = 2000,
    *,
    n_others: int = 0,
    noise: float = 0.0,
    n_prompt: int = 512,
) -> float:
    """Tokens a second of a sequence with drafts, of those without."""
    pace, acceptance, rng = DraftPace(), Acceptance(), random.Random(1)
    n_rows = 1 + n_others
    if n_prompt:
        pace.record(n_prompt, 1, machine(n_prompt))
    i, seconds = 0, 0.0
    while i < n_tokens:
        k = pace.length(acceptance, n_rows, n_rows, 16) if pace.may_draft(n_rows) else 0
        n_accepted = next((j for j in range(k) if not text(i + j, k)), k)
        took = machine(n_rows + k) * rng.uniform(1 - noise, 1 + noise)
        pace.record(n_rows, n_rows, took, k, n_accepted)
        for j in range(n_accepted + 1):
            acceptance.record(text(i + j, k))
        i += n_accepted + 1
        seconds += took
    return i * machine(n_rows) / seconds


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("machine", MACHINES)
def test_no_text_on_no_machine_loses_more_than_the_allowance(
    machine: str, text: str, noise: float
) -> None:
    assert speed(MACHINES[machine], TEXTS[text], noise=noise) > 1 - ALLOWANCE - 0.015


@pytest.mark.parametrize("n_prompt", [0, 512])
@pytest.mark.parametrize("machine", MACHINES)
def test_a_short_answer_that_nothing_foresees_loses_nothing(machine: str, n_prompt: int) -> None:
    never = TEXTS["never right"]
    assert speed(MACHINES[machine], never, 64, n_prompt=n_prompt) > 0.99


@pytest.mark.parametrize("text", TEXTS)
def test_where_rows_are_known_to_gain_nothing_a_short_answer_loses_nothing(text: str) -> None:
    assert speed(MACHINES["linear"], TEXTS[text], 256) == pytest.approx(1)


@pytest.mark.parametrize(
    ("machine", "text", "least"),
    [
        ("flat", "always right", 13),
        ("flat", "in turns", 1.9),
        ("flat", "runs of 20", 1.7),
        ("flat", "mostly right", 3.5),
        ("gentle", "always right", 2.7),
        ("gentle", "in turns", 1.4),
        ("gentle", "runs of 20", 1.3),
        ("gentle", "runs of 100", 1.4),
        ("cliff", "always right", 4.5),
        ("cliff", "runs of 20", 1.4),
        ("cliff", "runs of 100", 1.5),
    ],
)
def test_copies_gain_where_the_machine_allows_it(machine: str, text: str, least: float) -> None:
    assert speed(MACHINES[machine], TEXTS[text]) > least
    assert speed(MACHINES[machine], TEXTS[text], noise=0.1) > 0.9 * least


@pytest.mark.parametrize("machine", ["flat", "gentle", "cliff"])
def test_a_short_answer_that_is_a_copy_gains_too(machine: str) -> None:
    assert speed(MACHINES[machine], TEXTS["always right"], 128) > 2
    assert speed(MACHINES[machine], TEXTS["always right"], 128, n_prompt=0) > 1.5


def test_a_machine_that_gets_slow_rows_stops_drafts_and_one_that_recovers_starts_them() -> None:
    pace, acceptance = DraftPace(), Acceptance()

    def drafted(machine: Machine, n_steps: int) -> list[int]:
        lengths = []
        for _ in range(n_steps):
            k = pace.length(acceptance, 1, 1, 8) if pace.may_draft(1) else 0
            pace.record(1, 1, machine(1 + k), k, k)
            acceptance.record(True)
            lengths.append(k)
        return lengths

    assert sum(k > 0 for k in drafted(MACHINES["flat"], 50)) > 40
    drafted(lambda n: 1 + 5.0 * (n > 1) * n, 50)
    assert sum(k > 0 for k in drafted(lambda n: 1 + 5.0 * (n > 1) * n, 100)) < 10
    drafted(MACHINES["flat"], 3000)
    assert sum(k > 0 for k in drafted(MACHINES["flat"], 100)) > 80


def test_steps_that_were_never_measured_are_tried_by_and_by() -> None:
    pace, acceptance = DraftPace(), Acceptance()
    for _ in range(50):
        acceptance.record(True)
    lengths = []
    for _ in range(6):
        k = pace.length(acceptance, 1, 1, 16) if pace.may_draft(1) else 0
        pace.record(1, 1, MACHINES["flat"](1 + k), k, k)
        lengths.append(k)
    assert lengths == [0, 1, 3, 7, 15, 16]


def test_neither_great_savings_nor_a_long_prompt_may_be_lost_again_in_whole() -> None:
    pace = DraftPace()
    pace.record(1, 1, 1.0)
    for _ in range(100):
        pace.record(1, 1, 1.5, n_drafted=4, n_accepted=4)
    pace.record(512, 1, 1000.0)
    lost = 0.0
    while pace.may_draft(1):
        pace.record(1, 1, 3.0, n_drafted=4, n_accepted=0)
        lost += 2
    assert lost == MOST_SAVED + 2


# -- company --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_others", [1, 3, 15])
@pytest.mark.parametrize("machine", MACHINES)
def test_in_company_the_geometric_mean_of_all_speeds_is_never_lowered(
    machine: str, n_others: int
) -> None:
    """The others are slowed by as much as the steps are longer; alone the bound is the same."""
    pace, acceptance = DraftPace(), Acceptance()
    seconds, n_rows = MACHINES[machine], 1 + n_others
    for n in range(1, 64):  # all that can be measured
        pace.record(n, n, seconds(n))
    for _ in range(100):
        acceptance.record(True)
    k = pace.length(acceptance, n_rows, n_rows, 16)
    slower = seconds(n_rows + k) / seconds(n_rows)
    own = (1 + k) / slower
    assert own * (1 / slower) ** n_others >= 1
    assert own >= 1


def test_the_more_company_the_shorter_the_draft() -> None:
    pace, acceptance = DraftPace(), Acceptance()
    for n in range(1, 64):
        pace.record(n, n, MACHINES["gentle"](n))
    for _ in range(100):
        acceptance.record(True)
    lengths = [pace.length(acceptance, n, n, 16) for n in (1, 4, 16)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[0] > lengths[-1]


def test_in_company_an_accepted_token_is_one_of_many() -> None:
    """Three others lose half a step each time that one gains a token."""
    pace = DraftPace()
    pace.record(4, 4, 1.0)
    pace.record(4, 4, 1.5, n_drafted=4, n_accepted=1)
    assert not pace.may_draft(4)
    pace.record(4, 4, 1.5, n_drafted=4, n_accepted=4)
    assert pace.may_draft(4)


# -- what is known --------------------------------------------------------------------------------


def test_runs_are_told_from_single_hits() -> None:
    runs, singles = Acceptance(), Acceptance()
    for i in range(400):
        runs.record(i // 20 % 2 == 0)
        singles.record(i % 2 == 0)
    assert runs.going > 0.85 > 0.2 > runs.fresh
    assert singles.fresh > 0.9 > 0.1 > singles.going


def test_a_token_that_nothing_foresaw_ends_a_run_and_tells_nothing() -> None:
    acceptance = Acceptance()
    acceptance.record(True)
    fresh = acceptance.fresh
    assert acceptance.next == acceptance.going
    acceptance.record(None)
    assert acceptance.next == acceptance.fresh == fresh


def test_between_measured_sizes_costs_are_on_a_line() -> None:
    costs = StepCosts()
    costs.record(2, 1.0)
    costs.record(10, 5.0)
    assert [costs.seconds(n) for n in (1, 2, 4, 10)] == [1.0, 1.0, 2.0, 5.0]
    assert 5.0 < costs.seconds(20) < 10.0


def test_a_size_is_where_its_latest_steps_were() -> None:
    costs = StepCosts()
    costs.record(64, 1.0)
    costs.record(128, 10.0)
    for _ in range(50):
        costs.record(70, 2.0)
    assert costs.seconds(70) == pytest.approx(2.0, rel=0.01)


def test_one_slow_moment_is_not_believed_in_whole() -> None:
    costs = StepCosts()
    costs.record(4, 1.0)
    costs.record(4, 100.0)
    assert costs.seconds(4) < 1.5


def test_what_was_not_measured_for_long_is_forgotten() -> None:
    costs = StepCosts()
    costs.record(4, 100.0)
    costs.record(100, 200.0)
    for _ in range(4 * STALE):
        costs.record(1, 1.0)
    assert [costs.knows(n) for n in (1, 4, 100)] == [True, False, True]
    assert costs.seconds(4) < 10


@pytest.mark.parametrize("n_rows", [1, 15, 16, 17, 100, 4096])
def test_a_size_is_known_for_about_an_eighth_around_it(n_rows: int) -> None:
    costs = StepCosts()
    costs.record(n_rows, 1.0)
    assert costs.knows(n_rows)
    assert not costs.knows(n_rows + n_rows // 8 + 1)
    assert not costs.knows(n_rows - n_rows // 8 - 1)


def test_nothing_is_drafted_before_a_step_without_was_measured() -> None:
    pace = DraftPace()
    assert not pace.may_draft(1)
    pace.record(1, 1, 0.01)
    assert pace.may_draft(1)
    assert not pace.may_draft(2)


def test_a_stopped_clock_teaches_nothing() -> None:
    pace = DraftPace()
    pace.record(1, 1, 0.0)
    assert not pace.may_draft(1)


# -- with a real proposer -------------------------------------------------------------------------


def answer_speed(machine: Machine, prompt: list[int], answer: list[int]) -> float:
    """The whole of it: lookup, acceptance and pace, as an engine puts them together."""
    pace, acceptance, lookup = DraftPace(), Acceptance(), Lookup()
    pace.record(len(prompt), 1, machine(len(prompt)))
    lookup.extend(prompt)
    i, seconds = 0, 0.0
    while i < len(answer):
        k = 0
        if lookup.foresees and pace.may_draft(1):
            k = pace.length(acceptance, 1, 1, min(16, len(answer) - i - 1))
        draft = list(lookup.propose(k))
        n_accepted = next((j for j in range(k) if draft[j] != answer[i + j]), k)
        seconds += machine(1 + k)
        pace.record(1, 1, machine(1 + k), k, n_accepted)
        for token in answer[i : i + n_accepted + 1]:
            acceptance.record(lookup.append(token))
        i += n_accepted + 1
    return len(answer) * machine(1) / seconds


def edited(tokens: list[int], one_in: int) -> list[int]:
    rng = random.Random(2)
    return [rng.randrange(1000, 2000) if not rng.randrange(one_in) else t for t in tokens]


WORDS = random.Random(1)
PROMPT = [int(WORDS.paretovariate(0.6)) % 1000 for _ in range(600)]


@pytest.mark.parametrize("machine", ["flat", "gentle", "cliff"])
def test_an_edited_copy_of_the_prompt_is_at_least_a_third_faster(machine: str) -> None:
    assert answer_speed(MACHINES[machine], PROMPT, edited(PROMPT, 25)) > 1.33


@pytest.mark.parametrize("machine", MACHINES)
def test_new_text_of_the_same_words_is_not_slower(machine: str) -> None:
    new = [int(WORDS.paretovariate(0.6)) % 1000 for _ in range(600)]
    assert answer_speed(MACHINES[machine], PROMPT, new) > 0.97
