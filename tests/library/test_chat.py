"""Conversations in a program: answers by channel, tools, constraints, thoughts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mullama import ChatAnswer, Constraint, Context, InvalidRequest, Model, SamplerParams
from mullama.library.chat import Reader, chat_request
from mullama.text.reading import Channels
from mullama.text.spans import Span, SpanKind
from mullama.text.syntax import Format, Reasoning
from mullama.types import Delta, Finished, FinishReason, GenerateOptions, Started, Timings

GREEDY = SamplerParams.greedy()
FRANCE = [("user", "What is the capital of France?")]
PARIS = "The capital of France is Paris."
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ASKS_WEATHER = [("user", "What is the weather in Oslo?")]


def test_a_conversation_is_answered(context: Context) -> None:
    answer = context.chat(FRANCE, params=GREEDY)
    assert answer.content == PARIS
    assert (answer.reasoning, answer.tool_calls, answer.finish_reason) == ("", [], "stop")
    assert answer.n_prompt > 10
    assert answer.n_generated > 5
    assert answer.n_thought == 0
    assert answer.message == {"role": "assistant", "content": PARIS}


def test_an_answer_is_a_message_of_the_next_turn(context: Context) -> None:
    first = context.chat([("user", "My name is Anna.")], params=GREEDY)
    turns = [("user", "My name is Anna."), first.message, ("user", "What is my name?")]
    second = context.chat(turns, params=GREEDY)
    assert "Anna" in second.content
    assert second.n_cached > first.n_prompt


def test_a_stream_s_spans_are_its_answer(context: Context) -> None:
    with context.chat_stream(FRANCE, params=GREEDY) as stream:
        spans = list(stream)
        assert len(spans) > 3
        assert {span.kind for span in spans} == {"content"}
        assert "".join(span.text for span in spans) == stream.answer.content == PARIS
        assert stream.answer.finish_reason == "stop"


def test_an_answer_can_be_looked_at_while_it_arrives(context: Context) -> None:
    stream = context.chat_stream(FRANCE, params=GREEDY)
    assert stream.answer == ChatAnswer()
    first = next(stream)
    assert stream.answer.content.startswith(first.text)
    assert stream.answer.finish_reason is None
    stream.close()
    assert not context._answers._inboxes
    assert list(stream) == []


def test_max_tokens_is_the_reason_of_an_answer_s_end(context: Context) -> None:
    answer = context.chat(FRANCE, 3, GREEDY)
    assert (answer.finish_reason, answer.n_generated) == ("length", 3)
    assert PARIS.startswith(answer.content)


def test_a_tool_is_called_and_its_result_answered_from(context: Context) -> None:
    called = context.chat(ASKS_WEATHER, params=GREEDY, tools=[WEATHER], tool_choice="required")
    (call,) = called.tool_calls
    assert call.name == "get_weather"
    assert json.loads(call.arguments) == {"city": "Oslo"}
    assert call.complete
    assert (called.finish_reason, called.content) == ("tool_calls", "")
    result = {
        "role": "tool",
        "tool_call_id": call.id,
        "content": '{"temperature": 21, "condition": "sunny"}',
    }
    turns = [*ASKS_WEATHER, called.message, result]
    assert "sunny" in context.chat(turns, params=GREEDY, tools=[WEATHER]).content


def test_a_call_is_streamed_from_its_name_on(context: Context) -> None:
    stream = context.chat_stream(
        ASKS_WEATHER, params=GREEDY, tools=[WEATHER], tool_choice="required"
    )
    spans = list(stream)
    assert (spans[0].kind, spans[0].name, spans[0].index) == ("call", "get_weather", 0)
    assert spans[0].id
    assert {span.kind for span in spans[1:-1]} == {"arguments"}
    assert spans[-1].kind == "call_end"
    arguments = "".join(span.text for span in spans if span.kind == "arguments")
    assert arguments == stream.answer.tool_calls[0].arguments


def test_a_call_that_max_tokens_breaks_off_is_not_complete(context: Context) -> None:
    asked = {"tools": [WEATHER], "tool_choice": "required"}
    whole = context.chat(ASKS_WEATHER, params=GREEDY, **asked)
    answer = context.chat(ASKS_WEATHER, whole.n_generated - 6, GREEDY, **asked)
    assert answer.finish_reason == "length"
    assert [call.complete for call in answer.tool_calls] == [False]


def test_a_tool_that_is_not_to_be_called_is_not(context: Context) -> None:
    answer = context.chat(FRANCE, params=GREEDY, tools=[WEATHER], tool_choice="none")
    assert answer.content == PARIS


def test_thoughts_come_apart_where_they_are_asked_for(context: Context) -> None:
    asked = [("user", "What is 27 + 45?")]
    answer = context.chat(asked, params=GREEDY, thinking=True)
    assert "72" in answer.reasoning
    assert answer.content == "27 + 45 = 72."
    assert 0 < answer.n_thought < answer.n_generated
    assert answer.message["reasoning_content"] == answer.reasoning
    plain = context.chat(asked, params=GREEDY, thinking=False)
    assert (plain.reasoning, plain.n_thought) == ("", 0)
    short = context.chat(asked, params=GREEDY, thinking=True, thinking_budget=5)
    assert 0 < short.n_thought <= 7  # with the mark that closes it


def test_the_words_are_held_to_a_constraint_and_thoughts_are_not(context: Context) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"enum": ["Paris", "Rome"]}},
        "required": ["city"],
        "additionalProperties": False,
    }
    wild = SamplerParams(temperature=1.2, seed=3)
    held = Constraint.json_schema(schema)
    answer = context.chat(FRANCE, params=wild, constraint=held, thinking=True)
    assert json.loads(answer.content)["city"] in ("Paris", "Rome")
    assert answer.reasoning
    assert answer.finish_reason == "stop"


@pytest.mark.parametrize(
    ("constraint", "fits"),
    [
        (Constraint.choice(["yes", "no"]), lambda text: text in ("yes", "no")),
        (Constraint.regex("[0-9]{3}-[0-9]{2}"), lambda text: len(text) == 6 and text[3] == "-"),
        (Constraint.grammar('root ::= "a" "b"+ "c"'), lambda text: text.replace("b", "") == "ac"),
        (Constraint.grammar('start: "a" "b" "c"'), lambda text: text == "abc"),
        (Constraint.json_schema({"type": "integer"}), lambda text: type(json.loads(text)) is int),
        (Constraint.json_object(), lambda text: isinstance(json.loads(text), dict)),
    ],
)  # fmt: skip
def test_a_continuation_is_held_to_a_constraint_of_any_kind(
    context: Context, constraint: Constraint, fits: Callable[[str], bool]
) -> None:
    params = SamplerParams(temperature=1.0, seed=1)
    text = context.generate("Once upon a time", 400, params, constraint=constraint)
    assert fits(text)
    streamed = context.generate_stream("Once upon a time", 400, params, constraint=constraint)
    assert fits("".join(streamed))


def test_a_task_streams_a_conversation(context: Context) -> None:
    async def main() -> tuple[list[Span], ChatAnswer]:
        async with context.achat_stream(FRANCE, params=GREEDY) as stream:
            return [span async for span in stream], stream.answer

    spans, answer = asyncio.run(main())
    assert "".join(span.text for span in spans) == answer.content == PARIS
    assert answer.finish_reason == "stop"


def test_a_task_that_leaves_ends_its_answer(context: Context) -> None:
    async def main() -> None:
        async with context.achat_stream(FRANCE, params=GREEDY) as stream:
            await anext(stream)

    asyncio.run(main())
    assert not context._answers._inboxes


def test_a_response_schema_says_how_answers_are_read(tiny_model: Path) -> None:
    stated = {
        "type": "object",
        "properties": {"content": {"type": "string", "x-regex": r"The capital of (.*?) is"}},
    }
    with (
        Model.load(tiny_model, response_schema=json.dumps(stated)) as model,
        Context(model, n_ctx=256) as context,
    ):
        assert context.chat(FRANCE, params=GREEDY).content == "France"


def test_a_template_s_own_variables_reach_it(model: Model, context: Context) -> None:
    said = context.chat(FRANCE, params=GREEDY, template_kwargs={"enable_thinking": True})
    assert said.reasoning
    with pytest.raises(InvalidRequest):
        context.chat(FRANCE, template_kwargs={"messages": []})


@pytest.mark.parametrize(
    ("arguments", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [("user", "a", "b")]}, "messages"),
        ({"tools": [{"type": "retrieval"}]}, "tools[0].type"),
        ({"tools": ["get_weather"]}, "tools[0]"),
        ({"tools": [{"function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tools": [WEATHER, WEATHER]}, "tools[1]"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice"),
        ({"tool_choice": "maybe"}, "tool_choice"),
        ({"thinking": "hard"}, "thinking"),
        ({"thinking": 3}, "thinking"),
        ({"thinking": True, "thinking_budget": 0}, "thinking_budget"),
        ({"thinking_budget": -1}, "thinking_budget"),
        ({"thinking_budget": 1.5}, "thinking_budget"),
        ({"constraint": {"type": "object"}}, "constraint"),
        ({"max_tokens": -1}, "max_tokens"),
    ],
)
def test_a_wrong_argument_is_refused_by_name(
    context: Context, arguments: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        context.chat(**{"messages": FRANCE, **arguments})
    assert caught.value.param == param


def test_a_schema_that_can_t_be_enforced_is_refused(context: Context) -> None:
    with pytest.raises(InvalidRequest, match="uniqueItems"):
        context.chat(
            FRANCE,
            constraint=Constraint.json_schema({"type": "array", "uniqueItems": True}),
        )
    assert context.chat(FRANCE, params=GREEDY).content == PARIS


@pytest.mark.parametrize(
    ("wish", "budget", "variables", "limit", "share"),
    [
        (None, None, {}, None, None),
        (True, None, {"enable_thinking": True}, None, None),
        (False, None, {"enable_thinking": False}, 0, None),
        ("none", None, {"enable_thinking": False}, 0, None),
        (None, 0, {"enable_thinking": False}, 0, None),
        ("low", None, {"enable_thinking": True, "reasoning_effort": "low"}, None, 0.2),
        ("low", 50, {"enable_thinking": True, "reasoning_effort": "low"}, 50, None),
        ("max", None, {"enable_thinking": True, "reasoning_effort": "max"}, None, None),
    ],
)
def test_thinking_is_said_in_the_words_of_templates(
    wish: bool | str | None,
    budget: int | None,
    variables: dict[str, Any],
    limit: int | None,
    share: float | None,
) -> None:
    asked = chat_request(FRANCE, GenerateOptions(), thinking=wish, thinking_budget=budget)
    assert asked.template_kwargs == variables
    assert (asked.thinking_budget, asked.thinking_share) == (limit, share)


def test_events_become_the_same_answer_wherever_they_are_cut() -> None:
    text = "<think>Hm.</think>\n42"
    for cut in range(len(text) + 1):
        reader = Reader(Channels(Format(name="test", reasoning=Reasoning())))
        spans = list(reader.feed(Started(1, 5)))
        for piece in (text[:cut], text[cut:]):
            spans += reader.feed(Delta(1, 0, piece, 2))
        end = Finished(1, 0, FinishReason.STOP, None, 5, 3, 0, 0, 4, Timings())
        spans += reader.feed(end)
        answer = reader.answer()
        assert (answer.reasoning, answer.content) == ("Hm.", "42")
        assert {span.kind for span in spans} == {SpanKind.REASONING, SpanKind.CONTENT}
        assert (answer.n_prompt, answer.n_cached, answer.n_generated) == (5, 3, 4)
