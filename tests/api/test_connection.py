"""Connections on a real loopback socket, before a made-up application: deadlines and limits."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop
from uvicorn.config import Config
from uvicorn.server import ServerState

from mullama.api import connection
from mullama.api.connection import MAX_HEAD, Connection, Listener
from mullama.api.sockets import bind

App = Callable[[Any, Any, Any], Awaitable[None]]
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
SOON = 0.2  # a client_timeout to wait for
TICK = 0.02


def run(test: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(test, 30))


async def answer(send: Any, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def count(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole body and answers with its length."""
    n_body, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        n_body += len(message["body"])
        more = message["more_body"]
    await answer(send, str(n_body).encode())


class Slow:
    """An application that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.set()
        await self.go_on.wait()
        await answer(send, b"at last")


class Served:
    """A listener, its port, and clients of it."""

    def __init__(self, listener: Listener, port: int) -> None:
        self.listener, self.port = listener, port

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def exchange(self, *parts: bytes) -> bytes:
        """Everything that comes back on one connection, until the server closes it."""
        reader, writer = await self.connect()
        for part in parts:
            writer.write(part)
            await asyncio.sleep(0)
        received = await reader.read()
        writer.close()
        return received


@asynccontextmanager
async def serving(app: App, client_timeout: float = 30.0) -> AsyncIterator[Served]:
    sockets = bind("127.0.0.1", 0)
    listener = Listener(app, client_timeout=client_timeout, tick=TICK)
    await listener.open(sockets)
    try:
        yield Served(listener, sockets[0].getsockname()[1])
    finally:
        listener.close()
        await listener.drain(0)


def error_of(received: bytes) -> tuple[int, str]:
    """Status and message of a refusal."""
    head, body = received.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), json.loads(body)["error"]["message"]


def test_a_request_may_come_in_any_pieces() -> None:
    async def test() -> None:
        request = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
        async with serving(count) as served:
            whole = await served.exchange(request)
            assert whole.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
            assert whole.endswith(b"\r\n\r\n5")
            for cut in range(1, len(request)):
                assert (await served.exchange(request[:cut], request[cut:])).endswith(b"\r\n\r\n5")

    run(test())


UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
OFFERS = {
    "length": b"POST / HTTP/1.1\r\n" + UPGRADE + b"Content-Length: 5\r\n\r\nhello",
    "chunks": b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n"
    + UPGRADE
    + b"\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    "none": b"GET / HTTP/1.1\r\n" + UPGRADE + b"\r\n",
}


@pytest.mark.parametrize("kind", OFFERS)
def test_a_client_that_offers_another_protocol_is_answered_in_this_one(kind: str) -> None:
    """Java's client offers HTTP/2 with each request, and lost its body to that."""

    async def test() -> None:
        request = OFFERS[kind]
        answers = [b"\r\n\r\n0" if kind == "none" else b"\r\n\r\n5", b"\r\n\r\n0"]
        async with serving(count) as served:
            for cut in range(1, len(request) + 1):
                received = await served.exchange(request[:cut], request[cut:] + LAST)
                first, second = received.split(b"HTTP/1.1 200 OK")[1:]
                assert [first[-5:], second[-5:]] == answers

    run(test())


def test_many_offers_at_once_are_answered_one_by_one() -> None:
    async def test() -> None:
        async with serving(count) as served:
            received = await served.exchange(OFFERS["length"] * 500 + LAST)
            assert received.count(b"\r\n\r\n5") == 500

    run(test())


def test_an_unfinished_head_is_refused_after_the_timeout() -> None:
    async def test() -> None:
        async with serving(count, SOON) as served:
            status, message = error_of(await served.exchange(GET[:-2]))
            assert status == 408
            assert "0.2 seconds" in message

    run(test())


def test_a_silent_connection_is_closed_without_a_word() -> None:
    async def test() -> None:
        async with serving(count, SOON) as served:
            assert await served.exchange() == b""

    run(test())


def test_an_unfinished_body_ends_the_connection_and_tells_the_application() -> None:
    async def test() -> None:
        told = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            told.set()

        async with serving(app, SOON) as served:
            head = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"
            assert await served.exchange(head, b"hel") == b""
            await told.wait()

    run(test())


def test_a_second_request_that_stays_unfinished_ends_the_connection() -> None:
    async def test() -> None:
        async with serving(count, SOON) as served:
            reader, writer = await served.connect()
            writer.write(GET)
            await reader.readuntil(b"\r\n\r\n0")
            writer.write(GET[:10])
            assert error_of(await reader.read())[0] == 408
            writer.close()

    run(test())


def test_an_idle_connection_outlives_the_timeout_between_requests() -> None:
    async def test() -> None:
        async with serving(count, SOON) as served:
            reader, writer = await served.connect()
            for _ in range(2):
                writer.write(GET)
                await reader.readuntil(b"\r\n\r\n0")
                await asyncio.sleep(2 * SOON)
            assert served.listener.n_connections == 1
            writer.close()

    run(test())


@pytest.mark.parametrize("behind", [b"", GET, GET[:5], b"POST / HTTP/1.1\r\nContent-Length: 9\r\n"])
def test_a_slow_answer_is_never_cut(behind: bytes) -> None:
    """Whatever the client sends behind its request."""

    async def test() -> None:
        slow = Slow()
        async with serving(slow, SOON) as served:
            reader, writer = await served.connect()
            writer.write(GET + behind)
            await slow.asked.wait()
            await asyncio.sleep(2 * SOON)
            slow.go_on.set()
            await reader.readuntil(b"at last")
            writer.close()

    run(test())


@pytest.mark.parametrize(
    "request_start",
    [
        b"GET / HTTP/1.1\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ],
    ids=["head", "trailers"],
)
def test_a_head_without_end_is_refused(request_start: bytes) -> None:
    async def test() -> None:
        async with serving(count) as served:
            line = b"x: " + b"y" * 1000 + b"\r\n"
            lines = [line] * (MAX_HEAD // len(line) + 2)
            status, message = error_of(await served.exchange(request_start, *lines))
            assert status == 431
            assert "64 KiB" in message

    run(test())


def test_a_large_body_is_not_a_large_head() -> None:
    async def test() -> None:
        body = b"x" * (4 * MAX_HEAD)
        head = b"POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        async with serving(count) as served:
            assert (await served.exchange(head + body)).endswith(str(len(body)).encode())

    run(test())


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00", b"SSH-2.0-x\r\n", b"\0" * 99])
def test_what_is_not_http_is_refused_in_json(data: bytes) -> None:
    async def test() -> None:
        async with serving(count) as served:
            status, message = error_of(await served.exchange(data))
            assert status == 400
            assert "https://" in message

    run(test())


def test_rubbish_behind_a_request_does_not_get_into_its_answer() -> None:
    async def test() -> None:
        halfway = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": b"half", "more_body": True})
            halfway.set()
            while (await receive())["type"] != "http.disconnect":
                pass

        async with serving(app) as served:
            reader, writer = await served.connect()
            writer.write(GET)
            await halfway.wait()
            writer.write(b"\0" * 99)
            assert (await reader.read()).endswith(b"half\r\n")
            writer.close()

    run(test())


def test_500_half_open_connections_do_not_stop_the_others() -> None:
    async def test() -> None:
        async with serving(count, client_timeout=1.0) as served:
            held = [await served.connect() for _ in range(500)]
            for i, (_, writer) in enumerate(held):
                writer.write(GET[: i % len(GET)])
            for _ in range(20):
                assert (await served.exchange(LAST)).endswith(b"\r\n\r\n0")
            assert served.listener.n_connections >= 500
            for reader, writer in held:
                await reader.read()  # until the server closes: each ran into its own deadline
                writer.close()

    run(test())


def test_an_answer_that_nobody_reads_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "KEEP_ALIVE", SOON)

    async def test() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await answer(send, b"x" * (32 << 20))  # more than the system's buffers take

        async with serving(app, SOON) as served:
            with socket.create_connection(("127.0.0.1", served.port)) as client:
                client.sendall(LAST)
                while not served.listener.n_connections:
                    await asyncio.sleep(0.01)
                while served.listener.n_connections:
                    await asyncio.sleep(0.01)

    run(test())


async def stream(send: Any, n_bytes: int) -> None:
    """An answer in pieces of 64 KiB."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(n_bytes >> 16):
        await send({"type": "http.response.body", "body": bytes(1 << 16), "more_body": True})
        await asyncio.sleep(0)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def test_a_stream_that_nobody_reads_is_ended_and_its_application_told() -> None:
    async def test() -> None:
        told = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            sending = asyncio.create_task(stream(send, 1 << 30))
            assert (await receive())["type"] == "http.disconnect"
            sending.cancel()
            told.set()

        async with serving(app, SOON) as served:
            with socket.create_connection(("127.0.0.1", served.port)) as client:
                client.sendall(GET)
                await told.wait()
            while served.listener.n_connections:
                await asyncio.sleep(0.01)

    run(test())


class Wire:
    """A transport's write buffer, as large as the test says."""

    n_unsent = 0

    def get_write_buffer_size(self) -> int:
        return self.n_unsent


def test_a_reader_is_stuck_when_it_took_nothing_for_the_whole_timeout() -> None:
    async def test() -> None:
        config = Config(count, http=Connection, log_config=None)
        config.load()
        one = Connection(config, ServerState(), client_timeout=30.0)
        wire = one.transport = Wire()  # type: ignore[assignment]
        one.pipeline.append(object())  # type: ignore[arg-type]  # a request is being answered
        begin = one.loop.time()
        looks = [  # seconds, unsent bytes, stuck?
            (40, 0, False),  # nothing waits
            (41, 500, False),
            (69, 900, False),  # more waits, and none was taken
            (70, 899, False),  # one byte was
            (99, 899, False),
            (100, 950, True),
        ]
        for seconds, wire.n_unsent, stuck in looks:
            assert one.overdue(begin + seconds) is stuck, seconds

    run(test())


OLD = b"GET / HTTP/1.0\r\n\r\n"


def test_an_old_client_gets_a_stream_without_chunks_and_its_end_as_the_end() -> None:
    """HTTP/1.0 knows no chunked encoding; its clients saw the chunks' lengths in the text."""

    async def test() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await stream(send, 3 << 16)

        async with serving(app) as served:
            head, body = (await served.exchange(OLD)).split(b"\r\n\r\n", 1)
            assert b"transfer-encoding" not in head
            assert b"connection: close" in head
            assert body == bytes(3 << 16)

    run(test())


def test_an_old_client_gets_an_answer_with_its_length() -> None:
    async def test() -> None:
        async with serving(count) as served:
            head, body = (await served.exchange(OLD)).split(b"\r\n\r\n", 1)
            assert b"content-length: 1" in head
            assert body == b"0"

    run(test())


def test_closing_lets_the_running_answer_finish() -> None:
    async def test() -> None:
        slow = Slow()
        async with serving(slow) as served:
            idle_reader, idle_writer = await served.connect()
            reader, writer = await served.connect()
            writer.write(GET)
            await slow.asked.wait()
            served.listener.close()
            assert await idle_reader.read() == b""
            with pytest.raises(ConnectionRefusedError):
                await served.connect()
            slow.go_on.set()
            received = await reader.read()
            assert b"connection: close" in received
            assert received.endswith(b"at last")
            await served.listener.drain(10)
            writer.close()
            idle_writer.close()

    run(test())


def test_draining_cuts_what_takes_too_long() -> None:
    async def test() -> None:
        async with serving(count) as served:
            reader, writer = await served.connect()
            writer.write(b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n")
            while not served.listener.n_connections:
                await asyncio.sleep(0.01)
            served.listener.close()
            await served.listener.drain(0.1)
            assert served.listener.n_connections == 0
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(1)
            writer.close()

    run(test())
