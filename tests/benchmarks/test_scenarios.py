"""The traffic as a server sees it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable

import pytest

from benchmarks.answers import calm_gap, longest_gap, read_answer
from benchmarks.client import Client, Recording
from benchmarks.figures import Outcome
from benchmarks.scenarios import COMPLETIONS, SCENARIOS, groups
from benchmarks.traffic import FORM, Load
from tests.benchmarks.scripted import Body, Script, scripted

_BESIDE = ("stall", "crowd")  # long prompts come beside streams
_UNTOLD = {"prompt_computed", "gap_ratio"}  # the scripted server won't say, and has no gaps
PATIENCE = 60.0  # seconds until a request gives up; nothing should come near


def play(
    name: str, script: Script | None = None, load: Load | None = None
) -> tuple[Script, Outcome]:
    with scripted(script) as (script, address):
        client = Client(address, timeout=PATIENCE)
        run = SCENARIOS[name].run(client, load or Load("0", 4000))
        return script, asyncio.run(run)


def lengths(script: Script) -> list[tuple[int, int]]:
    return [(len(body["prompt"]), body["max_tokens"]) for body in script.requests]


def until_the_long_prompt() -> Callable[[Body, int], None]:
    """Streams stop after half of their tokens until the long prompt is there."""
    came = threading.Event()

    def before(body: Body, number: int) -> None:
        if body["max_tokens"] == 1:
            came.set()
        elif number == body["max_tokens"] // 2:
            assert came.wait(PATIENCE)

    return before


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("single", [(128, 128)]),
        ("parallel", [(128, 64)] * 16),
        ("burst", [(1040, 16)] * 16),
        ("warm", [(1040, 16)] * 16),
        ("turns", [(200 + 32 * turn, 32) for turn in range(1, 6) for _ in range(6)]),
        ("stall", [(64, 160), (64, 160), (3072, 1)]),
        ("storm", [(16, 1)] * 200),
        ("crowd", [(64, 160)] * 4 + [(3000, 1)] * 3),
        ("noise", [(128, 256)] * 4),
        ("swap", [(1500, 1)] * 24 + [(1532, 32)] * 24 + [(1564, 32)] * 24),
        ("swap-busy", [(1500, 1)] * 24 + [(1532, 32)] * 24 + [(1564, 32)] * 24),
    ],
)
def test_so_many_tokens_go_in_and_come_out(name: str, expected: list[tuple[int, int]]) -> None:
    script = Script(before_token=until_the_long_prompt()) if name in _BESIDE else None
    script, outcome = play(name, script)
    assert lengths(script) == expected
    assert (outcome.n_failed, outcome.notes) == (0, ())
    assert set(SCENARIOS[name].shown) - _UNTOLD <= outcome.figures.keys()


def test_every_request_is_greedy_and_as_long_as_asked() -> None:
    script, _ = play("single", load=Load("0", 4000, scale=0.05))
    [body] = script.requests
    assert (body["temperature"], body["ignore_eos"], body["stream"]) == (0, True, True)
    assert all(1000 <= token < 4000 for token in body["prompt"])


def prompts(name: str, load: Load) -> list[list[int]]:
    """In the order of their arrival, which only sequential requests determine."""
    return [body["prompt"] for body in play(name, load=load)[0].requests]


def test_a_burst_has_one_prefix_and_warm_the_same_with_other_endings() -> None:
    load = Load("0", 4000)
    burst, warm = prompts("burst", load), prompts("warm", load)
    assert len({tuple(prompt[:1024]) for prompt in burst + warm}) == 1
    assert len({tuple(prompt[1024:]) for prompt in burst + warm}) == 32


def test_a_turn_repeats_what_was_said_before() -> None:
    turns = prompts("turns", Load("0", 4000))
    for earlier, later in zip(turns, turns[6:], strict=False):
        assert later[: len(earlier)] == earlier


def test_servers_get_the_same_prompts_and_rounds_get_others() -> None:
    first, second = (Load(f"1/{number}", 4000, scale=0.1) for number in range(2))
    assert prompts("turns", first) == prompts("turns", first)
    assert sorted(prompts("parallel", first)) == sorted(prompts("parallel", first))
    assert not {*map(tuple, prompts("turns", first))} & {*map(tuple, prompts("turns", second))}


def test_the_scale_changes_lengths_and_not_the_clients() -> None:
    script, _ = play("parallel", load=Load("0", 4000, scale=0.25))
    assert lengths(script) == [(32, 16)] * 16


@pytest.mark.parametrize(("name", "most"), [("single", 1), ("turns", 1), ("storm", 32)])
def test_no_more_requests_are_sent_at_once(name: str, most: int) -> None:
    script, _ = play(name, load=Load("0", 4000, scale=0.5))
    assert 1 <= script.most_at_once <= most


def test_the_long_prompt_comes_while_the_streams_are_half_done() -> None:
    _, outcome = play("stall", Script(before_token=until_the_long_prompt()))
    assert (outcome.n_failed, outcome.notes) == (0, ())
    assert outcome.figures["long_ttft_ms"] > 0


def test_a_long_prompt_that_came_too_late_is_noted() -> None:
    _, outcome = play("stall", Script(early=150))
    assert any(note.startswith("2 streams were over") for note in outcome.notes)


def test_refusals_are_counted_and_quoted() -> None:
    _, outcome = play("parallel", Script(status=503))
    assert outcome.n_failed == 16
    assert "16 of 16 requests failed, the first with: HTTP 503" in outcome.notes[0]
    assert outcome.figures.keys() == {"wall_s"}


def test_early_ends_are_noted() -> None:
    _, outcome = play("single", Script(early=28))
    assert outcome.notes == ("1 of 1 answers ended early, the shortest after 100 of 128 tokens",)


def test_embeddings_are_eight_texts_a_request() -> None:
    script, outcome = play("embed")
    assert [len(body["input"]) for body in script.requests] == [8] * 32
    assert all(len(words.split()) == 60 for body in script.requests for words in body["input"])
    assert script.most_at_once <= 8
    assert outcome.figures["texts_per_s"] > 0


def test_failed_embeddings_are_told() -> None:
    _, outcome = play("embed", Script(status=500), Load("0", 4000, scale=0.1))
    assert outcome.n_failed == 3
    assert "HTTP 500" in outcome.notes[0]


def test_warm_brings_the_burst_along_and_stays_with_it() -> None:
    names = [[one.name for one in group] for group in groups(["storm", "warm", "single"])]
    assert names == [["single"], ["burst", "warm"], ["storm"]]


def test_embeddings_are_apart() -> None:
    assert "embed" not in COMPLETIONS
    assert len(COMPLETIONS) == 8


def test_special_scenarios_run_where_they_are_asked_for() -> None:
    special = {"swap", "swap-busy", "copy", "noise", "free", "held", "form", "forms"}
    assert not special & set(COMPLETIONS)
    assert {one.name for one in SCENARIOS.values() if one.special} == special


def test_a_conversation_that_takes_turns_sends_what_it_had() -> None:
    sent = prompts("swap", Load("0", 4000, scale=0.1))
    for earlier, later in zip(sent, sent[24:], strict=False):
        assert later[: len(earlier)] == earlier


def test_what_is_to_be_copied_is_in_the_question() -> None:
    script, outcome = play("copy")
    questions = [body["messages"][0]["content"] for body in script.requests]
    assert len(questions) == len(set(questions)) == 24
    assert all(question.count(" ") == 40 for question in questions)
    assert (outcome.n_failed, outcome.notes) == (0, ())


def test_noise_is_drawn_at_random_and_the_same_for_every_server() -> None:
    bodies = play("noise", load=Load("0", 4000, scale=0.5))[0].requests
    assert [body["seed"] for body in bodies] == [0, 1]
    assert all(body["temperature"] > 1 for body in bodies)


def stream(*times: float) -> Recording:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    event = b'data: {"choices": [{"text": "x"}]}\n\n'
    return Recording(0.0, [(0.0, head), *((time, event) for time in times)])


def test_the_calm_gap_is_the_median_until_something_comes() -> None:
    assert calm_gap([stream(1, 2, 2, 4, 5, 50)], 10) == 1
    assert calm_gap([stream(1, 20), stream()], 10) is None


def test_the_longest_gap_is_one_that_touches_the_time() -> None:
    streams = [stream(0, 9, 10, 13, 14), stream(1, 11, 12, 40)]
    assert longest_gap(streams, 10, 11) == 10
    assert longest_gap(streams, 11, 12) == 3
    assert longest_gap(streams, 11, 13) == 28
    assert longest_gap(streams, 50, 60) == 0


@pytest.mark.parametrize("length", range(40, 60))
def test_a_head_that_ends_with_a_nought_is_not_the_end(length: int) -> None:
    """Such a head looks like the last chunk of a chunked answer."""
    script = Script(status=400, message="x" * length)
    with scripted(script) as (_, address):
        recording = asyncio.run(Client(address, timeout=PATIENCE).complete([1], 1))
    assert "x" * length in (read_answer(recording).error or "")


def test_a_server_that_does_not_answer_is_given_up() -> None:
    stop = threading.Event()
    script = Script(before_token=lambda body, number: stop.wait(PATIENCE))
    with scripted(script) as (_, address):
        recording = asyncio.run(Client(address, timeout=0.05).complete([1], 1))
        stop.set()
    assert recording.error == "the answer was not over after 0.05 s"


def test_six_tenths_of_a_form_are_given() -> None:
    answer = json.dumps(dict.fromkeys(FORM["properties"], "x" * 12))
    assert 0.55 <= 1 - 12 * len(FORM["properties"]) / len(answer) <= 0.72


def test_forms_are_asked_for_as_the_chats_beside_them_are() -> None:
    asked = {}
    for name in ("free", "held", "form"):
        script, outcome = play(name)
        asked[name] = [body.pop("response_format", None) for body in script.requests]
        assert (outcome.n_failed, outcome.notes) == (0, ())
    assert asked["free"] == [None] * 6
    assert all(form["json_schema"]["schema"] == FORM for form in asked["form"])
