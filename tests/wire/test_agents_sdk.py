"""OpenAI's Agents SDK over chat completions: its loop, its tools and sessions, with the tiny model.

The SDK makes the calls' schemas (strict ones) and the conversation, runs the tools, and decides by
our `finish_reason` and ids when an agent has finished.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Any, TypeVar

import agents
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.wire.conftest import REAL, LiveServer

pytestmark = REAL

T = TypeVar("T")
agents.set_tracing_disabled(True)  # it would be sent to OpenAI


class Person(BaseModel):
    name: str
    age: int


class Notebook:
    """Two tools, and what they were called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def tools(self) -> list[agents.Tool]:
        @agents.function_tool
        def get_weather(city: str) -> str:
            """Get the current weather of a city."""
            self.calls.append(("get_weather", city))
            return "sunny, 21"

        @agents.function_tool
        def multiply(left: int, right: int) -> int:
            """Multiply two numbers."""
            self.calls.append(("multiply", left, right))
            return left * right

        return [get_weather, multiply]


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


def with_agent(
    server: LiveServer, notebook: Notebook, work: Callable[[agents.Agent[Any]], Awaitable[T]]
) -> T:
    """What `work` makes of an agent that has the notebook's tools."""

    async def run() -> T:
        async with AsyncOpenAI(
            base_url=f"{server.url}/v1", api_key="none", max_retries=0
        ) as client:
            agent = agents.Agent[Any](
                name="helper",
                instructions="You are a helpful assistant that can use tools.",
                model=agents.OpenAIChatCompletionsModel(server.chat, client),
                model_settings=agents.ModelSettings(
                    temperature=0, max_tokens=200, include_usage=True
                ),
                tools=notebook.tools(),
            )
            return await work(agent)

    return asyncio.run(run())


def test_an_agent_uses_two_tools_over_several_turns(
    live_server: LiveServer, notebook: Notebook
) -> None:
    async def talk(agent: agents.Agent[Any]) -> list[str]:
        answers, history = [], []
        for asked in ("What is the weather in Paris?", "Calculate 12 times 7."):
            history.append({"role": "user", "content": asked})
            result: Any = await agents.Runner.run(agent, history, max_turns=4)
            answers.append(result.final_output)
            history = result.to_input_list()
        return answers

    weather, product = with_agent(live_server, notebook, talk)
    assert notebook.calls == [("get_weather", "Paris"), ("multiply", 12, 7)]
    assert "sunny" in weather
    assert "84" in product


def test_a_streamed_run_shows_words_calls_and_results(
    live_server: LiveServer, notebook: Notebook
) -> None:
    async def stream(agent: agents.Agent[Any]) -> tuple[str, str, list[str], int]:
        run = agents.Runner.run_streamed(agent, "What is the weather in Rome?", max_turns=4)
        said, kinds = "", []
        async for event in run.stream_events():
            if event.type == "run_item_stream_event":
                kinds.append(event.name)
            elif event.type == "raw_response_event":
                data: Any = event.data
                if data.type == "response.output_text.delta":
                    said += data.delta
        return said, run.final_output, kinds, run.context_wrapper.usage.output_tokens

    said, final, kinds, n_tokens = with_agent(live_server, notebook, stream)
    assert notebook.calls == [("get_weather", "Rome")]
    assert kinds == ["tool_called", "tool_output", "message_output_created"]
    assert said.endswith(final)
    assert n_tokens > 0


def test_an_agents_answer_has_the_type_that_it_declares(
    live_server: LiveServer, notebook: Notebook
) -> None:
    async def extract(agent: agents.Agent[Any]) -> Any:
        typed = agent.clone(tools=[], output_type=Person)
        asked = "Extract the name and age as JSON from: Helena is 85 years old."
        return (await agents.Runner.run(typed, asked)).final_output

    assert with_agent(live_server, notebook, extract) == Person(name="Helena", age=85)


def test_a_session_keeps_calls_and_results(live_server: LiveServer, notebook: Notebook) -> None:
    async def talk(agent: agents.Agent[Any]) -> list[Any]:
        with closing(agents.SQLiteSession("one")) as session:
            for asked in ("What is the weather in Lima?", "What is the weather in Oslo?"):
                await agents.Runner.run(agent, asked, session=session)
            return [item.get("type", item.get("role")) for item in await session.get_items()]

    kinds = with_agent(live_server, notebook, talk)
    assert notebook.calls == [("get_weather", "Lima"), ("get_weather", "Oslo")]
    assert kinds == ["user", "function_call", "function_call_output", "message"] * 2


@pytest.mark.parametrize("choice", ["required", "multiply"])
def test_a_tool_that_must_be_used_is(
    live_server: LiveServer, notebook: Notebook, choice: str
) -> None:
    async def greet(agent: agents.Agent[Any]) -> Any:
        settings = agents.ModelSettings(tool_choice=choice, temperature=0, max_tokens=200)
        bound = agent.clone(model_settings=settings, tool_use_behavior="stop_on_first_tool")
        return (await agents.Runner.run(bound, "Say hello.")).final_output

    with_agent(live_server, notebook, greet)
    names = {call[0] for call in notebook.calls}
    assert names
    assert names <= ({"multiply"} if choice == "multiply" else {"multiply", "get_weather"})
