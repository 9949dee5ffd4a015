"""The official SDK's helpers with types: `parse`, `pydantic_function_tool`, `stream`."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal
from uuid import UUID

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel, Field

from tests.wire.conftest import REAL, LiveServer

pytestmark = REAL


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Place(BaseModel):
    """Where somebody lives."""

    street: str | None = Field(description="Without the number", max_length=20)
    number: int = Field(ge=1, le=400)


class Circle(BaseModel):
    kind: Literal["circle"]
    radius: float = Field(gt=0, le=10, multiple_of=0.5)


class Square(BaseModel):
    kind: Literal["square"]
    side: int = Field(multiple_of=5, ge=0, le=100)


class Everything(BaseModel):
    id: UUID
    born: date
    colours: list[Colour] = Field(min_length=1, max_length=3)
    place: Place
    shape: Circle | Square
    parent: Place | None


class GetWeather(BaseModel):
    """Get the current weather of a city."""

    city: str


class Multiply(BaseModel):
    """Multiply two numbers."""

    left: int
    right: int


class Person(BaseModel):
    name: str
    age: int


STATED: list[Any] = [
    {"role": "user", "content": "Extract the name and age as JSON from: Helena is 85 years old."}
]
HELENA = Person(name="Helena", age=85)
TOOLS: list[Any] = [
    openai.pydantic_function_tool(GetWeather, name="get_weather"),
    openai.pydantic_function_tool(Multiply, name="multiply"),
]


@pytest.fixture
def sdk(live_server: LiveServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{live_server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_parse_reads_what_was_said(sdk: OpenAI) -> None:
    answer = sdk.chat.completions.parse(
        model="chat", messages=STATED, response_format=Person, temperature=0
    )
    assert answer.choices[0].message.parsed == HELENA


def test_a_stream_parses_at_its_end_and_shows_parts_before(sdk: OpenAI) -> None:
    with sdk.chat.completions.stream(
        model="chat", messages=STATED, response_format=Person, temperature=0
    ) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    deltas = [event for event in events if event.type == "content.delta"]
    done = [event for event in events if event.type == "content.done"]
    assert deltas[-1].snapshot == final.choices[0].message.content
    assert [event.parsed for event in done] == [HELENA]
    assert final.choices[0].message.parsed == HELENA


@pytest.mark.parametrize("seed", range(4))
def test_a_nested_type_is_satisfied_at_any_temperature(sdk: OpenAI, seed: int) -> None:
    answer = sdk.chat.completions.parse(
        model="chat",
        messages=[{"role": "user", "content": "Give me something as JSON."}],
        response_format=Everything,
        temperature=0.4 * seed,
        seed=seed,
        max_tokens=400,
    )
    assert isinstance(answer.choices[0].message.parsed, Everything)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("What is the weather in Paris?", GetWeather(city="Paris")),
        ("Calculate 12 times 7.", Multiply(left=12, right=7)),
    ],
)
def test_calls_of_strict_tools_are_parsed(sdk: OpenAI, asked: str, expected: BaseModel) -> None:
    fields: Any = {
        "model": "chat",
        "messages": [{"role": "user", "content": asked}],
        "tools": TOOLS,
        "temperature": 0,
    }
    (whole,) = sdk.chat.completions.parse(**fields).choices
    with sdk.chat.completions.stream(**fields) as stream:
        (streamed,) = stream.get_final_completion().choices
    for choice in (whole, streamed):
        assert choice.finish_reason == "tool_calls"
        (call,) = choice.message.tool_calls or ()
        assert call.function.parsed_arguments == expected


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_a_named_call_has_arguments_of_its_type(sdk: OpenAI, seed: int, stream: bool) -> None:
    fields: Any = {
        "model": "chat",
        "messages": [{"role": "user", "content": "Say hello."}],
        "tools": [*TOOLS, openai.pydantic_function_tool(Everything, name="record")],
        "tool_choice": {"type": "function", "function": {"name": "record"}},
        "temperature": 0.5 * seed,
        "seed": seed,
        "max_tokens": 500,
    }
    if stream:
        with sdk.chat.completions.stream(**fields) as answer:
            (choice,) = answer.get_final_completion().choices
    else:
        (choice,) = sdk.chat.completions.parse(**fields).choices
    assert choice.finish_reason == "tool_calls"
    for call in choice.message.tool_calls or ():
        assert isinstance(call.function.parsed_arguments, Everything)
    assert choice.message.tool_calls


def test_a_cut_answer_is_not_parsed_but_says_that_it_was_cut(sdk: OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        sdk.chat.completions.parse(
            model="chat", messages=STATED, response_format=Person, max_tokens=4
        )
