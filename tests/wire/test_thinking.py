"""Thoughts with a budget, through the official SDK and the tiny model, hot as well as cold."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.wire.conftest import REAL, LiveServer
from tests.wire.test_required import ASK as WEATHER
from tests.wire.test_required import TOOLS, check

pytestmark = REAL

ASK: list[Any] = [{"role": "user", "content": "What is 12 + 30?"}]
OVER = 16  # tokens beyond a budget: the end of a character or a sentence, and the closing mark
SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer", "minimum": 0, "maximum": 999}},
    "required": ["answer"],
    "additionalProperties": False,
}


@pytest.fixture
def client(live_server: LiveServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{live_server.url}/v1", api_key="none", max_retries=0)


def ask(client: openai.OpenAI, *, stream: bool = False, **fields: Any) -> Any:
    """A whole answer, or a stream that the SDK puts together. Fields of ours go along."""
    asked: dict[str, Any] = {"model": "default", "messages": ASK, "temperature": 0, **fields}
    asked.setdefault("max_tokens", 300)
    extra = {"enable_thinking": True, **asked.pop("extra_body", {})}
    asked["extra_body"] = {key: value for key, value in extra.items() if value is not None}
    if not stream:
        return client.chat.completions.create(**asked)
    state = ChatCompletionStreamState()
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(**asked, stream=True, stream_options=options):
        state.handle_chunk(chunk)
    return state.current_completion_snapshot


def limited(budget: int) -> dict[str, Any]:
    """A budget of 0 is a wish not to think: then none is sent that it may."""
    return {"thinking_budget_tokens": budget, **({} if budget else {"enable_thinking": None})}


def n_thought(answer: Any) -> int:
    return int(answer.usage.completion_tokens_details.reasoning_tokens)


def thought(message: Any) -> str:
    return getattr(message, "reasoning_content", None) or ""


@pytest.mark.parametrize("temperature", [0.0, 1.2])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("budget", [0, 1, 5])
def test_a_budget_ends_the_thought_and_an_answer_follows(
    client: openai.OpenAI, budget: int, stream: bool, temperature: float
) -> None:
    extra = limited(budget)
    for seed in range(3):
        answer = ask(client, stream=stream, temperature=temperature, seed=seed, extra_body=extra)
        (choice,) = answer.choices
        assert n_thought(answer) <= budget + OVER
        assert choice.message.content
        assert "think>" not in choice.message.content
        if not budget:
            assert not thought(choice.message)


def test_a_thought_that_ends_by_itself_is_as_without_a_budget(client: openai.OpenAI) -> None:
    free = ask(client)
    assert thought(free.choices[0].message)
    assert free.choices[0].finish_reason == "stop"
    for fields in (
        {"extra_body": {"thinking_budget": n_thought(free)}},
        {"extra_body": {"reasoning": {"effort": "low"}}},
        {"reasoning_effort": "minimal"},
        {"reasoning_effort": "high", "max_tokens": None},
    ):
        held = ask(client, **fields)  # type: ignore[arg-type]
        assert held.choices[0].message == free.choices[0].message
        assert held.usage == free.usage


def test_a_limit_below_the_budget_ends_the_answer(client: openai.OpenAI) -> None:
    answer = ask(client, max_tokens=4, extra_body={"thinking_budget_tokens": 40})
    (choice,) = answer.choices
    assert choice.finish_reason == "length"
    assert not choice.message.content
    assert n_thought(answer) == 4


@pytest.mark.parametrize("temperature", [0.0, 1.2])
@pytest.mark.parametrize("stream", [False, True])
def test_a_required_call_follows(client: openai.OpenAI, stream: bool, temperature: float) -> None:
    for budget in (0, 6):
        answer = ask(
            client,
            stream=stream,
            messages=WEATHER,
            tools=TOOLS,
            tool_choice="required",
            temperature=temperature,
            seed=budget,
            max_tokens=400,
            extra_body=limited(budget),
        )
        (choice,) = answer.choices
        assert choice.finish_reason == "tool_calls"
        assert not choice.message.content
        assert n_thought(answer) <= budget + OVER
        for call in choice.message.tool_calls:
            check(call)


@pytest.mark.parametrize("temperature", [0.0, 1.2])
def test_what_satisfies_a_format_follows(client: openai.OpenAI, temperature: float) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    answer = ask(
        client,
        n=3,
        temperature=temperature,
        response_format=wanted,
        extra_body={"thinking": {"type": "enabled", "budget_tokens": 5}},
    )
    assert len(answer.choices) == 3
    for choice in answer.choices:
        assert choice.finish_reason == "stop"
        assert thought(choice.message)
        jsonschema.validate(json.loads(choice.message.content), SCHEMA)


def test_every_token_of_a_closed_thought_has_its_log_probability(client: openai.OpenAI) -> None:
    answer = ask(client, logprobs=True, extra_body={"thinking_budget_tokens": 5})
    (choice,) = answer.choices
    inside = [one["token"] for one in choice.logprobs.reasoning_content]
    assert len(inside) == n_thought(answer)
    assert "</think>" in inside
    assert "".join(inside).partition("</think>")[0].strip() == thought(choice.message)
    written = "".join(one.token for one in choice.logprobs.content)
    assert written.strip() == choice.message.content.strip()


def test_last_words_end_the_thought(client: openai.OpenAI) -> None:
    extra = {"thinking_budget_tokens": 5, "reasoning_budget_message": " Enough of that."}
    (choice,) = ask(client, extra_body=extra).choices
    assert thought(choice.message).endswith("Enough of that.")
    assert choice.message.content


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_that_are_not_wanted_are_counted_and_not_sent(
    client: openai.OpenAI, stream: bool
) -> None:
    shown = ask(client, stream=stream)
    hidden = ask(client, stream=stream, logprobs=True, extra_body={"include_reasoning": False})
    message = hidden.choices[0].message
    assert not thought(message)
    assert message.content == shown.choices[0].message.content
    assert n_thought(hidden) == n_thought(shown) > 0
    assert getattr(hidden.choices[0].logprobs, "reasoning_content", None) is None


def test_what_differs_is_refused_by_name(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="send one") as caught:
        ask(client, extra_body={"thinking": {"type": "disabled"}})
    assert caught.value.param == "enable_thinking"
    with pytest.raises(openai.BadRequestError, match="chat") as caught:
        client.completions.create(
            model="default", prompt="a", extra_body={"thinking_budget_tokens": 5}
        )
    assert caught.value.param == "thinking_budget_tokens"
