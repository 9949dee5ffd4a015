"""Two ways to call an application without a socket: whole answers, and messages one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from mullama.api.app import create_app
from mullama.config import ServerOptions
from mullama.types import Backend

CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"
EMBED = "/v1/embeddings"
HI: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}]


def client(backend: Backend, **options: Any) -> httpx.AsyncClient:
    """A client of the application over `backend`."""
    app = create_app(backend, ServerOptions(**options))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here")


def chunks_of(text: str) -> list[Any]:
    """A stream's data, parsed; the word that it is done is "[DONE]", and comments are left out."""
    events = [event for event in text.split("\n\n") if event and not event.startswith(":")]
    data = [event.removeprefix("data: ") for event in events]
    return [one if one == "[DONE]" else json.loads(one) for one in data]


class Exchange:
    """One request, seen as the server's side of ASGI: what was sent so far, and a way to leave."""

    def __init__(self, app: Any, path: str, body: Any, headers: dict[str, str]) -> None:
        self.sent: list[dict[str, Any]] = []
        self._app = app
        self._parts = [json.dumps(body).encode()]
        self._gone = asyncio.Event()
        self._news = asyncio.Condition()
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }

    async def run(self) -> None:
        await self._app(self._scope, self._receive, self._send)

    def leave(self) -> None:
        """The client closes its connection."""
        self._gone.set()

    async def until(self, text: bytes) -> None:
        """Waits until `text` has been sent."""
        async with self._news:
            await self._news.wait_for(lambda: text in self.body)

    @property
    def status(self) -> int | None:
        return self.sent[0]["status"] if self.sent else None

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    async def _receive(self) -> dict[str, Any]:
        if self._parts:
            return {"type": "http.request", "body": self._parts.pop(), "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._news:
            self.sent.append(message)
            self._news.notify_all()


@asynccontextmanager
async def exchange(
    backend: Backend, path: str, body: Any, **options: Any
) -> AsyncIterator[Exchange]:
    """A request that is being answered; at the end it must have come to an end by itself."""
    app = create_app(backend, ServerOptions(**options))
    one = Exchange(app, path, body, {"content-type": "application/json"})
    running = asyncio.create_task(one.run())
    try:
        yield one
        await asyncio.wait_for(running, 10)
    finally:
        running.cancel()
