"""Calls that must come, through the official SDK and the tiny model, hot as well as cold."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jsonschema
import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState

from recipes.tiny.cases import Case, held_out_cases
from tests.wire.conftest import REAL, LiveServer

pytestmark = REAL

ASK: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
SCHEMAS: dict[str, dict[str, Any]] = {
    "get_weather": {
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 20},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "days": {"type": "integer", "minimum": 1, "maximum": 7},
        },
        "required": ["city", "unit"],
        "additionalProperties": False,
    },
    "get_weather_map": {
        "type": "object",
        "properties": {
            "layers": {"type": "array", "items": {"enum": ["rain", "wind"]}, "maxItems": 2}
        },
        "required": ["layers"],
    },
}
TOOLS: list[Any] = [
    *(
        {"type": "function", "function": {"name": name, "parameters": schema}}
        for name, schema in SCHEMAS.items()
    ),
    {"type": "function", "function": {"name": "now"}},
]


@pytest.fixture
def client(live_server: LiveServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{live_server.url}/v1", api_key="none", max_retries=0)


def ask(client: openai.OpenAI, stream: bool, **asked: Any) -> Any:
    """One answer's choices; those of a stream, put together by the SDK."""
    asked = {"model": "default", "messages": ASK, "tools": TOOLS, "max_tokens": 400, **asked}
    if not stream:
        return client.chat.completions.create(**asked).choices
    state = ChatCompletionStreamState()
    for chunk in client.chat.completions.create(**asked, stream=True):
        state.handle_chunk(chunk)
    return state.current_completion_snapshot.choices


def check(call: Any) -> None:
    jsonschema.validate(json.loads(call.function.arguments), SCHEMAS.get(call.function.name, {}))


@pytest.mark.parametrize("thinks", [False, True])
@pytest.mark.parametrize("temperature", [0.0, 1.2])
@pytest.mark.parametrize("stream", [False, True])
def test_required_always_gives_a_call(
    client: openai.OpenAI, stream: bool, temperature: float, thinks: bool
) -> None:
    for seed in range(3):
        (choice,) = ask(
            client,
            stream,
            tool_choice="required",
            temperature=temperature,
            seed=seed,
            extra_body={"enable_thinking": thinks},
        )
        assert choice.finish_reason == "tool_calls"
        assert not choice.message.content
        for call in choice.message.tool_calls:
            check(call)


def test_calls_of_unseen_tools_are_valid_however_hot(client: openai.OpenAI) -> None:
    """Also where none of them fits, so that the model would rather have answered. A text in one
    may go on to the last token allowed; then the answer says that it was cut."""
    families = ("tool_call", "tool_choose", "tool_none")
    cases = [case for family in families for case in held_out_cases(family, 12)]

    def asked(case: Case) -> Any:
        fields = {"messages": case.messages, "tools": case.tools, "seed": len(case.messages)}
        return ask(client, False, **fields, tool_choice="required", temperature=1.2)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(asked, cases))
    whole = 0
    for case, (choice,) in zip(cases, answers, strict=True):
        offered = {tool["function"]["name"]: tool["function"]["parameters"] for tool in case.tools}
        if choice.finish_reason == "length":
            continue
        whole += 1
        assert choice.finish_reason == "tool_calls"
        assert choice.message.tool_calls
        for call in choice.message.tool_calls:
            arguments = json.loads(call.function.arguments)
            jsonschema.validate(arguments, offered[call.function.name])
            assert arguments.keys() <= offered[call.function.name]["properties"].keys()
    assert whole >= len(cases) * 0.9


@pytest.mark.parametrize("name", ["now", "get_weather_map"])
def test_a_named_function_is_called(client: openai.OpenAI, name: str) -> None:
    named = {"type": "function", "function": {"name": name}}
    allowed = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [named]},
    }
    for choice in (named, allowed):
        (answer,) = ask(client, False, tool_choice=choice, temperature=1.2, seed=1)
        assert answer.finish_reason == "tool_calls"
        assert {call.function.name for call in answer.message.tool_calls} == {name}
        for call in answer.message.tool_calls:
            check(call)


def test_one_call_and_no_more(client: openai.OpenAI) -> None:
    answers = ask(
        client, False, tool_choice="required", parallel_tool_calls=False, n=4, temperature=1.2
    )
    assert [len(answer.message.tool_calls) for answer in answers] == [1] * 4


def test_calls_with_log_probabilities_are_calls(client: openai.OpenAI) -> None:
    (answer,) = ask(client, False, tool_choice="required", logprobs=True)
    check(answer.message.tool_calls[0])
    assert len(answer.logprobs.content) > 5


def test_the_old_form_calls_the_function_that_it_names(client: openai.OpenAI) -> None:
    functions = [tool["function"] for tool in TOOLS]
    (answer,) = ask(
        client, False, tools=openai.NOT_GIVEN, functions=functions, function_call={"name": "now"}
    )
    assert answer.finish_reason == "function_call"
    assert answer.message.function_call.name == "now"


@pytest.mark.parametrize("temperature", [0.0, 1.2])
def test_auto_with_a_format_gives_calls_or_what_satisfies_it(
    client: openai.OpenAI, temperature: float
) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "string", "maxLength": 30}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    for words in ("What is the weather in Paris?", "What is 2 + 2? As JSON."):
        messages = [{"role": "user", "content": words}]
        (answer,) = ask(
            client, False, messages=messages, temperature=temperature, response_format=wanted
        )
        assert answer.finish_reason in ("tool_calls", "stop")
        if answer.message.tool_calls:
            assert not answer.message.content
            for call in answer.message.tool_calls:
                check(call)
        else:
            jsonschema.validate(json.loads(answer.message.content), schema)


UNIQUE = {
    "type": "object",
    "properties": {"ids": {"type": "array", "items": {"type": "integer"}, "uniqueItems": True}},
}


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_not_enforced_is_listed_in_a_header(client: openai.OpenAI, stream: bool) -> None:
    tool: Any = {"type": "function", "function": {"name": "f", "parameters": UNIQUE}}
    raw = client.chat.completions.with_raw_response.create(
        model="default", messages=ASK, tools=[TOOLS[0], tool], stream=stream, max_tokens=5
    )
    place = "tools[1].function.parameters: $.properties.ids: uniqueItems"
    assert raw.headers["x-mullama-warning"] == f"not enforced: {place}"


def test_strict_refuses_it_with_its_place(client: openai.OpenAI) -> None:
    function = {"name": "f", "parameters": UNIQUE, "strict": True}
    tool: Any = {"type": "function", "function": function}
    with pytest.raises(openai.BadRequestError, match=r"\$\.properties\.ids") as caught:
        ask(client, False, tools=[TOOLS[0], tool])
    assert caught.value.param == "tools[1].function.parameters"
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, False, tools=openai.NOT_GIVEN, functions=[function])
    assert caught.value.param == "functions[0].parameters"
