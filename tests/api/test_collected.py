"""A whole answer says what the stream says: the same events, folded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mullama.api.openai.chunks import ChatChunks, Chunks, TextChunks, stream_end
from mullama.api.openai.collected import (
    ChatCollected,
    Collected,
    chat_completion,
    text_completion,
)
from mullama.api.openai.shape import Head, Shape, encode
from mullama.errors import Overloaded
from mullama.text.reading import Channels
from mullama.types import (
    Delta,
    Event,
    Finished,
    FinishReason,
    PromptScored,
    Started,
    Timings,
)
from tests.api.channels import CALL, FORMAT, TOOLS
from tests.api.clients import chunks_of
from tests.api.fakes import scored

HEAD = Head("id-1", 1_700_000_000, "chat")


def ended(index: int, reason: FinishReason = FinishReason.STOP) -> Finished:
    return Finished(1, index, reason, None, 7, 3, 0, 0, 2, Timings(0.0, 0.5, 0.25))


def collected(n: int, *events: Event, prompt: str | None = "Once") -> Collected:
    sink = Collected(n, prompt)
    assert b"".join(sink.feed(event) for event in events) == b""
    return sink


def chatted(n: int, *events: Event, channels: Channels | None = None) -> ChatCollected:
    sink = ChatCollected(n, channels)
    assert b"".join(sink.feed(event) for event in events) == b""
    return sink


@st.composite
def requests(draw: st.DrawFn) -> tuple[Shape, list[Event]]:
    """What a client wants to see, and events that may answer it, answers interleaved."""
    n = draw(st.integers(1, 3))
    shape = Shape(
        n=n,
        logprobs=draw(st.booleans()),
        token_ids=draw(st.booleans()),
        timings=draw(st.booleans()),
        include_usage=True,
        echo=draw(st.booleans()),
    )
    texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=4)
    order = draw(st.lists(st.integers(0, n - 1), max_size=12))
    events: list[Event] = [Started(1, 7, (5, 6) if shape.token_ids else (), "Once")]
    if shape.echo and shape.logprobs:
        events.append(PromptScored(1, (None, scored("ce", -1.0))))
    for index in order:
        text = draw(texts)
        ids = (len(text),) if shape.token_ids else ()
        scores = (scored(text, -0.5, (text, -0.5)),) if shape.logprobs else ()
        events.append(Delta(1, index, text, 1, ids, scores))
    reasons = st.sampled_from([FinishReason.STOP, FinishReason.LENGTH])
    events += [ended(index, draw(reasons)) for index in draw(st.permutations(range(n)))]
    return shape, events


def streamed(chunks: Chunks, shape: Shape, events: list[Event]) -> list[Any]:
    frames = b"".join(chunks.feed(event) for event in events)
    parsed = chunks_of((frames + stream_end(HEAD, shape, [chunks])).decode())
    assert parsed.pop() == "[DONE]"
    return parsed


def parts_of(chunks: list[Any], index: int) -> list[Any]:
    """One answer's choices, in order."""
    return [one for chunk in chunks for one in chunk["choices"] if one["index"] == index]


def joined_lists(scores: list[dict[str, list[Any]] | None]) -> dict[str, list[Any]]:
    """Lists of the same names, one after the other."""
    whole: dict[str, list[Any]] = {}
    for one in scores:
        for name, values in (one or {}).items():
            whole.setdefault(name, []).extend(values or [])
    return whole


@given(requests())
def test_a_chat_folds_to_what_its_stream_adds_up_to(request: tuple[Shape, list[Event]]) -> None:
    shape, events = request
    events = [event for event in events if not isinstance(event, PromptScored)]
    chunks = streamed(ChatChunks(HEAD, shape), shape, events)
    answer = chat_completion(HEAD, shape, chatted(shape.n, *events))
    assert answer["usage"] == chunks[-1]["usage"]
    assert answer.get("prompt_token_ids") == chunks[0].get("prompt_token_ids")
    for choice in answer["choices"]:
        parts = parts_of(chunks, choice["index"])
        content = "".join(part["delta"].get("content", "") for part in parts)
        assert choice["message"]["content"] == content
        assert choice["finish_reason"] == parts[-1]["finish_reason"]
        assert choice.get("token_ids", []) == [t for p in parts for t in p.get("token_ids", ())]
        scores = choice["logprobs"]["content"] if choice["logprobs"] else []
        assert scores == joined_lists([part["logprobs"] for part in parts]).get("content", [])


@st.composite
def marked_answers(draw: st.DrawFn) -> tuple[Shape, list[Event]]:
    """Answers with thoughts and calls, whole, broken and cut, in pieces of any size."""
    parts = ["<think>", "</think>", CALL, "<tool_call>", '{"name": "now", ', "hm", " ", "\n", "}"]
    n = draw(st.integers(1, 2))
    shape = Shape(
        n=n,
        logprobs=draw(st.booleans()),
        token_ids=draw(st.booleans()),
        legacy_calls=draw(st.booleans()),
    )
    events: list[Event] = [Started(1, 7, opened=draw(st.sampled_from(["", "<think>\n"])))]
    for index in range(n):
        text = "".join(draw(st.lists(st.sampled_from(parts), max_size=8)))
        while text:
            piece, text = text[: (size := draw(st.integers(1, 9)))], text[size:]
            ids = (len(piece),) if shape.token_ids else ()
            scores = (scored(piece, -0.5),) if shape.logprobs else ()
            events.append(Delta(1, index, piece, 1, ids, scores))
    reasons = st.sampled_from([FinishReason.STOP, FinishReason.LENGTH])
    return shape, events + [ended(index, draw(reasons)) for index in range(n)]


def added_up(parts: list[Any], shape: Shape) -> dict[str, Any]:
    """The message that a client makes of an answer's deltas; calls without their ids."""
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "calls": []}
    for delta in (part["delta"] for part in parts):
        for field in ("content", "reasoning_content"):
            message[field] += delta.get(field, "")
        old = [{"index": 0, "function": delta["function_call"]}] if "function_call" in delta else []
        for call in (*old, *delta.get("tool_calls", ())):
            if "name" in call["function"]:
                assert shape.legacy_calls or call["id"]
                assert call["index"] == len(message["calls"])
                message["calls"].append(dict(call["function"]))
            else:
                assert call.keys() <= {"index", "function"}
                message["calls"][call["index"]]["arguments"] += call["function"]["arguments"]
    return message


@given(marked_answers())
def test_thoughts_and_calls_fold_to_what_their_stream_adds_up_to(
    request: tuple[Shape, list[Event]],
) -> None:
    shape, events = request
    channels = Channels(FORMAT, TOOLS, parallel=not shape.legacy_calls)
    chunks = streamed(ChatChunks(HEAD, shape, channels), replace(shape, include_usage=True), events)
    answer = chat_completion(HEAD, shape, chatted(shape.n, *events, channels=channels))
    assert answer["usage"] == chunks[-1]["usage"]
    for choice in answer["choices"]:
        parts, message = parts_of(chunks, choice["index"]), choice["message"]
        calls = [call["function"] for call in message.get("tool_calls", ())]
        calls += [message["function_call"]] if "function_call" in message else []
        assert added_up(parts, shape) == {
            "content": message["content"] or "",
            "reasoning_content": message.get("reasoning_content", ""),
            "calls": calls,
        }
        assert choice["finish_reason"] == parts[-1]["finish_reason"]
        assert choice.get("token_ids", []) == [t for p in parts for t in p.get("token_ids", ())]
        lists = joined_lists([part["logprobs"] for part in parts])
        for field in ("content", "reasoning_content"):
            scores = (choice["logprobs"] or {}).get(field, [])
            assert scores == lists.get(field, [])


def test_a_message_of_calls_has_no_content() -> None:
    sink = chatted(
        1, Started(1, 7), Delta(1, 0, CALL, 9), ended(0), channels=Channels(FORMAT, TOOLS)
    )
    (choice,) = chat_completion(HEAD, Shape(), sink)["choices"]
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert call["id"].startswith("call_")
    assert call["type"] == "function"
    assert call["function"] == {"name": "now", "arguments": '{"a": 1}'}
    assert choice["finish_reason"] == "tool_calls"


def test_a_call_of_old_is_one_function_call() -> None:
    channels = Channels(FORMAT, TOOLS, parallel=False)
    events = [Started(1, 7), Delta(1, 0, CALL + CALL, 9), ended(0)]
    sink = chatted(1, *events, channels=channels)
    (choice,) = chat_completion(HEAD, Shape(legacy_calls=True), sink)["choices"]
    assert choice["message"]["function_call"] == {"name": "now", "arguments": '{"a": 1}'}
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_a_call_that_is_cut_is_cut_by_its_length() -> None:
    sink = chatted(
        1,
        Started(1, 7),
        Delta(1, 0, CALL[:40], 9),
        ended(0, FinishReason.LENGTH),
        channels=Channels(FORMAT, TOOLS),
    )
    (choice,) = chat_completion(HEAD, Shape(), sink)["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["name"] == "now"


@pytest.mark.parametrize(
    "fields", [("reasoning_content",), ("reasoning",), ("reasoning_content", "reasoning")]
)
def test_thoughts_are_in_the_fields_that_are_wanted(fields: tuple[str, ...]) -> None:
    shape = Shape(thought_fields=fields)
    channels = Channels(FORMAT)
    events = [Started(1, 7, opened="<think>\n"), Delta(1, 0, "Hm.</think>42", 5), ended(0)]
    answer = chat_completion(HEAD, shape, chatted(1, *events, channels=channels))
    message = answer["choices"][0]["message"]
    names = {"reasoning_content", "reasoning"}
    assert {name: message[name] for name in names & message.keys()} == dict.fromkeys(fields, "Hm.")
    chunks = streamed(ChatChunks(HEAD, shape, channels), shape, events)
    (thought,) = [p["delta"] for p in parts_of(chunks, 0) if names & p["delta"].keys()]
    assert thought == dict.fromkeys(fields, "Hm.")


@given(requests())
def test_a_completion_folds_to_what_its_stream_adds_up_to(
    request: tuple[Shape, list[Event]],
) -> None:
    shape, events = request
    chunks = streamed(TextChunks(HEAD, shape, 0, None), shape, events)
    answer = text_completion(HEAD, shape, [collected(shape.n, *events, prompt=None)])
    assert answer["usage"] == chunks[-1]["usage"]
    for choice in answer["choices"]:
        parts = parts_of(chunks, choice["index"])
        assert choice["text"] == "".join(part["text"] for part in parts)
        assert choice["finish_reason"] == parts[-1]["finish_reason"]
        assert choice.get("token_ids", []) == [t for p in parts for t in p.get("token_ids", ())]
        scores = {name: values for name, values in (choice["logprobs"] or {}).items() if values}
        assert scores == joined_lists([part["logprobs"] for part in parts])


def test_a_chat_has_the_fields_that_clients_need() -> None:
    shape = Shape(timings=False)
    answer = chat_completion(HEAD, shape, chatted(1, Started(1, 7), Delta(1, 0, "Hi", 1), ended(0)))
    assert answer["object"] == "chat.completion"
    assert answer["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hi", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert "timings" not in answer
    assert "prompt_token_ids" not in answer


def test_choices_of_several_prompts_follow_each_other() -> None:
    prompts = [
        collected(2, Delta(1, 1, f"{name}1", 1), Delta(1, 0, f"{name}0", 1), ended(0), ended(1))
        for name in "ab"
    ]
    answer = text_completion(HEAD, Shape(n=2), prompts)
    assert [(one["index"], one["text"]) for one in answer["choices"]] == [
        (0, "a0"),
        (1, "a1"),
        (2, "b0"),
        (3, "b1"),
    ]
    assert answer["usage"]["prompt_tokens"] == 14
    assert answer["usage"]["completion_tokens"] == 8
    assert "timings" not in answer  # they are of one prompt


def test_the_best_are_the_likeliest_by_their_mean() -> None:
    def said(index: int, *logprobs: float) -> list[Event]:
        scores = [scored("x", logprob) for logprob in logprobs]
        return [Delta(1, index, f"{index}", 1, (), (score,)) for score in scores]

    events = [*said(0, -3.0), *said(1, -1.0, -1.5, -1.0), *said(2, -2.0)]
    sink = collected(4, *events, *[ended(index) for index in range(4)])
    answer = text_completion(HEAD, Shape(n=2), [sink])
    assert [(one["index"], one["text"]) for one in answer["choices"]] == [(0, "111"), (1, "2")]
    assert answer["usage"]["completion_tokens"] == 8
    assert answer["choices"][0]["logprobs"] is None


def test_a_cancelled_answer_is_an_error() -> None:
    with pytest.raises(Overloaded):
        chat_completion(HEAD, Shape(), chatted(1, ended(0, FinishReason.CANCELLED)))
    with pytest.raises(Overloaded):
        text_completion(HEAD, Shape(), [collected(1, ended(0, FinishReason.CANCELLED))])


def test_an_answer_without_time_has_no_rate() -> None:
    sink = chatted(1, replace(ended(0), timings=Timings()))
    answer = chat_completion(HEAD, Shape(), sink)
    assert answer["timings"]["predicted_per_second"] == 0.0
    assert encode(answer)
