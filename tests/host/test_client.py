"""The server's end of a worker, against a scripted worker on a real socketpair."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from mullama.config import ModelOptions
from mullama.errors import ErrorInfo, InvalidRequest, ModelError, Overloaded
from mullama.host import client as client_module
from mullama.host import frames
from mullama.host.client import WorkerClient
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    Delta,
    EmbedRequest,
    EmbedResult,
    Event,
    Failed,
    Finished,
    FinishReason,
    GenerateOptions,
    RerankRequest,
    RerankResult,
    Started,
    Timings,
    TokenizeRequest,
    TokenizeResult,
)

pytestmark = pytest.mark.anyio

TIMEOUT = 10
DIED = ModelError("the worker was killed", code="worker_died")
RESULT = EmbedResult((b"\0\0\0\0",), 1, 3)


class Worker:
    """Reads what the client sends, and says what the test wants."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._splitter = frames.Splitter()
        self._received: list[frames.ToWorker] = []

    async def read(self) -> Any:
        async with asyncio.timeout(TIMEOUT):
            while not self._received:
                data = await self._reader.read(1 << 16)
                assert data, "the client closed the connection"
                self._received += map(frames.decode_to_worker, self._splitter.feed(data))
        return self._received.pop(0)

    def send(self, *messages: frames.FromWorker) -> None:
        self._writer.write(b"".join(frames.encode(message) for message in messages))

    def emit(self, *events: Event) -> None:
        self.send(frames.Events.of(events))

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def hang_up(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[WorkerClient, Worker]]:
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    client = await WorkerClient.connect("m", ours)
    try:
        yield client, Worker(reader, writer)
    finally:
        writer.transport.abort()
        async with asyncio.timeout(TIMEOUT):
            await client.lost


def ask(n: int = 1, prompt: str = "ab") -> CompletionRequest:
    return CompletionRequest(prompt, GenerateOptions(n=n))


def delta(id: int, text: str, index: int = 0) -> Delta:
    return Delta(id, index, text, 1)


def finished(id: int, index: int = 0) -> Finished:
    return Finished(id, index, FinishReason.STOP, None, 2, 0, 0, 0, 1, Timings())


async def collect(events: AsyncIterator[Event]) -> list[Event]:
    return [event async for event in events]


async def soon(client: WorkerClient, request: CompletionRequest | ChatRequest) -> Any:
    """A task that collects a request's events; the request has been sent."""
    task = asyncio.create_task(collect(client.generate(request)))
    await asyncio.sleep(0)
    return task


async def test_events_reach_their_request_in_order() -> None:
    async with connected() as (client, worker):
        first, second = await soon(client, ask()), await soon(client, ask(prompt="cd"))
        a, b = await worker.read(), await worker.read()
        assert a == frames.Complete(a.id, ask())
        assert b == frames.Complete(b.id, ask(prompt="cd"))
        assert a.id != b.id
        worker.emit(Started(a.id, 2), Started(b.id, 3))
        worker.emit(delta(b.id, "x"), delta(a.id, "y"))
        worker.emit(finished(b.id))
        assert await second == [Started(b.id, 3), delta(b.id, "x"), finished(b.id)]
        worker.emit(delta(a.id, "z"), finished(a.id))
        expected = [Started(a.id, 2), delta(a.id, "y"), delta(a.id, "z"), finished(a.id)]
        assert await first == expected


async def test_a_chat_is_sent_as_such() -> None:
    async with connected() as (client, worker):
        request = ChatRequest(({"role": "user", "content": "hi"},))
        task = await soon(client, request)
        sent = await worker.read()
        assert sent == frames.Chat(sent.id, request)
        worker.emit(finished(sent.id))
        await task


async def test_a_request_ends_when_all_its_answers_have() -> None:
    async with connected() as (client, worker):
        task = await soon(client, ask(n=2))
        id = (await worker.read()).id
        worker.emit(Started(id, 2), finished(id, 1))
        worker.emit(delta(id, "x"), finished(id, 0))
        events = await task
        assert [event.index for event in events if isinstance(event, Finished)] == [1, 0]
        other = await soon(client, ask())  # and no cancel was sent
        assert isinstance(await worker.read(), frames.Complete)
        other.cancel()


async def test_nothing_is_sent_before_the_first_event_is_asked_for() -> None:
    async with connected() as (client, worker):
        await client.generate(ask()).aclose()
        task = await soon(client, ask(prompt="later"))
        assert (await worker.read()).request.prompt == "later"
        task.cancel()


async def test_closing_the_iterator_cancels_and_late_events_are_nobodys() -> None:
    async with connected() as (client, worker):
        async with aclosing(client.generate(ask())) as events:
            first = asyncio.ensure_future(anext(events))
            id = (await worker.read()).id
            worker.emit(Started(id, 2), delta(id, "x"))
            assert await first == Started(id, 2)
        assert await worker.read() == frames.Cancel(id)
        worker.emit(delta(id, "y"), finished(id))
        other = await soon(client, ask())
        id = (await worker.read()).id
        worker.emit(finished(id))
        assert await other == [finished(id)]


async def test_a_cancelled_reader_cancels_the_request() -> None:
    async with connected() as (client, worker):
        task = await soon(client, ask())
        id = (await worker.read()).id
        task.cancel()
        assert await worker.read() == frames.Cancel(id)
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.mark.parametrize("by_event", [True, False])
async def test_a_failure_is_raised_after_what_came_before(by_event: bool) -> None:
    error = Overloaded("full", code="queue_full", retry_after=2.0).info()
    async with connected() as (client, worker):
        events = client.generate(ask())
        first = asyncio.ensure_future(anext(events))
        id = (await worker.read()).id
        worker.emit(Started(id, 2))
        worker.send(
            frames.Events.of([Failed(id, error)]) if by_event else frames.Refused(id, error)
        )
        assert await first == Started(id, 2)
        with pytest.raises(Overloaded, match="full") as caught:
            await anext(events)
        assert (caught.value.code, caught.value.retry_after) == ("queue_full", 2.0)
        await soon(client, ask())  # a failed request is not cancelled
        assert isinstance(await worker.read(), frames.Complete)


async def test_a_slow_reader_delays_nobody() -> None:
    async with connected() as (client, worker):
        slow = client.generate(ask())
        first = asyncio.ensure_future(anext(slow))
        a = (await worker.read()).id
        worker.emit(Started(a, 2))
        await first
        fast = await soon(client, ask())
        b = (await worker.read()).id
        for number in range(1000):
            worker.emit(delta(a, str(number)))
        worker.emit(finished(a), finished(b))
        assert await fast == [finished(b)]
        rest = await collect(slow)
        assert "".join(e.text for e in rest if isinstance(e, Delta)) == "".join(
            map(str, range(1000))
        )


async def test_a_reader_that_is_too_far_behind_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "MAX_UNREAD", 10_000)
    async with connected() as (client, worker):
        stuck = client.generate(ask())
        first = asyncio.ensure_future(anext(stuck))
        a = (await worker.read()).id
        worker.emit(Started(a, 2))
        await first
        for _ in range(100):
            worker.emit(delta(a, "x" * 200))
        assert await worker.read() == frames.Cancel(a)
        worker.emit(delta(a, "late"), finished(a))
        other = await soon(client, ask())
        b = (await worker.read()).id
        worker.emit(finished(b))
        assert await other == [finished(b)]
        with pytest.raises(Overloaded, match="behind") as raised:
            await collect(stuck)
    assert raised.value.code == "slow_reader"


async def test_an_answer_of_any_length_is_read_when_its_reader_keeps_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "MAX_UNREAD", 1_000)
    async with connected() as (client, worker):
        events = client.generate(ask())
        first = asyncio.ensure_future(anext(events))
        a = (await worker.read()).id
        worker.emit(Started(a, 2))
        await first
        for _ in range(20):
            two = [delta(a, "x" * 400), delta(a, "y" * 400)]
            worker.emit(*two)
            assert [await anext(events), await anext(events)] == two
        worker.emit(finished(a))
        assert await collect(events) == [finished(a)]


@pytest.mark.parametrize("value", ["\ud800", 2**70])
async def test_a_request_that_can_not_be_sent_is_invalid(value: object) -> None:
    async with connected() as (client, worker):
        with pytest.raises(InvalidRequest, match="can't be"):
            await collect(client.generate(ChatRequest(({"role": "user", "content": value},))))
        task = await soon(client, ask())
        assert isinstance(await worker.read(), frames.Complete)
        task.cancel()


async def test_vectors_come_back() -> None:
    async with connected() as (client, worker):
        task = asyncio.create_task(client.embed(EmbedRequest(("a",))))
        sent = await worker.read()
        assert sent == frames.Embed(sent.id, EmbedRequest(("a",)))
        worker.send(frames.Embedded(sent.id, RESULT))
        assert await task == RESULT


async def test_scores_tokens_and_text_come_back() -> None:
    rerank, tokenize = RerankRequest("q", ("d",)), TokenizeRequest("a")
    scores, tokens = RerankResult((0.5,), 3), TokenizeResult((1, 2), (b"a", b"\xff"), "p")
    async with connected() as (client, worker):
        task: asyncio.Task[Any] = asyncio.create_task(client.rerank(rerank))
        assert await worker.read() == frames.Rerank(1, rerank)
        worker.send(frames.Reranked(1, scores))
        assert await task == scores
        task = asyncio.create_task(client.tokenize(tokenize))
        assert await worker.read() == frames.Tokenize(2, tokenize)
        worker.send(frames.Tokenized(2, tokens))
        assert await task == tokens
        task = asyncio.create_task(client.detokenize((1, 2)))
        assert await worker.read() == frames.Detokenize(3, (1, 2))
        worker.send(frames.Detokenized(3, "ab"))
        assert await task == "ab"


async def test_a_refused_embedding_is_raised() -> None:
    async with connected() as (client, worker):
        task = asyncio.create_task(client.embed(EmbedRequest(("a",))))
        id = (await worker.read()).id
        worker.send(frames.Refused(id, InvalidRequest("empty", param="input").info()))
        with pytest.raises(InvalidRequest, match="empty") as caught:
            await task
        assert caught.value.param == "input"


async def test_a_cancelled_embedding_is_cancelled_in_the_worker() -> None:
    async with connected() as (client, worker):
        task = asyncio.create_task(client.embed(EmbedRequest(("a",))))
        id = (await worker.read()).id
        task.cancel()
        assert await worker.read() == frames.Cancel(id)
        worker.send(frames.Embedded(id, RESULT))
        task = asyncio.create_task(client.embed(EmbedRequest(("b",))))
        worker.send(frames.Embedded((await worker.read()).id, RESULT))
        assert await task == RESULT


async def test_the_end_of_the_worker_is_raised_in_every_request() -> None:
    async with connected() as (client, worker):
        events = client.generate(ask())
        first = asyncio.ensure_future(anext(events))
        id = (await worker.read()).id
        worker.emit(Started(id, 2), delta(id, "x"))
        await first
        others = [
            await soon(client, ask()),
            asyncio.create_task(client.embed(EmbedRequest(("a",)))),
            asyncio.create_task(client.stats()),
        ]
        for _ in others:
            await worker.read()
        worker.hang_up()
        await client.lost
        client.fail(DIED)
        assert await anext(events) == delta(id, "x")
        with pytest.raises(ModelError, match="killed"):
            await anext(events)
        for other in others:
            with pytest.raises(ModelError, match="killed") as caught:
                await other
            assert caught.value.code == "worker_died"
        for late in (collect(client.generate(ask())), client.embed(EmbedRequest(("a",)))):
            with pytest.raises(ModelError, match="killed"):
                await late
        assert client.ready.result() == DIED.info()


async def test_a_request_sent_to_a_dead_worker_fails_as_soon_as_that_is_known() -> None:
    async with connected() as (client, worker):
        worker.hang_up()
        await client.lost
        task = await soon(client, ask())
        client.fail(DIED)
        with pytest.raises(ModelError, match="killed"):
            await task


async def test_nonsense_ends_the_connection() -> None:
    async with connected() as (client, worker):
        worker.write(b"\x01\x00\x00\x00\xc1")
        async with asyncio.timeout(TIMEOUT):
            await client.lost


async def test_loading_is_followed_until_the_model_is_ready() -> None:
    async with connected() as (client, worker):
        load = frames.Load(b"/m.gguf", ModelOptions(), 20)
        client.load(load)
        assert await worker.read() == load
        worker.send(frames.Loading(0.25), frames.Ready(4096))
        assert await client.ready == 4096
        assert client.progress == 0.25


async def test_a_failed_load_has_its_reason() -> None:
    error = ErrorInfo("ModelError", "unknown architecture")
    async with connected() as (client, worker):
        worker.send(frames.LoadFailed(error))
        assert await client.ready == error


async def test_shutdown_is_passed_on() -> None:
    async with connected() as (client, worker):
        client.shut_down()
        assert await worker.read() == frames.Shutdown()


async def test_counters_are_asked_for() -> None:
    async with connected() as (client, worker):
        first = asyncio.create_task(client.stats())
        second = asyncio.create_task(client.stats())
        assert await worker.read() == frames.Count()
        assert await worker.read() == frames.Count()
        first.cancel()
        await asyncio.sleep(0)
        worker.send(frames.Counted({"n": 1}), frames.Counted({"n": 2}))
        assert await second == {"n": 2}


async def test_counters_are_kept_fresh_while_there_is_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "COUNT_INTERVAL", 0.0)
    async with connected() as (client, worker):
        assert client.counters == {}
        worker.emit(delta(99, "x"))
        assert await worker.read() == frames.Count()
        worker.send(frames.Counted({"n_running": 1}), frames.Ready(1))
        await client.ready
        assert client.counters == {"n_running": 1}


async def test_log_lines_are_the_servers_with_the_models_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with connected() as (client, worker):
        worker.send(frames.Log(logging.WARNING, "mullama.llama", "50% slow"), frames.Ready(1))
        await client.ready
        assert caplog.record_tuples == [("mullama.llama", logging.WARNING, "[m] 50% slow")]
