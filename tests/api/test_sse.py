"""Streams: what goes out when, pings in silence, errors before and in the middle."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from mullama.api.app import create_app
from mullama.api.responses import ClientGone
from mullama.api.sse import PING, EventStream
from mullama.config import ServerOptions
from mullama.errors import ContextLengthExceeded, ModelError, Overloaded
from tests.api.clients import CHAT, HI, TEXT, Exchange, chunks_of, exchange
from tests.api.fakes import FakeBackend

pytestmark = pytest.mark.anyio

STREAM = {"messages": HI, "stream": True}


async def test_a_stream_has_the_headers_of_one() -> None:
    async with exchange(FakeBackend(), CHAT, STREAM) as one:
        await one.until(b"[DONE]")
    headers = dict(one.sent[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"cache-control"] == b"no-cache"
    assert headers[b"x-accel-buffering"] == b"no"
    assert b"content-length" not in headers
    assert one.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_chunk_goes_out_before_the_next_token_is_there() -> None:
    backend = FakeBackend(hold_at=2)
    async with exchange(backend, CHAT, STREAM) as one:
        await one.until(b"Hello")
        assert b"rld" not in one.body
        backend.gate.set()
        await one.until(b"[DONE]")


async def test_the_status_waits_for_the_backends_first_word() -> None:
    backend = FakeBackend(hold_at=0)
    async with exchange(backend, TEXT, {"prompt": "x", "stream": True}) as one:
        await backend.held.wait()
        assert one.sent == []
        backend.gate.set()
        await one.until(b"[DONE]")


async def test_a_completion_that_began_has_its_status_before_any_text() -> None:
    backend = FakeBackend(hold_at=1)
    async with exchange(backend, TEXT, {"prompt": "x", "stream": True}) as one:
        await backend.held.wait()
        assert one.status == 200
        assert one.body == b""
        backend.gate.set()
        await one.until(b"[DONE]")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ContextLengthExceeded("5000 tokens; the context has 4096.", param="messages"), 400),
        (Overloaded("The queue is full.", retry_after=2), 503),
        (ModelError("It can't be loaded."), 500),
    ],
)
async def test_an_error_before_the_first_event_is_an_http_error(
    error: Exception, status: int
) -> None:
    async with exchange(FakeBackend(fail_at=0, error=error), CHAT, STREAM) as one:
        await one.until(b"error")
    assert one.status == status
    assert json.loads(one.body)["error"]["message"] == str(error)


async def test_an_error_in_the_middle_is_the_streams_last_event() -> None:
    backend = FakeBackend(fail_at=2, error=ModelError("The worker died.", retry_after=1))
    async with exchange(backend, CHAT, STREAM) as one:
        await one.until(b"died")
    assert one.status == 200
    *_, hello, error = chunks_of(one.body.decode())
    assert hello["choices"][0]["delta"] == {"content": "Hello"}
    assert error == {
        "error": {
            "message": "The worker died.",
            "type": "server_error",
            "param": None,
            "code": "model_error",
        }
    }
    assert one.sent[-1]["more_body"] is False


async def test_pings_begin_before_the_backend_says_anything() -> None:
    """A model that was loading, or a long queue, used to look like a dead connection."""
    backend = FakeBackend(hold_at=0)
    async with exchange(backend, CHAT, STREAM, ping_interval=0.01) as one:
        await one.until(PING + PING)
        assert one.status == 200
        backend.gate.set()
        await one.until(b"[DONE]")
    assert [message["type"] for message in one.sent].count("http.response.start") == 1


async def test_an_error_after_the_first_ping_is_an_event() -> None:
    error = ModelError("It can't be loaded.", code="model_invalid")
    backend = FakeBackend(hold_at=0, fail_at=0, error=error)
    async with exchange(backend, CHAT, STREAM, ping_interval=0.01) as one:
        await one.until(PING)
        backend.gate.set()
        await one.until(b"loaded")
    assert one.status == 200
    assert [chunk["error"]["code"] for chunk in chunks_of(one.body.decode())] == ["model_invalid"]
    assert one.sent[-1]["more_body"] is False


async def test_an_unexpected_error_in_the_middle_tells_no_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backend = FakeBackend(fail_at=2, error=RuntimeError("secret"))
    async with exchange(backend, CHAT, STREAM) as one:
        await one.until(b"internal")
    assert b"secret" not in one.body
    request_id = dict(one.sent[0]["headers"])[b"x-request-id"].decode()
    assert request_id in chunks_of(one.body.decode())[-1]["error"]["message"]
    assert any(request_id in line.getMessage() and line.exc_info for line in caplog.records)


async def test_silence_is_filled_with_pings_before_and_between_tokens() -> None:
    for hold_at in (1, 3):
        backend = FakeBackend(hold_at=hold_at)
        async with exchange(backend, CHAT, STREAM, ping_interval=0.01) as one:
            await one.until(PING + PING)
            backend.gate.set()
            await one.until(b"[DONE]")
        assert chunks_of(one.body.decode())[-1] == "[DONE]"
        assert len(chunks_of(one.body.decode())) == 7


async def test_a_lively_stream_has_no_pings() -> None:
    async with exchange(FakeBackend(), CHAT, STREAM, ping_interval=60) as one:
        await one.until(b"[DONE]")
    assert PING not in one.body


@pytest.mark.parametrize("hold_at", [0, 1, 3])
async def test_a_client_that_leaves_cancels_its_stream(hold_at: int) -> None:
    backend = FakeBackend(hold_at=hold_at)
    async with exchange(backend, CHAT, STREAM) as one:
        await backend.held.wait()
        one.leave()
    assert backend.n_cancelled == 1
    assert backend.n_open == 0
    assert b"[DONE]" not in one.body


async def test_a_client_that_leaves_while_sending_blocks_cancels_its_stream() -> None:
    """A slow reader's connection pushes back: the stream then waits in `send`."""
    backend = FakeBackend()
    async with exchange(backend, CHAT, STREAM) as one:
        stuck = asyncio.Event()

        async def send(message: dict[str, Any]) -> None:
            stuck.set()
            await asyncio.Event().wait()

        one._send = send  # type: ignore[method-assign]
        await stuck.wait()
        one.leave()
    assert backend.n_cancelled == 1


async def test_a_task_that_its_server_cancels_cancels_the_request_too() -> None:
    backend = FakeBackend(hold_at=2)
    one = Exchange(create_app(backend, ServerOptions()), CHAT, STREAM, {})
    running = asyncio.create_task(one.run())
    await backend.held.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert backend.n_cancelled == 1


async def test_frames_that_nobody_takes_are_closed() -> None:
    closed = asyncio.Event()

    async def frames() -> AsyncGenerator[bytes, None]:
        try:
            yield b"data: 1\n\n"
            yield b"data: 2\n\n"
        finally:
            closed.set()

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        await asyncio.sleep(0)

    with pytest.raises(ClientGone):
        await EventStream(frames(), ping_interval=5)({"type": "http"}, gone, send)
    assert closed.is_set()
