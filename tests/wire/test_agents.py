"""The shapes of requests that coding agents send, on a real socket: all are answered, or refused
by the name of what is in the way. What an agent's history holds is never a reason to stop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.wire.agent_tools import DEFINED
from tests.wire.conftest import N_CTX, REAL, LiveServer

pytestmark = REAL

Message = dict[str, Any]
WEATHER: Message = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ASK: Message = {"role": "user", "content": "What is the weather in Paris?"}
PARIS, ROME = '{"city": "Paris"}', '{"city": "Rome"}'
SUNNY = "It is sunny and 21 degrees in Paris."
# Tools that can't be enforced to the letter, and where.
NOT_STRICTLY = {"mcp__github__create_pull_request": "'oneOf' at $.properties.base "}
IMAGE: Message = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


@pytest.fixture(scope="module")
def http(live_server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=live_server.url, timeout=60) as client:
        yield client


def post(http: httpx.Client, messages: list[Message], **fields: Any) -> httpx.Response:
    body = {"model": "chat", "messages": messages, "temperature": 0, "max_tokens": 48, **fields}
    return http.post("/v1/chat/completions", json=body)


def answered(http: httpx.Client, messages: list[Message], **fields: Any) -> list[Any]:
    response = post(http, messages, **fields)
    assert response.status_code == 200, response.text
    choices: list[Any] = response.json()["choices"]
    return choices


def call(id: str | None = "a", arguments: Any = PARIS, name: str = "get_weather") -> Message:
    made: Message = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return made if id is None else {"id": id, **made}


def said(*calls: Message, content: Any = None, **fields: Any) -> Message:
    return {"role": "assistant", "content": content, "tool_calls": list(calls), **fields}


def result(id: str | None = "a", content: Any = "sunny, 21", **fields: Any) -> Message:
    named = {} if id is None else {"tool_call_id": id}
    return {"role": "tool", "content": content, **named, **fields}


# ------------------------------------------------------------------------------ what is offered


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": [{"type": "text", "text": ASK["content"]}]}],
        [
            {
                "role": "system",
                "content": [
                    {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
                ],
            },
            ASK,
        ],
        [{"role": "developer", "content": "Be brief."}, ASK],
        [
            {"role": "system", "content": "Be brief."},
            {"role": "system", "content": "Be kind."},
            ASK,
        ],
        [ASK, {"role": "assistant", "content": "One moment.", "tool_calls": []}, ASK],
        [{**ASK, "name": "ann"}],
    ],
    ids=["parts", "cached system parts", "developer", "two systems", "an empty list", "a name"],
)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"tool_choice": "auto", "parallel_tool_calls": True},
        {"tools": [{**WEATHER, "cache_control": {"type": "ephemeral"}}]},
        {"store": False, "metadata": {"a": "b"}, "service_tier": "auto", "user": "ann"},
        {"safety_identifier": "x", "prompt_cache_key": "x", "prompt_cache_retention": "24h"},
        {"reasoning_effort": "none", "verbosity": "low", "logprobs": False, "logit_bias": {}},
        {"prediction": {"type": "content", "content": "x"}, "response_format": {"type": "text"}},
    ],
    ids=["plain", "choice", "cache control", "hints", "cache hints", "effort", "prediction"],
)
def test_a_tool_is_called_however_the_request_is_dressed(
    http: httpx.Client, messages: list[Message], fields: dict[str, Any]
) -> None:
    (choice,) = answered(http, messages, **{"tools": [WEATHER], **fields})
    assert choice["finish_reason"] == "tool_calls"
    (made,) = choice["message"]["tool_calls"]
    assert made["function"] == {"name": "get_weather", "arguments": PARIS}


@pytest.mark.parametrize("tool", DEFINED, ids=lambda tool: str(tool["function"]["name"]))
@pytest.mark.parametrize("strict", [None, True])
def test_the_tools_of_agents_are_taken_as_they_are_declared(
    http: httpx.Client, tool: Message, strict: bool | None
) -> None:
    dressed = {**tool, "function": {**tool["function"], "strict": strict}}
    response = post(http, [ASK], tools=[dressed], max_tokens=4)
    if strict and tool["function"]["name"] in NOT_STRICTLY:
        assert response.status_code == 400
        error = response.json()["error"]
        assert error["param"] == "tools[0].function.parameters"
        assert NOT_STRICTLY[tool["function"]["name"]] in error["message"]
        return
    assert response.status_code == 200, response.text
    warned = "oneOf" in response.headers.get("x-mullama-warning", "")
    assert warned == (tool["function"]["name"] in NOT_STRICTLY)


def test_many_tools_beyond_the_context_are_refused_with_both_numbers(http: httpx.Client) -> None:
    response = post(http, [ASK], tools=DEFINED)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == "context_length_exceeded"
    assert str(N_CTX) in error["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": []},
        {"tools": None, "tool_choice": "auto"},
        {"tool_choice": "none", "parallel_tool_calls": False},
        {"tools": [{"type": "function", "function": {"name": "now"}}]},
        {"tools": [{"type": "function", "function": {"name": "now", "parameters": {}}}]},
        {"tools": [{"type": "function", "function": {"name": "now", "parameters": None}}]},
    ],
    ids=json.dumps,
)
def test_few_tools_or_none_are_no_trouble(http: httpx.Client, fields: dict[str, Any]) -> None:
    assert len(answered(http, [ASK], **fields)) == 1


def test_several_answers_have_their_own_calls(http: httpx.Client) -> None:
    choices = answered(http, [ASK], tools=[WEATHER], n=3)
    assert [choice["finish_reason"] for choice in choices] == ["tool_calls"] * 3
    assert len({choice["message"]["tool_calls"][0]["id"] for choice in choices}) == 3


def test_a_stop_string_within_a_call_ends_it_there(http: httpx.Client) -> None:
    (choice,) = answered(http, [ASK], tools=[WEATHER], stop=["</never>", "ris"])
    (made,) = choice["message"]["tool_calls"]
    assert made["function"]["arguments"] == '{"city": "Pa'


# ------------------------------------------------------------------------------ what was said


@pytest.mark.parametrize(
    "history",
    [
        [said(call()), result()],
        [said(call(), content=""), result()],
        [said(call(), content=[]), result()],
        [said(call(), reasoning_content="Let me see."), result()],
        [said(call()), result(content=[{"type": "text", "text": "sunny, 21"}])],
        [said(call()), result(content=[{"type": "input_text", "text": "sunny, 21"}])],
        [said(call()), result(name="get_weather")],
        [said(call()), result("an id that nobody gave")],
        [said(call(None)), result(None)],
        [said(call(arguments={"city": "Paris"})), result()],
    ],
    ids=[
        "null content",
        "empty content",
        "no parts",
        "a thought",
        "parts",
        "parts of another api",
        "named",
        "another id",
        "no ids",
        "an object",
    ],
)
@pytest.mark.parametrize("tools", [[WEATHER], None], ids=["offered", "no longer offered"])
def test_a_result_is_read_in_any_form(
    http: httpx.Client, history: list[Message], tools: list[Message] | None
) -> None:
    (choice,) = answered(http, [ASK, *history], tools=tools)
    assert choice["message"]["content"] == SUNNY
    assert choice["finish_reason"] == "stop"


@pytest.mark.parametrize("arguments", ["", "{", '{"city": "Par', "[1]", "null", None, "Paris"])
def test_broken_arguments_of_before_spoil_nothing(http: httpx.Client, arguments: Any) -> None:
    (choice,) = answered(http, [ASK, said(call(arguments=arguments)), result()], tools=[WEATHER])
    assert "sunny" in choice["message"]["content"]


def _prompt(http: httpx.Client, messages: list[Message]) -> str:
    body = {"model": "chat", "messages": messages, "tools": [WEATHER]}
    response = http.post("/apply-template", json=body)
    assert response.status_code == 200, response.text
    return str(response.json()["prompt"])


@pytest.mark.parametrize(
    "ids", [("a", "b"), ("b", "a"), (None, None), ("a", "a")], ids=["", "swapped", "none", "twice"]
)
def test_results_of_parallel_calls_go_to_their_calls(
    http: httpx.Client, ids: tuple[str | None, str | None]
) -> None:
    """This template prints no ids, so the order says which result is whose."""
    first, second = ("a", "b") if ids == ("b", "a") else ids
    calls = said(call(first), call(second, ROME))
    results = [result(first, "it is sunny"), result(second, "it is rainy")]
    if ids == ("b", "a"):
        results.reverse()
    prompt = _prompt(http, [ASK, calls, *results])
    assert prompt.index("it is sunny") < prompt.index("it is rainy")


@pytest.mark.parametrize(
    "messages",
    [
        [result(), ASK],
        [result()],
        [ASK, said(call()), ASK],
        [ASK, said(call(), call("b", ROME)), result("b"), ASK],
        [ASK, said(call(name="gone_tool")), result()],
        [ASK, said(call()), result(content="")],
        [ASK, said(call()), result(content=None)],
        [ASK, said(call()), result(), result()],
        [ASK, {"role": "assistant", "content": None}, ASK],
        [ASK, ASK],
        [ASK, {"role": "assistant", "content": "It is"}],
    ],
    ids=[
        "a result first",
        "a result alone",
        "a call without result",
        "one result of two",
        "a tool that is gone",
        "an empty result",
        "no result",
        "a result too many",
        "nothing said",
        "two questions",
        "the assistant last",
    ],
)
def test_a_history_that_does_not_add_up_is_answered(
    http: httpx.Client, messages: list[Message]
) -> None:
    (choice,) = answered(http, messages, tools=[WEATHER], max_tokens=8)
    assert choice["finish_reason"] in ("length", "stop", "tool_calls")


# ------------------------------------------------------------------------------ what is in the way


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "user", "content": [IMAGE]}], "messages[0].content[0]"),
        ([ASK, said(call()), result(content=[IMAGE])], "messages[2].content[0]"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], "messages[0].content[0]"),
        ([ASK, said(call()), result(content={"t": 1})], "messages[2].content"),
        ([ASK, said({"id": "a", "type": "function"}), result()], "messages"),
    ],
    ids=["an image", "an image as result", "audio", "an object", "no function"],
)
def test_what_cannot_be_read_is_refused_by_its_place(
    http: httpx.Client, messages: list[Message], param: str
) -> None:
    response = post(http, messages, tools=[WEATHER])
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
    assert response.json()["error"]["type"] == "invalid_request_error"
