"""Responses that stop working when their client leaves.

A server learns of a client that left by receiving `http.disconnect`, so somebody must be
receiving while an answer is made. `connected` does that, and cancels the work.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

logger = logging.getLogger(__name__)


class ClientGone(Exception):
    """The client left before its answer was complete; there is nobody to tell."""


@asynccontextmanager
async def connected(receive: Receive) -> AsyncIterator[None]:
    """Cancels the enclosed work when the client leaves, and raises ClientGone in its place.

    The request's body must have been read. Leave the context before the response's last message:
    a server calls a complete response a disconnect, too.
    """
    working = asyncio.current_task()
    assert working is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        working.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone and working.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        watching.cancel()


class Answer(Response):
    """A JSON answer that `work` makes while the client waits for it."""

    media_type = "application/json"

    def __init__(
        self, work: Callable[[], Awaitable[bytes]], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(headers=headers)
        self._work = work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the answer. An error of the work's is raised before anything is sent."""
        async with connected(receive):
            body = await self._work()
        self.headers["content-length"] = str(len(body))
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": body})
