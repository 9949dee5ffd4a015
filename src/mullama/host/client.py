"""The server's end of a worker: requests become frames, and frames events of the right request.

Whoever reads a request's events slowly lets only its own queue grow, up to MAX_UNREAD; then the
request is cancelled. The worker is always read, so that nobody waits for somebody else's reader.

The client does not judge why a connection ended: who started the worker finds out, and calls
`fail` with an error that every open request then raises, after the events that came before.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable
from socket import socket
from typing import Any, cast

from mullama.errors import ErrorInfo, InvalidRequest, MullamaError, Overloaded, from_info
from mullama.host import frames
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    EmbedResult,
    Event,
    Failed,
    Finished,
    RerankRequest,
    RerankResult,
    Token,
    TokenizeRequest,
    TokenizeResult,
)

log = logging.getLogger("mullama.host")

# Bytes, as they came from the worker, of events that one request's reader has not taken. Far more
# than a step has for one request, and than the answer of a client that is just slow.
MAX_UNREAD = 4 << 20
_TOO_SLOW = Overloaded(
    f"The answer was ended, since its reader is {MAX_UNREAD >> 20} MiB behind. Read faster, or ask "
    "for less at a time.",
    code="slow_reader",
).info()

# While a worker has something to say, its counters are asked for this often, in seconds.
COUNT_INTERVAL = 0.25


class Stream:
    """The events of one request that nobody has taken yet."""

    __slots__ = ("_events", "_n_unread", "_waiter")

    def __init__(self) -> None:
        self._events: deque[tuple[Event, int]] = deque()  # with its bytes, where it has to wait
        self._n_unread = 0
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event) -> bool:
        """False if there is no room for it."""
        n_bytes = frames.size(event) if self._events else 0  # the next to be taken waits for nobody
        if self._n_unread + n_bytes > MAX_UNREAD:
            return False
        self._append(event, n_bytes)
        return True

    def end(self, event: Event) -> None:
        """Forget what nobody has taken; `event` is the last."""
        self._events.clear()
        self._append(event, 0)

    def _append(self, event: Event, n_bytes: int) -> None:
        self._events.append((event, n_bytes))
        self._n_unread += n_bytes
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self) -> Event:
        """The next event, in order. One reader at a time."""
        while not self._events:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        event, n_bytes = self._events.popleft()
        self._n_unread -= n_bytes
        return event


class WorkerClient(asyncio.Protocol):
    """A connection to one worker. Lives in one event loop."""

    def __init__(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[int | ErrorInfo] = loop.create_future()  # n_ctx, or why not
        self.lost: asyncio.Future[None] = loop.create_future()
        self.progress = 0.0  # of loading, from 0 to 1
        self.counters: dict[str, float] = {}
        self._name = name
        self._loop = loop
        self._transport: asyncio.WriteTransport
        self._splitter = frames.Splitter()
        self._ids = itertools.count(1)
        self._streams: dict[int, Stream] = {}
        self._asked: dict[int, asyncio.Future[Any]] = {}
        # Who waits for counters, in the order of asking; None where they are only to be kept.
        self._counted: deque[asyncio.Future[dict[str, float]] | None] = deque()
        self._is_counting = False  # counters will be asked for soon
        self._error: ErrorInfo | None = None

    @classmethod
    async def connect(cls, name: str, sock: socket) -> WorkerClient:
        """Take over our end of a worker's socket."""
        loop = asyncio.get_running_loop()
        _, client = await loop.create_unix_connection(lambda: cls(name), sock=sock)
        return client

    def load(self, message: frames.Load) -> None:
        """Say what to load; `ready` has the outcome."""
        self._write(frames.encode(message))

    def shut_down(self) -> None:
        """Ask the worker to close the model and end."""
        self._write(frames.encode(frames.Shutdown()))

    # -- requests -----------------------------------------------------------------------------

    async def generate(
        self, request: ChatRequest | CompletionRequest
    ) -> AsyncGenerator[Event, None]:
        """The events of a request, until each of its answers has finished.

        Raises what the worker refuses it with, or ends it with. Closing the iterator cancels.
        """
        id = next(self._ids)
        if isinstance(request, ChatRequest):
            self._send(frames.Chat(id, request))
        else:
            self._send(frames.Complete(id, request))
        stream = self._streams[id] = Stream()
        n_open = request.options.n
        try:
            while n_open:
                event = await stream.get()
                if isinstance(event, Failed):
                    n_open = 0
                    raise from_info(event.error)
                n_open -= isinstance(event, Finished)
                yield event
        finally:
            self._streams.pop(id, None)
            if n_open:
                self._cancel(id)

    async def embed(self, request: EmbedRequest) -> EmbedResult:
        """The vectors of a request's inputs."""
        result: EmbedResult = await self._ask(lambda id: frames.Embed(id, request))
        return result

    async def rerank(self, request: RerankRequest) -> RerankResult:
        """The scores of a request's documents."""
        result: RerankResult = await self._ask(lambda id: frames.Rerank(id, request))
        return result

    async def tokenize(self, request: TokenizeRequest) -> TokenizeResult:
        """The tokens of a text or a conversation."""
        result: TokenizeResult = await self._ask(lambda id: frames.Tokenize(id, request))
        return result

    async def detokenize(self, tokens: tuple[Token, ...]) -> str:
        """The text of tokens."""
        result: str = await self._ask(lambda id: frames.Detokenize(id, tokens))
        return result

    async def _ask(self, message: Callable[[int], frames.Ask]) -> Any:
        """The result that answers a message. Being cancelled cancels it in the worker."""
        id = next(self._ids)
        self._send(message(id))
        future: asyncio.Future[Any] = self._loop.create_future()
        self._asked[id] = future
        try:
            return await future
        except asyncio.CancelledError:
            self._cancel(id)
            raise
        finally:
            del self._asked[id]

    async def stats(self) -> dict[str, float]:
        """The engine's counters as they are now."""
        future: asyncio.Future[dict[str, float]] = self._loop.create_future()
        self._send(frames.Count())
        self._counted.append(future)
        return await future

    def fail(self, error: MullamaError) -> None:
        """End every open request, and any later one, with `error`."""
        self._error = error.info()
        for id in list(self._streams):
            self._deliver(Failed(id, self._error))
        for future in (*self._asked.values(), *self._counted):
            if future is not None and not future.done():
                future.set_exception(from_info(self._error))
        self._settle(self._error)

    def _send(self, message: frames.ToWorker) -> None:
        if self._error is not None:
            raise from_info(self._error)
        try:
            frame = frames.encode(message)
        except frames.FrameError as error:
            raise InvalidRequest(f"The request can't be served: {error}.") from None
        self._write(frame)

    def _cancel(self, id: int) -> None:
        self._write(frames.encode(frames.Cancel(id)))

    def _write(self, frame: bytearray) -> None:
        if not self._transport.is_closing():  # else `fail` follows, with what was the end of it
            self._transport.write(frame)

    # -- what the worker says -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._splitter.feed(data):
                self._receive(frames.decode_from_worker(frame))
        except frames.FrameError as error:
            log.error("[%s] The worker is not understood, so it is ended: %s", self._name, error)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)

    def _receive(self, message: frames.FromWorker) -> None:
        match message:
            case frames.Events():
                for event in message:
                    self._deliver(event)
                self._count_soon()
            case frames.Embedded() | frames.Reranked() | frames.Tokenized() | frames.Detokenized():
                future = self._asked.get(message.id)
                if future is not None and not future.done():
                    future.set_result(message.result)
                self._count_soon()
            case frames.Refused():
                self._refused(message.id, message.error)
            case frames.Counted():
                self._take_counters(message.counters)
            case frames.Log():
                logger = logging.getLogger(message.logger)
                logger.log(message.level, "[%s] %s", self._name, message.text)
            case frames.Loading():
                self.progress = message.progress
            case frames.Ready():
                self._settle(message.n_ctx)
            case frames.LoadFailed():
                self._settle(message.error)

    def _settle(self, outcome: int | ErrorInfo) -> None:
        if not self.ready.done():  # else `fail` came first
            self.ready.set_result(outcome)

    def _deliver(self, event: Event) -> None:
        stream = self._streams.get(event.id)  # None: it was cancelled, and this was on its way
        if stream is not None and not stream.put(event):
            del self._streams[event.id]
            stream.end(Failed(event.id, _TOO_SLOW))
            self._cancel(event.id)

    def _refused(self, id: int, error: ErrorInfo) -> None:
        self._deliver(Failed(id, error))
        future = self._asked.get(id)
        if future is not None and not future.done():
            future.set_exception(from_info(error))

    # -- counters -----------------------------------------------------------------------------

    def _count_soon(self) -> None:
        if not self._is_counting:
            self._is_counting = True
            self._loop.call_later(COUNT_INTERVAL, self._count)

    def _count(self) -> None:
        self._is_counting = False
        self._counted.append(None)
        self._write(frames.encode(frames.Count()))

    def _take_counters(self, counters: dict[str, float]) -> None:
        self.counters = counters
        future = self._counted.popleft()
        if future is not None and not future.done():
            future.set_result(counters)
