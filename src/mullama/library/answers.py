"""From an engine's thread to those who wait for an answer: a thread, or a task of an event loop.

An engine hands over a step's events at once, in its own thread, and must never wait. So each answer
has an inbox that takes any number of them, and its reader turns them into pieces of text. A reader
that stops early (a closed generator, Ctrl-C, a cancelled task) cancels its request.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from itertools import count
from queue import SimpleQueue
from threading import Lock

from mullama.config import ModelOptions
from mullama.errors import InternalError, MullamaError, from_info
from mullama.host import wiring
from mullama.library.lifetime import Life, is_ending
from mullama.llama.model import LlamaModel
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    EmbedResult,
    Event,
    Failed,
    Finished,
)

log = logging.getLogger("mullama.library")

Item = Event | MullamaError
Put = Callable[[Item], object]


class Answers:
    """A running model, and an inbox for everyone who waits for it. Thread-safe."""

    def __init__(self, llama: LlamaModel, options: ModelOptions) -> None:
        self._ids = count(1)
        self._inboxes: dict[int, Put] = {}
        self._crash: BaseException | None = None
        self.life = Life("Context")
        self._closing = Lock()
        self._running = wiring.run(llama, options, emit=self._emit, crashed=self._crashed)

    @property
    def n_ctx(self) -> int:
        return self._running.n_ctx

    def close(self) -> None:
        self.life.is_closed = True
        if self.life.is_ours:
            with self._closing:
                self._running.close()

    def check(self) -> None:
        """Raises InvalidRequest when closed, and what ended the engine if something did."""
        self.life.check()
        if self._crash is not None:
            raise InternalError(
                f"The engine has stopped ({self._crash}). Close this Context and make a new one."
            ) from self._crash

    def stream(self, request: ChatRequest | CompletionRequest) -> Generator[Event, None, None]:
        """The answer's events. Nothing happens before the first is asked for."""
        inbox: SimpleQueue[Item] = SimpleQueue()
        answer = _Answer(self, next(self._ids), inbox.put)
        try:
            answer.ask(request)
            while not answer.is_over:
                yield answer.read(inbox.get())
        finally:
            answer.leave()

    async def astream(
        self, request: ChatRequest | CompletionRequest
    ) -> AsyncGenerator[Event, None]:
        """As `stream`, and the event loop is never held up."""
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[Item] = asyncio.Queue()

        def put(item: Item) -> None:
            with suppress(RuntimeError):  # the loop was closed, and with it the reader
                loop.call_soon_threadsafe(inbox.put_nowait, item)

        answer = _Answer(self, next(self._ids), put)
        try:
            await asyncio.to_thread(answer.ask, request)
            while not answer.is_over:
                yield answer.read(await inbox.get())
        finally:
            answer.leave()

    def clear_cache(self) -> None:
        """Forget the prefixes of earlier prompts."""
        self.check()
        self._running.clear_cache()

    def embed(self, request: EmbedRequest) -> EmbedResult:
        """Vectors of the model's embedding context, which the first call opens."""
        self.check()
        try:
            return self._running.embed(request).result()
        except MullamaError:
            self.check()
            raise

    # -- in the engine's thread ---------------------------------------------------------------

    def _emit(self, events: list[Event]) -> None:
        if is_ending():  # only daemon threads can still wait, and they end with the process
            return
        # An engine that is ended by an error fails its requests while it handles that error.
        cause = sys.exc_info()[1]
        for event in events:
            put = self._inboxes.get(event.id)
            if put is None:
                continue
            if isinstance(event, Failed):
                error = from_info(event.error)
                error.__cause__ = cause
                put(error)
            else:
                put(event)

    def _crashed(self, error: BaseException) -> None:
        self._crash = error
        log.error("An engine has stopped because of an internal error.", exc_info=error)


class _Answer:
    """One request, from being asked to its last event. Used by one reader."""

    def __init__(self, answers: Answers, id: int, put: Put) -> None:
        self.is_over = False
        self._answers = answers
        self._id = id
        self._put = put
        self._asking = Lock()  # a task may leave while a thread still asks on its behalf

    def ask(self, request: ChatRequest | CompletionRequest) -> None:
        """Tokenize the prompt and give it to the engine. Raises what speaks against that."""
        self._answers.check()
        running = self._answers._running
        try:
            prepared = running.prepare(self._id, request)
            with self._asking:
                if not self.is_over:
                    self._answers._inboxes[self._id] = self._put
                    running.submit(prepared)
        except MullamaError:
            self.is_over = True
            self._answers.check()
            raise

    def read(self, item: Item) -> Event:
        """The event. Raises the error that ended the request."""
        if isinstance(item, MullamaError):
            self.is_over = True
            self._answers.life.check()
            raise item
        self.is_over = isinstance(item, Finished)
        return item

    def leave(self) -> None:
        """Nobody reads any more: an answer that is not over is cancelled."""
        with self._asking:
            self._answers._inboxes.pop(self._id, None)
            if not self.is_over:
                self.is_over = True
                self._answers._running.cancel(self._id)
