"""LangChain's ChatOpenAI: tools, structured output by each of its methods, and streams."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field, SecretStr

from tests.wire.conftest import REAL, LiveServer

pytestmark = REAL

ASK = "Extract the name and age as JSON from: Helena is 85 years old."


@tool
def get_weather(city: str) -> str:
    """Get the current weather of a city."""
    return "sunny, 21"


@tool
def multiply(left: int, right: int) -> int:
    """Multiply two numbers."""
    return left * right


TOOLS = {"get_weather": get_weather, "multiply": multiply}


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The name")
    age: int = Field(ge=0, le=150)
    mood: Literal["glad", "sad"] | None = None


@pytest.fixture
def model(live_server: LiveServer) -> ChatOpenAI:
    return ChatOpenAI(
        model=live_server.chat,
        base_url=f"{live_server.url}/v1",
        api_key=SecretStr("none"),
        temperature=0,
        max_retries=0,
        max_completion_tokens=200,
        stream_usage=True,
    )


def whole(model: Any, messages: list[Any]) -> Any:
    return model.invoke(messages)


def streamed(model: Any, messages: list[Any]) -> Any:
    chunks = list(model.stream(messages))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk
    return total


HOW = pytest.mark.parametrize("answer", [whole, streamed])


@HOW
def test_words_come_with_usage_and_a_reason(
    model: ChatOpenAI, answer: Callable[[Any, list[Any]], Any]
) -> None:
    message = answer(model, [HumanMessage("What is the capital of France?")])
    assert "Paris" in message.content
    assert message.usage_metadata["output_tokens"] > 0
    assert message.response_metadata["finish_reason"] == "stop"


@HOW
def test_bound_tools_are_called_and_their_results_read(
    model: ChatOpenAI, answer: Callable[[Any, list[Any]], Any]
) -> None:
    bound = model.bind_tools(list(TOOLS.values()))
    messages: list[Any] = []
    for asked in ("What is the weather in Paris?", "Calculate 12 times 7."):
        messages.append(HumanMessage(asked))
        for _ in range(3):
            said: AIMessage = answer(bound, messages)
            messages.append(said)
            if not said.tool_calls:
                break
            messages += [TOOLS[call["name"]].invoke(call) for call in said.tool_calls]
    calls = [call for said in messages if isinstance(said, AIMessage) for call in said.tool_calls]
    assert [(call["name"], call["args"]) for call in calls] == [
        ("get_weather", {"city": "Paris"}),
        ("multiply", {"left": 12, "right": 7}),
    ]
    assert sum(isinstance(message, ToolMessage) for message in messages) == 2
    assert "84" in messages[-1].content


@pytest.mark.parametrize(
    ("choice", "names"),
    [("any", set(TOOLS)), ("required", set(TOOLS)), ("multiply", {"multiply"})],
)
def test_a_call_that_was_asked_for_comes(model: ChatOpenAI, choice: str, names: set[str]) -> None:
    bound = model.bind_tools(list(TOOLS.values()), tool_choice=choice)
    said: Any = bound.invoke("Say hello.")
    assert said.tool_calls
    assert {call["name"] for call in said.tool_calls} <= names
    assert not said.invalid_tool_calls
    for call in said.tool_calls:
        TOOLS[call["name"]].invoke(call)  # which checks the arguments


@pytest.mark.parametrize("strict", [None, True])
def test_structured_output_by_a_call(model: ChatOpenAI, strict: bool | None) -> None:
    typed = model.with_structured_output(Person, method="function_calling", strict=strict)
    made = typed.invoke(ASK)
    assert isinstance(made, Person)
    assert (made.name, made.age) == ("Helena", 85)


@pytest.mark.parametrize("strict", [None, True])
def test_structured_output_by_schema(model: ChatOpenAI, strict: bool | None) -> None:
    made = model.with_structured_output(Person, method="json_schema", strict=strict).invoke(ASK)
    assert isinstance(made, Person)
    assert (made.name, made.age) == ("Helena", 85)


def test_structured_output_by_json_mode(model: ChatOpenAI) -> None:
    both: Any = model.with_structured_output(Person, method="json_mode", include_raw=True)
    made = both.invoke(ASK)
    assert json.loads(made["raw"].content) == {"name": "Helena", "age": 85}
    assert made["parsed"] == Person(name="Helena", age=85)


def test_structured_output_streams_what_is_known_so_far(model: ChatOpenAI) -> None:
    schema = {**Person.model_json_schema(), "title": "Person"}
    seen: list[Any] = list(model.with_structured_output(schema, method="json_schema").stream(ASK))
    assert seen[-1]["name"] == "Helena"
    assert len(seen) > 1
