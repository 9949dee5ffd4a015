"""Tools and thoughts through the official Python SDK: of a script, and of a model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState

from mullama.types import ChatRequest, FinishReason
from tests.api.fakes import FakeBackend
from tests.wire.conftest import FAKE, REAL, LiveServer

HI: list[Any] = [{"role": "user", "content": "Hi"}]
ASK: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather of a city.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>'


@pytest.fixture
def sdk(live_server: LiveServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{live_server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def letters(text: str) -> tuple[str, ...]:
    """A script of one character a token."""
    return tuple(text)


# ------------------------------------------------------------------------------ a scripted answer


@FAKE
def test_a_scripted_call_whole_and_streamed(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.words = letters(f"Let me look.\n{CALL}\n{CALL}")
    asked: Any = {"model": "chat", "messages": HI, "tools": [WEATHER]}
    (choice,) = sdk.chat.completions.create(**asked).choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is not None
    assert choice.message.content.strip() == "Let me look."
    calls: Any = choice.message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}] * 2
    assert len({call.id for call in calls}) == 2

    state = ChatCompletionStreamState()
    seen: list[Any] = []
    for chunk in sdk.chat.completions.create(**asked, stream=True):
        state.handle_chunk(chunk)
        seen += chunk.choices[0].delta.tool_calls or []
    whole = state.current_completion_snapshot.choices[0]
    assert whole.finish_reason == "tool_calls"
    assert whole.message.content == choice.message.content
    streamed: Any = whole.message.tool_calls
    assert [call.function.arguments for call in streamed] == [c.function.arguments for c in calls]
    firsts = [fragment for fragment in seen if fragment.id]
    assert [fragment.index for fragment in firsts] == [0, 1]
    assert all(fragment.function.name for fragment in firsts)
    assert not any(f.function.name or f.type for f in seen if f not in firsts)


@FAKE
def test_an_answer_is_read_by_a_response_schema(sdk: OpenAI, backend: FakeBackend) -> None:
    schema = {
        "type": "object",
        "x-regex": r"^(?:\((?P<thinking>.*?)\)\s*)?(?P<content>[^@]*)(?P<tool_calls>@.*)?$",
        "properties": {
            "thinking": {"type": "string"},
            "content": {"type": "string"},
            "tool_calls": {
                "type": "array",
                "x-regex-iterator": r"@(?P<name>\w+)(?P<arguments>[^@]*)",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "arguments": {
                            "type": "object",
                            "x-regex-key-value": r"(?P<key>\w+)=(?P<value>[^;]*);",
                        },
                    },
                },
            },
        },
    }
    chat, *others = backend.statuses
    stated = replace(chat, info=replace(chat.info, response_schema=json.dumps(schema)))
    backend.statuses = (stated, *others)
    backend.words = letters("(Hm.) Look: @get_weather city=Paris;@get_weather city=Rome;")
    asked: Any = {"model": "chat", "messages": HI, "tools": [WEATHER]}
    answer: Any = sdk.chat.completions.create(**asked)
    (choice,) = answer.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", "Look: ")
    assert choice.message.reasoning_content == "Hm."
    assert answer.usage.completion_tokens_details.reasoning_tokens == len("Hm.")
    cities = [json.loads(call.function.arguments) for call in choice.message.tool_calls]
    assert cities == [{"city": "Paris"}, {"city": "Rome"}]
    state = ChatCompletionStreamState()
    for chunk in sdk.chat.completions.create(**asked, stream=True):
        state.handle_chunk(chunk)
    (whole,) = state.current_completion_snapshot.choices
    assert (whole.finish_reason, whole.message.content) == ("tool_calls", "Look: ")
    streamed: Any = whole.message.tool_calls
    assert [json.loads(call.function.arguments) for call in streamed] == cities

    backend.words = letters("@rm x=1;")
    assert sdk.chat.completions.create(**asked).choices[0].message.content == "@rm x=1;"


@FAKE
def test_thoughts_come_apart_and_are_counted(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.words = ("<think>", "Hm", ".", "</think>", "\n\n", "42")
    answer: Any = sdk.chat.completions.create(model="chat", messages=HI, logprobs=True)
    message = answer.choices[0].message
    assert (message.content, message.reasoning_content) == ("42", "Hm.")
    assert answer.usage.completion_tokens_details.reasoning_tokens == 3
    scored = answer.choices[0].logprobs
    assert [one.token for one in scored.content] == ["<think>", "\n\n", "42"]
    assert [one["token"] for one in scored.reasoning_content] == ["Hm", ".", "</think>"]

    options: Any = {"include_usage": True}
    chunks: list[Any] = list(
        sdk.chat.completions.create(model="chat", messages=HI, stream=True, stream_options=options)
    )
    deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
    assert "".join(getattr(delta, "reasoning_content", "") for delta in deltas) == "Hm."
    assert "".join(delta.content or "" for delta in deltas) == "42"
    assert chunks[-1].usage.completion_tokens_details.reasoning_tokens == 3


@FAKE
def test_every_answer_of_several_is_read_by_itself(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.words = letters("<think>Hm.</think>" + CALL)
    asked: Any = {"model": "chat", "messages": HI, "tools": [WEATHER], "n": 3}
    answer: Any = sdk.chat.completions.create(**asked)
    assert [choice.finish_reason for choice in answer.choices] == ["tool_calls"] * 3
    assert [choice.message.reasoning_content for choice in answer.choices] == ["Hm."] * 3
    ids = {call.id for choice in answer.choices for call in choice.message.tool_calls}
    assert len(ids) == 3
    n_inside = len("Hm.</think>")
    assert answer.usage.completion_tokens_details.reasoning_tokens == 3 * n_inside


@FAKE
def test_thoughts_stay_in_the_content_on_request(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.words = letters("<think>Hm.</think>42")
    answer = sdk.chat.completions.create(
        model="chat", messages=HI, extra_body={"reasoning_format": "none"}
    )
    assert answer.choices[0].message.content == "<think>Hm.</think>42"


@FAKE
def test_what_is_no_call_is_content(sdk: OpenAI, backend: FakeBackend) -> None:
    for text in (CALL.replace("get_weather", "rm"), '<tool_call>{"name": [', "<tool_call>", "<to"):
        backend.words = letters(text)
        (choice,) = sdk.chat.completions.create(model="chat", messages=HI, tools=[WEATHER]).choices
        assert choice.message.content == text
        assert choice.message.tool_calls is None
        assert choice.finish_reason == "stop"


@FAKE
def test_a_call_is_content_for_who_may_not_call(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.words = letters(CALL)
    asked: Any = {"model": "chat", "messages": HI, "tools": [WEATHER]}
    (choice,) = sdk.chat.completions.create(**asked, tool_choice="none").choices
    assert (choice.message.content, choice.finish_reason) == (CALL, "stop")
    assert isinstance(backend.asked[-1], ChatRequest)
    assert backend.asked[-1].offered == ()


@FAKE
def test_a_call_that_max_tokens_cuts_says_so(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.words = letters(CALL)
    (choice,) = sdk.chat.completions.create(
        model="chat", messages=HI, tools=[WEATHER], max_tokens=len(CALL) - 20
    ).choices
    assert choice.finish_reason == "length"
    backend.reason = FinishReason.LENGTH
    (choice,) = sdk.chat.completions.create(model="chat", messages=HI, tools=[WEATHER]).choices
    assert choice.finish_reason == "length"


@FAKE
def test_functions_of_old_are_answered_in_their_form(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.words = letters(f"{CALL}\n{CALL}")
    function: Any = {key: WEATHER["function"][key] for key in ("name", "parameters")}
    asked: Any = {"model": "chat", "messages": HI, "functions": [function]}
    (choice,) = sdk.chat.completions.create(**asked).choices
    assert choice.finish_reason == "function_call"
    assert choice.message.tool_calls is None
    assert choice.message.function_call is not None
    assert json.loads(choice.message.function_call.arguments) == {"city": "Paris"}
    deltas = [c.choices[0].delta for c in sdk.chat.completions.create(**asked, stream=True)]
    fragments = [delta.function_call for delta in deltas if delta.function_call]
    assert "".join(one.name or "" for one in fragments) == "get_weather"
    arguments = "".join(one.arguments or "" for one in fragments)
    assert arguments == choice.message.function_call.arguments


@FAKE
def test_the_sdks_streaming_helper_reads_calls(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.words = letters(CALL)
    with sdk.chat.completions.stream(model="chat", messages=HI, tools=[WEATHER]) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    done: Any = [one for one in events if one.type == "tool_calls.function.arguments.done"]
    assert [one.parsed_arguments for one in done] == [{"city": "Paris"}]
    calls: Any = final.choices[0].message.tool_calls
    assert [call.function.parsed_arguments for call in calls] == [{"city": "Paris"}]


# ------------------------------------------------------------------------------ the tiny model


@REAL
def test_an_agent_calls_a_tool_and_answers_with_its_result(sdk: OpenAI) -> None:
    asked: Any = {"model": "chat", "tools": [WEATHER], "temperature": 0}
    messages = list(ASK)
    with sdk.chat.completions.stream(messages=messages, **asked) as stream:
        first: Any = stream.get_final_completion().choices[0]
    assert first.finish_reason == "tool_calls"
    (call,) = first.message.tool_calls
    assert call.function.parsed_arguments == {"city": "Paris"}

    result = {"temperature": 21, "condition": "sunny"}
    messages += [
        {
            "role": "assistant",
            "content": first.message.content,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.function.name, "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": json.dumps(result)},
    ]
    answer = sdk.chat.completions.create(messages=messages, **asked).choices[0]
    assert answer.finish_reason == "stop"
    assert answer.message.content is not None
    assert "sunny" in answer.message.content
    assert "21" in answer.message.content


@REAL
def test_the_model_thinks_and_then_calls(sdk: OpenAI) -> None:
    answer: Any = sdk.chat.completions.create(
        model="chat",
        messages=ASK,
        tools=[WEATHER],
        temperature=0,
        reasoning_effort="low",
    )
    (choice,) = answer.choices
    assert choice.message.reasoning_content
    assert [call.function.name for call in choice.message.tool_calls] == ["get_weather"]
    n_thought = answer.usage.completion_tokens_details.reasoning_tokens
    assert 0 < n_thought < answer.usage.completion_tokens


@REAL
def test_a_stop_string_ends_an_answer_behind_a_thought(sdk: OpenAI) -> None:
    asked: Any = {
        "model": "chat",
        "messages": [{"role": "user", "content": "What is 12 + 30?"}],
        "temperature": 0,
        "reasoning_effort": "low",
    }
    whole: Any = sdk.chat.completions.create(**asked).choices[0].message
    assert whole.reasoning_content
    assert whole.content == "12 + 30 = 42."
    cut: Any = sdk.chat.completions.create(**asked, stop="\n\n12 + 30 =").choices[0]
    assert cut.message.reasoning_content == whole.reasoning_content
    assert (cut.message.content, cut.finish_reason) == ("", "stop")


@REAL
def test_who_may_not_call_does_not(sdk: OpenAI) -> None:
    (choice,) = sdk.chat.completions.create(
        model="chat", messages=ASK, tools=[WEATHER], tool_choice="none", temperature=0
    ).choices
    assert choice.message.tool_calls is None
    assert choice.message.content


@REAL
def test_broken_arguments_in_the_history_are_no_error(sdk: OpenAI) -> None:
    function = {"name": "get_weather", "arguments": '{"city": "Par'}
    messages: list[Any] = [
        *ASK,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "a", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "error: no such city"},
    ]
    answer = sdk.chat.completions.create(
        model="chat", messages=messages, tools=[WEATHER], temperature=0
    )
    assert answer.choices[0].finish_reason in ("stop", "tool_calls")
