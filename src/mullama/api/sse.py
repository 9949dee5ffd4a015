"""Server-sent events: frames of bytes, pings in silence, errors in the middle.

The status is sent with the first frame or the first ping, whichever comes first. Whatever goes
wrong before that is an HTTP error like any other; after it an error can only be one more frame. So
a model that loads, or a long queue, is no longer a silence than a long prompt is. An empty frame
counts as a frame and puts nothing on the wire. A ping is a comment line: every client skips it, and
no proxy times out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mullama.api.errors import as_error, openai_body, request_id
from mullama.api.responses import connected
from mullama.errors import MullamaError

PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"

_HEADERS = {
    "cache-control": "no-cache",
    "x-accel-buffering": "no",  # nginx would collect the frames
}


def frame(data: bytes) -> bytes:
    """One event. `data` must hold no line break, as JSON never does."""
    return b"data: " + data + b"\n\n"


def error_frame(error: MullamaError) -> bytes:
    """An error in the middle of a stream; OpenAI's clients raise it."""
    return frame(openai_body(error))


class EventStream(Response):
    """Sends frames as they come, until they end or the client leaves.

    `ping_interval`: seconds of silence after which a ping is sent.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None],
        *,
        ping_interval: float,
        headers: Mapping[str, str] | None = None,
        on_error: Callable[[MullamaError], bytes] = error_frame,
    ) -> None:
        super().__init__(headers={**_HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._frames = frames
        self._interval = ping_interval
        self._on_error = on_error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the stream. An error before the first frame and ping is raised, nothing sent."""
        async with connected(receive), aclosing(self._frames) as frames:
            output = _Output(send, self.raw_headers, self._interval)
            pinging = asyncio.create_task(output.ping())
            try:
                async for data in frames:
                    await output.write(data)
            except Exception as raised:
                if not output.begun:
                    raise
                await output.write(self._on_error(as_error(raised, request_id(scope))))
            finally:
                pinging.cancel()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Output:
    """Where frames and pings go, one at a time, behind the status; and when the last one went."""

    def __init__(self, send: Send, headers: Sequence[tuple[bytes, bytes]], interval: float) -> None:
        self.begun = False
        self._send = send
        self._headers = headers
        self._interval = interval
        self._turn = asyncio.Lock()
        self._clock = asyncio.get_running_loop().time
        self._last = self._clock()

    async def write(self, data: bytes) -> None:
        async with self._turn:
            if not self.begun:
                self.begun = True
                start = {"type": "http.response.start", "status": 200, "headers": self._headers}
                await self._send(start)
            if data:
                await self._send({"type": "http.response.body", "body": data, "more_body": True})
                self._last = self._clock()

    async def ping(self) -> None:
        """Writes a ping whenever nothing else was written for an interval; never ends."""
        while True:
            silent = self._clock() - self._last
            if silent >= self._interval:
                await self.write(PING)
            else:
                await asyncio.sleep(self._interval - silent)
