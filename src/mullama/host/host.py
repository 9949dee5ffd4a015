"""The host: all models that a server offers, by name, each behind a worker process of its own.

It implements `types.Backend`. It routes a request to its model's slot, counts what is being
answered, and ends everything in order. It knows no wire format, and never loads a model itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager, suppress
from typing import TypeVar

from mullama.config import ServedModel, ServerOptions
from mullama.errors import InvalidRequest, NotFound, Overloaded
from mullama.host.client import WorkerClient
from mullama.host.process import WorkerProcess
from mullama.host.slot import CLOSE_PATIENCE, Process, Slot
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    EmbedResult,
    Event,
    ModelStatus,
    RerankRequest,
    RerankResult,
    Token,
    TokenizeRequest,
    TokenizeResult,
)

R = TypeVar("R")

DEFAULT = "default"
RETRY_AFTER_SHUTDOWN = 10.0  # seconds, in which a restarted server is back


class Host:
    """Serves models from worker processes. Lives in the event loop that calls `start`."""

    def __init__(
        self,
        models: Mapping[str, ServedModel],
        server_options: ServerOptions,
        *,
        spawn: Callable[[str], Process] = WorkerProcess,
    ) -> None:
        """`models` by name; the first one is the default.

        Reads each file's header: raises NotFound or ModelError for one that can't be a model,
        InvalidRequest where there is no model at all.
        """
        if not models:
            raise InvalidRequest("There is no model to serve. Give at least one.", param="model")
        self._slots = {
            name: Slot(name, model.path, model.options, spawn=spawn)
            for name, model in models.items()
        }
        self._default = next(iter(self._slots))
        self._load_wait = server_options.load_wait
        self._n_active = 0
        self._is_stopping = False
        self._idle = asyncio.Event()

    async def start(self) -> None:
        """Start all workers. Returns at once: requests wait for their model, or are told to.

        What comes of each is in `models`, for those who watch, and not in the log.
        """
        for slot in self._slots.values():
            slot.start(watched=True)

    async def stop(self, timeout: float) -> None:
        """Refuse new requests, let running ones finish for `timeout` seconds, end the workers.

        May be called again with a shorter time, also while the first call is at it or after that
        was cancelled; 0 ends everything at once.
        """
        self._is_stopping = True
        if self._n_active:
            self._idle.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), timeout)
        patience = CLOSE_PATIENCE if timeout else 0
        stops = (slot.stop(patience, _shutting_down()) for slot in self._slots.values())
        await asyncio.gather(*stops)

    # -- Backend ------------------------------------------------------------------------------

    def models(self) -> Sequence[ModelStatus]:
        """All models, the default one first."""
        return [self._status(slot) for slot in self._slots.values()]

    def model(self, name: str | None) -> ModelStatus:
        """One model. Raises NotFound."""
        return self._status(self._slot(name))

    async def generate(
        self, name: str | None, request: ChatRequest | CompletionRequest
    ) -> AsyncGenerator[Event, None]:
        """A request's events: see Backend. Closing the iterator cancels the request."""
        slot = self._slot(name)
        with self._counted(slot):
            client = await slot.acquire(self._load_wait)
            async with aclosing(client.generate(request)) as events:
                async for event in events:
                    yield event
            slot.answered()

    async def embed(self, name: str | None, request: EmbedRequest) -> EmbedResult:
        """A request's vectors: see Backend."""
        return await self._ask(name, lambda worker: worker.embed(request))

    async def rerank(self, name: str | None, request: RerankRequest) -> RerankResult:
        """A request's scores: see Backend."""
        return await self._ask(name, lambda worker: worker.rerank(request))

    async def tokenize(self, name: str | None, request: TokenizeRequest) -> TokenizeResult:
        """A text's tokens: see Backend."""
        return await self._ask(name, lambda worker: worker.tokenize(request))

    async def detokenize(self, name: str | None, tokens: Sequence[Token]) -> str:
        """Tokens' text: see Backend."""
        return await self._ask(name, lambda worker: worker.detokenize(tuple(tokens)))

    async def _ask(self, name: str | None, ask: Callable[[WorkerClient], Awaitable[R]]) -> R:
        """What a model's worker answers to a request that has no events."""
        slot = self._slot(name)
        with self._counted(slot):
            client = await slot.acquire(self._load_wait)
            result = await ask(client)
            slot.answered()
            return result

    # ------------------------------------------------------------------------------------------

    def _status(self, slot: Slot) -> ModelStatus:
        return slot.status(is_default=slot.name == self._default)

    def _slot(self, name: str | None) -> Slot:
        slot = self._slots.get(name or self._default)
        if slot is None and name == DEFAULT:
            slot = self._slots[self._default]
        if slot is None:
            names = ", ".join(repr(name) for name in self._slots)
            raise NotFound(
                f"There is no model {name!r}. This server has {names}.",
                code="model_not_found",
                param="model",
            )
        return slot

    @contextmanager
    def _counted(self, slot: Slot) -> Iterator[None]:
        """Count a request as active while it is served. Raises Overloaded when stopping."""
        if self._is_stopping:
            raise _shutting_down()
        self._n_active += 1
        slot.n_active += 1
        try:
            yield
        finally:
            self._n_active -= 1
            slot.n_active -= 1
            if not self._n_active:
                self._idle.set()


def _shutting_down() -> Overloaded:
    return Overloaded(
        "The server is shutting down. Try again when it is back.",
        code="shutting_down",
        retry_after=RETRY_AFTER_SHUTDOWN,
    )
