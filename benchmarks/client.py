"""The client: it sends a request, notes when bytes arrived, and reads them when the load is over.

What it costs, the server on the same cores has less, so nothing is parsed while others still wait:
a piece that arrives is a timestamp and an append. Every request has a connection of its own, as
the cheapest way that all servers treat alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar, cast

import msgspec

from benchmarks.address import Address

T = TypeVar("T")
Fields = dict[str, Any]

MOST_BYTES = 1 << 26  # of one answer
# Ends a chunked answer, and not a head whose last field is a number.
_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(slots=True)
class Recording:
    """What came of a request, and when: seconds of `perf_counter`. `error` is the connection's."""

    start: float = 0.0
    pieces: list[tuple[float, bytes]] = field(default_factory=list)
    error: str | None = None

    @property
    def end(self) -> float:
        """When the last byte came."""
        return self.pieces[-1][0] if self.pieces else self.start


class Client:
    """Sends requests to one server. `timeout` is for one request, in seconds."""

    def __init__(self, address: Address, *, model: str = "default", timeout: float = 600.0) -> None:
        self.address = address
        self._model = model
        self._timeout = timeout

    async def complete(
        self, prompt: Sequence[int], n_out: int, *, into: Recording | None = None, **options: Any
    ) -> Recording:
        """Stream exactly `n_out` tokens, the most likely ones; `into` can be watched meanwhile.

        `options` are further fields of the request, or others instead.
        """
        body = {"prompt": prompt, "max_tokens": n_out, "ignore_eos": True, **options}
        return await self._stream("/v1/completions", body, into)

    async def chat(self, text: str, n_out: int, **options: Any) -> Recording:
        """Stream the answer to a message, until it ends or has `n_out` tokens."""
        body = {"messages": [{"role": "user", "content": text}], "max_tokens": n_out, **options}
        return await self._stream("/v1/chat/completions", body, None)

    async def _stream(self, path: str, fields: Fields, into: Recording | None) -> Recording:
        body = {
            "model": self._model,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **fields,
        }
        return await self._send(self._post(path, body), into or Recording())

    async def embed(self, texts: Sequence[str]) -> Recording:
        """The vectors of `texts`."""
        body = {"model": self._model, "input": texts}
        return await self._send(self._post("/v1/embeddings", body), Recording())

    async def get(self, path: str) -> Recording:
        return await self._send(self._head("GET", path).encode() + b"\r\n", Recording())

    def _post(self, path: str, body: Fields) -> bytes:
        data = msgspec.json.encode(body)
        fields = f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        return (self._head("POST", path) + fields).encode() + data

    def _head(self, method: str, path: str) -> str:
        return (
            f"{method} {self.address.base}{path} HTTP/1.1\r\n"
            f"Host: {self.address.netloc}\r\nConnection: close\r\n"
        )

    async def _send(self, request: bytes, recording: Recording) -> Recording:
        loop = asyncio.get_running_loop()
        recording.start = perf_counter()
        try:
            async with asyncio.timeout(self._timeout):
                transport, exchange = await loop.create_connection(
                    lambda: _Exchange(request, recording), self.address.host, self.address.port
                )
                try:
                    await exchange.ended
                finally:
                    transport.abort()
        except TimeoutError:
            recording.error = f"the answer was not over after {self._timeout:g} s"
        except OSError as error:
            recording.error = f"no connection: {error.strerror or error}"
        return recording


class _Exchange(asyncio.Protocol):
    """One request and what comes back, until either side closes."""

    def __init__(self, request: bytes, recording: Recording) -> None:
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._request = request
        self._recording = recording
        self._room = MOST_BYTES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._recording.pieces.append((perf_counter(), data))
        self._room -= len(data)
        if data == _LAST_CHUNK or data.endswith(b"\r\n" + _LAST_CHUNK):
            self._transport.close()
        elif self._room < 0:
            self._recording.error = f"the answer is longer than {MOST_BYTES} bytes"
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            self._recording.error = f"the connection was lost: {error}"
        if not self.ended.done():
            self.ended.set_result(None)


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the cheapest event loop that there is."""
    run: Callable[[Coroutine[Any, Any, T]], T] = asyncio.run
    try:
        import uvloop
    except ImportError:  # not on every system
        pass
    else:
        run = uvloop.run
    return run(work)
