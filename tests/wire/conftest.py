"""Servers on a real loopback socket: one over a fake, and one as people start it.

`live_server` has an address and the names of three models, and tests that need no more run against
both kinds. Tests marked `FAKE` look behind it: `backend` is the fake there, new for each test.
Tests marked `REAL` need models that know their limits.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

from mullama.api.app import create_app
from mullama.api.connection import Listener
from mullama.api.sockets import bind
from mullama.config import ServerOptions
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    EmbedResult,
    Event,
    ModelStatus,
    RerankRequest,
    RerankResult,
    TokenizeRequest,
    TokenizeResult,
)
from tests.api.fakes import FakeBackend
from tests.cli.processes import running
from tests.rank_models import write_bert

MAX_BODY_MB = 1
N_CTX = 4096  # more than the model was trained on: some requests only have to be taken
PING_INTERVAL = 0.05

FAKE = pytest.mark.parametrize("live_server", ["fake"], indirect=True)
REAL = pytest.mark.parametrize("live_server", ["real"], indirect=True)


@dataclass
class Stage:
    """A backend whose actor can be changed between two requests."""

    actor: FakeBackend = field(default_factory=FakeBackend)

    def models(self) -> Sequence[ModelStatus]:
        return self.actor.models()

    def model(self, name: str | None) -> ModelStatus:
        return self.actor.model(name)

    def generate(
        self, name: str | None, request: ChatRequest | CompletionRequest
    ) -> AsyncGenerator[Event, None]:
        return self.actor.generate(name, request)

    async def embed(self, name: str | None, request: EmbedRequest) -> EmbedResult:
        return await self.actor.embed(name, request)

    async def rerank(self, name: str | None, request: RerankRequest) -> RerankResult:
        return await self.actor.rerank(name, request)

    async def tokenize(self, name: str | None, request: TokenizeRequest) -> TokenizeResult:
        return await self.actor.tokenize(name, request)

    async def detokenize(self, name: str | None, tokens: Sequence[int]) -> str:
        return await self.actor.detokenize(name, tokens)


@dataclass(frozen=True)
class LiveServer:
    """Where a server listens, and its models: one that chats, one that embeds, one that ranks."""

    url: str
    chat: str
    embed: str
    rank: str
    stage: Stage | None = None
    call: Callable[[Callable[[], Any]], Any] | None = None  # runs a function in the server's loop

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)


@pytest.fixture(scope="session", params=["fake", "real"])
def live_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveServer]:
    """A running server; each kind is started once for the whole session."""
    if request.param == "fake":
        with fake_server() as server:
            yield server
    else:
        tiny, embed = (request.getfixturevalue(name) for name in ("tiny_model", "embed_model"))
        ranker = write_bert(tmp_path_factory.mktemp("models") / "ranker.gguf")
        files = {"chat": tiny, "embed": embed, "rank": ranker}
        models = [word for name, path in files.items() for word in ("--model", f"{name}={path}")]
        limits = ["--max-body-mb", str(MAX_BODY_MB), "--context-size", str(N_CTX), "--port", "0"]
        with running("serve", *models, *limits) as process:
            yield LiveServer(process.url, "chat", "embed", "rank")


@contextmanager
def fake_server() -> Iterator[LiveServer]:
    """The application over a fake, behind the listener that the real server uses."""
    stage = Stage()
    sockets = bind("127.0.0.1", 0)
    options = ServerOptions(max_body_mb=MAX_BODY_MB, ping_interval=PING_INTERVAL)
    loop = uvloop.new_event_loop()
    stop = asyncio.Event()
    ready = threading.Event()

    async def serve() -> None:
        listener = Listener(create_app(stage, options), client_timeout=options.client_timeout)
        await listener.open(sockets)
        ready.set()
        await stop.wait()
        listener.close()
        await listener.drain(0)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, name="live-server")
    thread.start()
    assert ready.wait(10)
    port = sockets[0].getsockname()[1]
    try:
        url = f"http://127.0.0.1:{port}"
        yield LiveServer(url, "chat", "embed", "rank", stage, loop.call_soon_threadsafe)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def _new_actor(live_server: LiveServer) -> None:
    if live_server.stage is not None:
        live_server.stage.actor = FakeBackend()


@pytest.fixture
def backend(live_server: LiveServer) -> FakeBackend:
    """The fake behind the server; nobody has asked it anything yet. For tests marked `FAKE`."""
    assert live_server.stage is not None
    return live_server.stage.actor
