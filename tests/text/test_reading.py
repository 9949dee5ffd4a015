"""Deltas become spans, calls have ids, and tokens find their place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from mullama.text.reading import Channels, Reading
from mullama.text.spans import Answer, Span, SpanKind, fold
from mullama.text.syntax import CallSyntax, JsonCall, Slot
from mullama.types import Delta, TokenLogprob
from tests.api.channels import CALL, FORMAT, TOOLS
from tests.api.fakes import scored

CHANNELS = Channels(FORMAT, TOOLS)
PLAIN = Channels(replace(FORMAT, calls=None))


def read(reading: Reading, pieces: Iterable[str]) -> Answer:
    spans: list[Span] = list(reading.prefilled)
    for piece in pieces:
        spans += reading.feed(Delta(1, 0, piece, 1))
    return fold([*spans, *reading.finish()])


def scored_by(reading: Reading, pieces: Iterable[str]) -> tuple[str, str]:
    """The tokens of content and of thoughts, after all has been read."""
    found: list[list[TokenLogprob]] = [[], []]
    for piece in pieces:
        reading.feed(Delta(1, 0, piece, 1, (), (scored(piece, -0.5),)))
        scores = reading.scores()
        found[0] += scores.content
        found[1] += scores.thoughts
    reading.finish()
    scores = reading.scores()
    texts = [b"".join(s.piece for s in one) for one in (found[0] + scores.content, found[1])]
    return texts[0].decode(), (texts[1] + b"".join(s.piece for s in scores.thoughts)).decode()


def test_an_answer_is_read_the_same_however_it_is_cut() -> None:
    text = f"<think>\nHm.\n</think>\n\nLook:\n{CALL}\n{CALL}"
    whole = read(CHANNELS.reading(""), [text])
    assert (whole.reasoning, whole.content.strip()) == ("Hm.", "Look:")
    assert [call.arguments for call in whole.calls] == ['{"a": 1}'] * 2
    for place in range(len(text)):
        cut = read(CHANNELS.reading(""), [text[:place], text[place:]])
        assert replace(cut, calls=[]) == replace(whole, calls=[])
        assert [call.arguments for call in cut.calls] == ['{"a": 1}'] * 2


def test_every_call_has_an_id_of_its_own() -> None:
    calls = read(CHANNELS.reading(""), [CALL + CALL]).calls
    assert all(call.id.startswith("call_") for call in calls)
    assert len({call.id for call in calls}) == 2


def test_an_id_of_the_models_own_is_kept_unless_it_comes_twice() -> None:
    syntax = CallSyntax(
        call=(
            '<call>{"id": "',
            Slot.ID,
            '", "name": "',
            Slot.NAME,
            '", "arguments": ',
            Slot.ARGUMENTS,
            "}</call>",
        ),
        json=JsonCall(id="id"),
    )
    text = '<call>{"id": "x1", "name": "now", "arguments": {}}</call>'
    channels = Channels(replace(FORMAT, calls=syntax), TOOLS)
    first, second = read(channels.reading(""), [text + text]).calls
    assert first.id == "x1"
    assert second.id.startswith("call_")


def test_an_answer_that_is_not_parallel_has_one_call() -> None:
    reading = replace(CHANNELS, parallel=False).reading("")
    answer = read(reading, [f"A {CALL} B {CALL}"])
    assert len(answer.calls) == reading.n_calls == 1
    assert answer.content.split() == ["A", "B"]


def test_a_call_without_tools_is_content() -> None:
    assert read(replace(CHANNELS, tools=()).reading(""), [CALL]).content == CALL


def test_a_thought_that_the_prompt_opened_is_one() -> None:
    answer = read(PLAIN.reading("<think>\n"), ["Hm.", "</think>", "42"])
    assert (answer.reasoning, answer.content) == ("Hm.", "42")


def test_thoughts_stay_in_the_content_where_they_are_not_wanted_apart() -> None:
    answer = read(replace(PLAIN, thoughts=False).reading("<think>\n"), ["Hm.", "</think>", "42"])
    assert answer == Answer(content="<think>\nHm.</think>42")


def test_what_the_client_wrote_is_not_repeated() -> None:
    channels = replace(PLAIN, thoughts=False, continued=True)
    assert read(channels.reading("<think>\nHm, "), ["so", "</think>", "42"]).content == (
        "so</think>42"
    )


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_tokens_of_thoughts_are_counted_and_scored_apart(size: int) -> None:
    text = "abc</think>defg"
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    reading = PLAIN.reading("<think>")
    content, thoughts = scored_by(reading, pieces)
    n_inside = len([at for at in range(0, len(text), size) if at < len("abc</think>")])
    assert reading.n_thought == n_inside
    assert thoughts + content == text
    assert thoughts == "".join(pieces[:n_inside])


def test_a_thought_that_never_ends_counts_to_its_end() -> None:
    reading = PLAIN.reading("<think>")
    read(reading, ["a", "b", "<", "/thi"])
    assert reading.n_thought == 4


def test_scores_are_the_contents_where_thoughts_are() -> None:
    reading = replace(PLAIN, thoughts=False).reading("<think>")
    assert scored_by(reading, ["a", "</think>", "b"]) == ("a</think>b", "")
    assert reading.n_thought == 2


def test_a_delta_of_several_tokens_is_divided_by_their_pieces() -> None:
    reading = PLAIN.reading("<think>")
    pieces = ["a", "</think>", "b"]
    reading.feed(Delta(1, 0, "a</think>b", 3, (), tuple(scored(one, -0.5) for one in pieces)))
    reading.finish()
    scores = reading.scores()
    assert [one.piece for one in scores.thoughts] == [b"a", b"</think>"]
    assert [one.piece for one in scores.content] == [b"b"]
    assert reading.n_thought == 2


def test_a_reading_is_settled_when_only_content_can_follow() -> None:
    reading = PLAIN.reading("")
    assert reading.feed(Delta(1, 0, "\n", 1)) == []
    assert not reading.settled
    assert reading.feed(Delta(1, 0, "Hi", 1)) == [Span(SpanKind.CONTENT, "\nHi")]
    assert reading.settled


def test_a_reading_that_awaits_calls_or_the_end_of_a_thought_is_not_settled() -> None:
    for reading in (CHANNELS.reading(""), PLAIN.reading("<think>")):
        reading.feed(Delta(1, 0, "Hi", 1))
        assert not reading.settled
