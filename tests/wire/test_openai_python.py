"""The official Python SDK against a live server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from mullama.errors import ContextLengthExceeded, ModelError, MullamaError, Overloaded
from mullama.types import ChatRequest
from tests.api.fakes import FakeBackend
from tests.wire.conftest import FAKE, LiveServer

HI: list[Any] = [{"role": "user", "content": "Hi"}]
HELLO = "Hello, wörld!"


@pytest.fixture
def sdk(live_server: LiveServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{live_server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


# ------------------------------------------------------------------------------ any server


def test_a_chat(sdk: OpenAI, live_server: LiveServer) -> None:
    answer = sdk.chat.completions.create(model=live_server.chat, messages=HI, max_tokens=8)
    assert answer.object == "chat.completion"
    assert answer.model == live_server.chat
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.prompt_tokens_details is not None
    assert answer._request_id


def test_a_streamed_chat_says_what_a_whole_one_says(sdk: OpenAI, live_server: LiveServer) -> None:
    asked: Any = {"model": live_server.chat, "messages": HI, "max_tokens": 8, "temperature": 0}
    whole = sdk.chat.completions.create(**asked)
    options: Any = {"include_usage": True}
    chunks = list(sdk.chat.completions.create(**asked, stream=True, stream_options=options))
    *contents, usage = chunks
    text = "".join(chunk.choices[0].delta.content or "" for chunk in contents)
    assert text == whole.choices[0].message.content
    assert contents[0].choices[0].delta.role == "assistant"
    assert contents[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    assert all(chunk.usage is None for chunk in contents)
    assert usage.choices == []
    assert usage.usage is not None
    assert whole.usage is not None
    assert usage.usage.completion_tokens == whole.usage.completion_tokens


def test_the_sdks_own_accumulator_takes_a_stream(sdk: OpenAI, live_server: LiveServer) -> None:
    with sdk.chat.completions.stream(
        model=live_server.chat, messages=HI, max_tokens=64, temperature=0, n=2, logprobs=True
    ) as stream:
        events = list(stream)
        final = stream.get_final_completion()
    assert {event.type for event in events} >= {"chunk", "content.delta", "content.done"}
    assert [choice.index for choice in final.choices] == [0, 1]
    assert final.choices[0].message.content
    assert final.choices[0].logprobs is not None
    assert final.choices[0].logprobs.content


def test_a_completion_whole_and_streamed(sdk: OpenAI, live_server: LiveServer) -> None:
    asked: Any = {"model": live_server.chat, "prompt": "Once", "max_tokens": 8, "temperature": 0}
    whole = sdk.completions.create(**asked, echo=True, logprobs=2)
    assert whole.object == "text_completion"
    assert whole.choices[0].text.startswith("Once")
    assert whole.choices[0].logprobs is not None
    assert whole.choices[0].logprobs.tokens
    chunks = list(sdk.completions.create(**asked, stream=True))
    text = "".join(chunk.choices[0].text for chunk in chunks)
    assert "Once" + text == whole.choices[0].text


def test_completions_of_several_prompts(sdk: OpenAI, live_server: LiveServer) -> None:
    answer = sdk.completions.create(
        model=live_server.chat, prompt=["One", "Two"], n=2, max_tokens=4
    )
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]


def test_embeddings_in_the_sdks_own_form_and_as_numbers(
    sdk: OpenAI, live_server: LiveServer
) -> None:
    """The SDK asks for base64 when its caller says nothing, and decodes it."""
    encoded = sdk.embeddings.create(model=live_server.embed, input=["one", "two"])
    numbers = sdk.embeddings.create(
        model=live_server.embed, input=["one", "two"], encoding_format="float"
    )
    assert len(encoded.data) == 2
    for one, other in zip(encoded.data, numbers.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert encoded.usage.prompt_tokens > 0


def test_models(sdk: OpenAI, live_server: LiveServer) -> None:
    names = [model.id for model in sdk.models.list()]
    assert {live_server.chat, live_server.embed} <= set(names)
    assert sdk.models.retrieve(live_server.chat).id == live_server.chat


def test_an_unknown_model(sdk: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        sdk.chat.completions.create(model="nope", messages=HI)
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        sdk.models.retrieve("nope")


def test_a_wrong_request(sdk: OpenAI, live_server: LiveServer) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model=live_server.chat, messages=[])
    assert caught.value.param == "messages"
    assert caught.value.type == "invalid_request_error"
    tools: Any = [{"type": "function", "function": {"name": "f"}}]
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(
            model=live_server.chat, messages=HI, tools=tools, tool_choice="always"
        )
    assert caught.value.param == "tool_choice"


def test_the_asynchronous_client(live_server: LiveServer) -> None:
    async def test() -> None:
        async with AsyncOpenAI(base_url=f"{live_server.url}/v1", api_key="none") as sdk:
            asked: Any = {"model": live_server.chat, "messages": HI, "max_tokens": 8}
            whole, stream, embedded = await asyncio.gather(
                sdk.chat.completions.create(**asked, temperature=0),
                sdk.chat.completions.create(**asked, temperature=0, stream=True),
                sdk.embeddings.create(model=live_server.embed, input="one"),
            )
            deltas = [chunk.choices[0].delta.content or "" async for chunk in stream]
            assert "".join(deltas) == whole.choices[0].message.content
            assert embedded.data[0].embedding

    asyncio.run(asyncio.wait_for(test(), 30))


# ------------------------------------------------------------------------------ behind it, a fake


@dataclass
class Flaky(FakeBackend):
    """Fails for the first so many requests."""

    n_failures: int = 1

    async def _meet(self, number: int) -> None:
        if len(self.asked) > self.n_failures:
            self.fail_at = None
        await super()._meet(number)


def failing(live_server: LiveServer, error: MullamaError, **fields: Any) -> Flaky:
    assert live_server.stage is not None
    live_server.stage.actor = flaky = Flaky(fail_at=0, error=error, **fields)
    return flaky


@FAKE
def test_texts_arrive_as_they_were_said(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.words = ["\n\n", "data: [DONE]", '"\\', "\u2028", "😀", "\x00"]
    chunks = sdk.chat.completions.create(model="chat", messages=HI, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == "".join(backend.words)


@FAKE
def test_pings_go_unnoticed(sdk: OpenAI, backend: FakeBackend, live_server: LiveServer) -> None:
    backend.hold_at = 2
    stream = iter(sdk.chat.completions.create(model="chat", messages=HI, stream=True))
    assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "Hello"]
    time.sleep(0.2)  # several pings
    assert live_server.call is not None
    live_server.call(backend.gate.set)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == HELLO[5:]


@FAKE
def test_a_stream_that_waits_for_its_model_is_open_and_may_still_fail(
    sdk: OpenAI, backend: FakeBackend, live_server: LiveServer
) -> None:
    backend.hold_at, backend.fail_at = 0, 0
    backend.error = ModelError("It can't be loaded.", code="model_invalid")
    stream = sdk.chat.completions.create(model="chat", messages=HI, stream=True)
    assert stream.response.status_code == 200  # the first ping brought it
    assert live_server.call is not None
    live_server.call(backend.gate.set)
    with pytest.raises(openai.APIError, match="can't be loaded") as caught:
        next(iter(stream))
    assert caught.value.code == "model_invalid"


@FAKE
def test_an_error_in_the_middle_of_a_stream_is_raised(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.fail_at, backend.error = 2, ModelError("The worker died.")
    stream = iter(sdk.chat.completions.create(model="chat", messages=HI, stream=True))
    assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "Hello"]
    with pytest.raises(openai.APIError, match="The worker died"):
        next(stream)


@FAKE
def test_a_prompt_that_is_too_long_is_named(sdk: OpenAI, live_server: LiveServer) -> None:
    failing(live_server, ContextLengthExceeded("5000 tokens; there is room for 4096."))
    with pytest.raises(openai.BadRequestError) as caught:
        sdk.chat.completions.create(model="chat", messages=HI, stream=True)
    assert caught.value.code == "context_length_exceeded"


@FAKE
@pytest.mark.parametrize("stream", [False, True])
def test_a_busy_server_is_asked_again_when_it_said(live_server: LiveServer, stream: bool) -> None:
    flaky = failing(live_server, Overloaded("The queue is full.", retry_after=0.01), n_failures=2)
    with OpenAI(base_url=f"{live_server.url}/v1", api_key="none", max_retries=2) as sdk:
        create: Callable[..., Any] = sdk.chat.completions.create
        answer = create(model="chat", messages=HI, stream=stream)
        if stream:
            text = "".join(chunk.choices[0].delta.content or "" for chunk in answer)
        else:
            text = answer.choices[0].message.content
    assert text == HELLO
    assert len(flaky.asked) == 3


@FAKE
def test_what_can_not_be_helped_is_not_asked_again(live_server: LiveServer) -> None:
    flaky = failing(live_server, ModelError("The file is damaged."), n_failures=9)
    with (
        OpenAI(base_url=f"{live_server.url}/v1", api_key="none", max_retries=2) as sdk,
        pytest.raises(openai.InternalServerError, match="damaged"),
    ):
        sdk.chat.completions.create(model="chat", messages=HI)
    assert len(flaky.asked) == 1


@FAKE
def test_a_stream_that_is_closed_is_cancelled(sdk: OpenAI, backend: FakeBackend) -> None:
    backend.hold_at = 3
    with sdk.chat.completions.create(model="chat", messages=HI, stream=True) as stream:
        next(iter(stream))
    _until(lambda: backend.n_cancelled == 1)
    assert backend.n_open == 0


@FAKE
def test_a_whole_answer_that_nobody_waits_for_is_cancelled(
    sdk: OpenAI, backend: FakeBackend
) -> None:
    backend.hold_at = 3
    with pytest.raises(openai.APITimeoutError):
        sdk.with_options(timeout=0.3).chat.completions.create(model="chat", messages=HI)
    _until(lambda: backend.n_cancelled == 1)


@FAKE
def test_extensions_go_in_the_body(sdk: OpenAI, backend: FakeBackend) -> None:
    answer = sdk.chat.completions.create(
        model="chat", messages=HI, extra_body={"top_k": 1, "return_token_ids": True}
    )
    assert answer.model_extra
    assert answer.model_extra["prompt_token_ids"] == list(range(7))
    assert answer.model_extra["timings"]["predicted_n"] == 4
    (asked,) = backend.asked
    assert isinstance(asked, ChatRequest)
    assert asked.options.sampler.top_k == 1


def _until(holds: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
