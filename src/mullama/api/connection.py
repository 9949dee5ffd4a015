"""HTTP connections, with patience that ends.

uvicorn's connection parses HTTP and runs the application; it waits forever for a request's head
and body, and takes a head of any size. Here a client has a deadline for its next bytes, so that
idle and half-open connections come and go, whoever holds them. A clock that ticks once a second
looks at the deadlines: a request costs no timer.

A connection waits for its client until a request's last byte, and again when the answer is
complete; in between it is ours, and has no deadline, but that of a client which takes none of the
bytes that wait for it:

    open        head ... complete   body ... complete    answer ... complete    next head
    |-client_timeout--|---client_timeout---|  (each part)  |-----none-----|------KEEP_ALIVE-----|
                                                  |--client_timeout--| (each part, if unread)

What waits here is bounded: uvicorn lets an application send no more once 64 KiB do.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Sequence
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Self

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from mullama.api.errors import openai_body
from mullama.errors import InvalidRequest

logger = logging.getLogger(__name__)

# Longer than clients and proxies keep an idle connection (60 s at most, as a rule): they close
# first, and no request meets a connection that is just being closed.
KEEP_ALIVE = 75.0
MAX_HEAD = 64 * 1024  # bytes; twice what common proxies pass on
_LINGER = 2.0  # seconds in which a refused client may read why
_BACKLOG = 2048


class _UntilClose(int):
    """The length of a body that the connection's end ends: a number that no body is longer than.

    uvicorn counts down from a body's length, and expects to arrive at zero.
    """

    def __lt__(self, _: int) -> bool:
        return False

    def __sub__(self, _: int) -> Self:
        return self


class Connection(HttpToolsProtocol):
    """One client's connection. `overdue` says that its client has been silent for too long."""

    def __init__(self, config: Config, state: ServerState, client_timeout: float) -> None:
        super().__init__(config, state, app_state={}, _loop=asyncio.get_running_loop())
        self._client_timeout = client_timeout
        self._n_head = 0  # bytes since the last whole head or part of a body
        self._deadline = self.loop.time() + client_timeout
        self._n_unsent = 0  # bytes that the client had not taken at the last look
        self._take_by = self._deadline
        self._refused = False
        self._goes_on = False

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._n_head += len(data)
        self._feed(data)
        if self._n_head > MAX_HEAD and not self._refused:
            self.refuse(431, f"The request's head is larger than {MAX_HEAD // 1024} KiB.")

    def _feed(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data:
            try:
                self.parser.feed_data(data)
                return
            except HttpParserError as error:
                self.send_400_response(str(error))
                return
            except HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                self._go_on()

    def _go_on(self) -> None:
        """Stay with HTTP/1.1 where a client offers to change to another protocol.

        Java's client does, with every request's head. The parser takes what follows for the other
        protocol's, so a new one is put at the beginning of the body, which it learns the length of.
        """
        lengths = (b"content-length", b"transfer-encoding")
        head = [name + b": " + value + b"\r\n" for name, value in self.headers if name in lengths]
        self.parser = HttpRequestParser(self)
        self._goes_on = True
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + b"".join(head) + b"\r\n")
        self._goes_on = False

    def on_message_begin(self) -> None:
        self._wait(self._client_timeout)
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        if self._goes_on:
            return
        self._n_head = 0
        self._wait(self._client_timeout)
        super().on_headers_complete()
        if self.parser.get_http_version() == "1.0":  # which knows no chunks, as uvicorn would send
            self.cycle.chunked_encoding = False
            self.cycle.expected_content_length = _UntilClose(0)

    def on_body(self, body: bytes) -> None:
        self._n_head = 0
        self._wait(self._client_timeout)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():  # else its body is still to come
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self._wait(KEEP_ALIVE)
        super().on_response_complete()

    def _wait(self, seconds: float) -> None:
        self._deadline = self.loop.time() + seconds

    def overdue(self, now: float) -> bool:
        """Whether the client's next bytes are late, or it takes none of its answer."""
        if self._is_stuck(now):
            return True
        if now < self._deadline or self.pipeline:
            return False
        cycle = self.cycle
        return self._refused or cycle is None or cycle.response_complete or cycle.more_body

    def _is_stuck(self, now: float) -> bool:
        """Whether bytes for the client have waited for too long, and it took none of them."""
        n_unsent = self.transport.get_write_buffer_size()
        if not n_unsent or n_unsent < self._n_unsent:
            self._take_by = now + self._client_timeout
        self._n_unsent = n_unsent
        return now >= self._take_by

    def drop(self) -> None:
        """Ends an overdue connection; says why where a request had begun."""
        if self.transport.is_closing() or self.loop.time() >= self._take_by:  # it does not read
            self.transport.abort()
        elif self._n_head and not self._refused:
            self.refuse(408, f"The request's head took more than {self._client_timeout:g} seconds.")
        else:
            self.transport.close()
            self._wait(self._client_timeout)

    def send_400_response(self, msg: str) -> None:
        """uvicorn's word for what is not HTTP."""
        self.refuse(400, "This is not HTTP/1.1. (Does the address begin with https://?)")

    def refuse(self, status: int, message: str) -> None:
        """Answers what never became a request, and closes."""
        if self._answering():
            self.transport.close()
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(_refusal(status, message))
        # Closing now, with bytes of the client unread, would reset the connection and lose the
        # answer on its way; so the rest is read and dropped for a while.
        self.transport.write_eof()
        self._refused = True
        self._wait(_LINGER)

    def _answering(self) -> bool:
        """Whether an answer is on its way, into which nothing else must be written."""
        cycle = self.cycle
        begun = cycle is not None and cycle.response_started and not cycle.response_complete
        return begun or bool(self.pipeline)


def _refusal(status: int, message: str) -> bytes:
    body = openai_body(InvalidRequest(message, code="bad_http"))
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    )
    return head.encode() + body


class Listener:
    """Serves one application on bound sockets, inside a running loop.

    `client_timeout` is the seconds of silence that a client in the middle of a request is allowed;
    every `tick` seconds somebody looks.
    """

    def __init__(self, app: Any, *, client_timeout: float, tick: float = 1.0) -> None:
        self._config = Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(KEEP_ALIVE),
        )
        self._config.load()
        self._state = ServerState()
        self._client_timeout = client_timeout
        self._every = tick
        self._servers: list[asyncio.Server] = []
        self._ticking: asyncio.Task[None] | None = None

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accepts connections from now on."""
        loop = asyncio.get_running_loop()
        self._ticking = asyncio.create_task(self._tick())
        for sock in sockets:
            server = await loop.create_server(self._connection, sock=sock, backlog=_BACKLOG)
            self._servers.append(server)

    @property
    def n_connections(self) -> int:
        return len(self._state.connections)

    def close(self) -> None:
        """Accepts no more; idle connections close, others close after their answer."""
        for server in self._servers:
            server.close()
        for connection in list(self._state.connections):
            connection.shutdown()

    async def drain(self, timeout: float) -> None:
        """Waits until all connections are closed; those left after `timeout` seconds are cut."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while self._state.connections:
                    await asyncio.sleep(0.01)
        for connection in list(self._state.connections):
            connection.transport.abort()
        # A connection that was cut tells its application so; that takes a turn of the loop or two.
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=1.0)
        if self._ticking is not None:
            self._ticking.cancel()

    def _connection(self) -> Connection:
        return Connection(self._config, self._state, self._client_timeout)

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]
            now = loop.time()
            late = [c for c in self._state.connections if c.overdue(now)]  # type: ignore[union-attr]
            for connection in late:
                connection.drop()  # type: ignore[union-attr]
            if late:
                logger.debug("closed %d connections whose clients were silent", len(late))
            await asyncio.sleep(self._every)
