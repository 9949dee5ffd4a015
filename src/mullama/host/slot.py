"""One model's place in the host: whether a worker serves it, and when the next one may start.

    UNLOADED ──start──▶ LOADING ──ready──▶ LOADED ──worker ended──▶ UNLOADED
                           └────────failed────────▶ FAILED ──start──▶ LOADING

A worker's life, from its start to what its end means, is one coroutine (`_live`); all transitions
are made there and in `start`. Who needs the model waits in `acquire`, and so starts it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from socket import socket
from typing import Protocol

from mullama.config import ModelOptions
from mullama.errors import ErrorInfo, ModelError, MullamaError, NotFound, Overloaded, from_info
from mullama.host import frames, sizing
from mullama.host.client import WorkerClient
from mullama.host.process import WorkerProcess
from mullama.models.gguf import read_info
from mullama.models.templates import stated_file, with_response_schema, with_template
from mullama.types import ModelInfo, ModelState, ModelStatus

EXIT_PATIENCE = 2.0  # seconds that a worker whose connection has ended gets to be gone
CLOSE_PATIENCE = 12.0  # seconds that a worker gets to close its model; its disk cache takes ten
# Between starts that fail, in seconds.
FIRST_DELAY = 1.0
LONGEST_DELAY = 60.0
# What a request is told to wait while a model loads.
FIRST_RETRY = 1.0
LONGEST_RETRY = 60.0

log = logging.getLogger("mullama.host")


class Process(Protocol):
    """A started worker: see WorkerProcess."""

    sock: socket

    async def listen(self) -> None: ...

    async def ended(self, patience: float) -> str: ...


class Backoff:
    """When a worker may be started again: later each time, until one has answered a request.

    A worker that dies while it serves is replaced at once the first time; one that dies while it
    loads, or before anything was answered, again and again, is not. Times are seconds of any clock.
    """

    def __init__(self) -> None:
        self.until = 0.0
        self._n_failures = 0

    def failed(self, now: float, *, was_ready: bool) -> None:
        """A worker ended without having answered anything."""
        n_free = 1 if was_ready else 0
        doublings = self._n_failures - n_free
        self._n_failures += 1
        if doublings >= 0:
            self.until = now + min(LONGEST_DELAY, FIRST_DELAY * 2**doublings)

    def succeeded(self) -> None:
        """A request was answered."""
        self._n_failures = 0


def _stated(info: ModelInfo, options: ModelOptions) -> ModelInfo:
    """A model's facts, with what its owner states of its chat format."""
    info = with_template(info, options.chat_template)
    info = with_response_schema(info, options.response_schema)
    if info.response_schema:
        from mullama.text.responses.schema import ResponseSchema

        ResponseSchema(info.response_schema)  # a wrong one is refused at the start
    return info


class Slot:
    """A model that the host offers, and the worker that serves it, if one does."""

    def __init__(
        self,
        name: str,
        path: Path,
        options: ModelOptions,
        *,
        spawn: Callable[[str], Process] = WorkerProcess,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises NotFound or ModelError for a file that can't be a model, InvalidRequest for a
        response schema that is none.
        """
        self.name = name
        self._path = path
        self._options = options
        self._read()
        self.state = ModelState.UNLOADED
        self.n_active = 0  # requests being answered or waiting
        self._spawn = spawn
        self._clock = clock
        self._backoff = Backoff()
        self._error: ErrorInfo | None = None  # why there is no worker
        self._process: Process | None = None
        self._client: WorkerClient | None = None
        self._life: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()  # the start has come to an end, good or bad
        self._started = 0.0
        self._has_answered = False
        self._is_watched = False  # somebody else tells what comes of the start
        self._stopped: MullamaError | None = None  # what requests are told since `stop`

    def status(self, *, is_default: bool) -> ModelStatus:
        if self.state in (ModelState.UNLOADED, ModelState.FAILED):
            self._look_again()
        client = self._client
        return ModelStatus(
            name=self.name,
            state=self.state,
            info=self.info,
            created=self._created,
            n_ctx=self._n_ctx,
            is_default=is_default,
            n_active=self.n_active,
            error=self._error.message if self._error else None,
            progress=self._progress,
            stats=client.counters if client is not None else {},
        )

    async def acquire(self, wait: float) -> WorkerClient:
        """The worker that serves this model; starts one if need be.

        Raises Overloaded if the model isn't loaded after `wait` seconds, or too many wait for it;
        ModelError if it can't be loaded; what `stop` was given once that was called.
        """
        if self._life is not None and self._client is not None and self._client.lost.done():
            await asyncio.wait((self._life,))  # it is being found out how the worker ended
        self._check_stopped()  # also while this waited
        if self.state in (ModelState.UNLOADED, ModelState.FAILED):
            self._check_backoff()
            self.start()
        if self.state is ModelState.LOADING:
            self._check_queue()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._settled.wait(), wait)
            self._check_stopped()
        if self.state is ModelState.LOADING:
            raise self._still_loading()
        if self._client is None:
            assert self._error is not None
            raise from_info(self._error)
        return self._client

    def answered(self) -> None:
        """The worker has served a request to its end."""
        self._has_answered = True
        self._backoff.succeeded()

    def start(self, *, watched: bool = False) -> None:
        """Start a worker, if there is none. A failure is found in the state.

        What comes of it goes to the log, unless it is `watched`.
        """
        if self.state in (ModelState.LOADING, ModelState.LOADED):
            return
        self._look_again()
        self._settled.clear()
        self._is_watched = watched
        self._has_answered = False
        self._started = self._clock()
        try:
            self._process = self._spawn(self.name)
        except OSError as error:
            self._gone(ModelError(f"No process could be started for {self.name!r}: {error}."))
            return
        self.state = ModelState.LOADING
        self._life = asyncio.create_task(self._live(self._process), name=f"worker {self.name}")

    async def stop(self, patience: float, error: MullamaError) -> None:
        """End the worker for good, and requests with `error`; kill it after `patience` seconds."""
        self._stopped = error
        if self._life is None or self._process is None:
            return
        if self._client is not None:
            self._client.fail(error)
            self._client.shut_down()
        await self._process.ended(patience if self._client is not None else 0)
        await asyncio.wait((self._life,))  # not awaited itself: who waits may be cancelled

    # -- the model's file ---------------------------------------------------------------------

    def _read(self) -> None:
        """Take what is known of the model from its file. Raises MullamaError, OSError."""
        info = read_info(self._path)  # says what is wrong with a path
        stamps = self._stamps()
        info = _stated(info, self._options)
        self.info, self._read_as = info, stamps
        self._created = stamps[0][0] // 10**9
        self._n_ctx = sizing.context_size(info, self._options, sizing.physical_memory())

    def _look_again(self) -> None:
        """While no worker has it, a file may be exchanged for another under the same name."""
        with suppress(OSError, MullamaError):  # a worker meets them, too, and says so
            if self._stamps() != self._read_as:
                self._read()

    def _stamps(self) -> list[tuple[int, int, int]]:
        """Of the model's file, and of those that state its chat format. Raises OSError."""
        stated = map(stated_file, (self._options.chat_template, self._options.response_schema))
        return [_stamp(path) for path in (self._path, *filter(None, stated))]

    # -- one worker's life --------------------------------------------------------------------

    async def _live(self, process: Process) -> None:
        try:
            error = await self._serve(process)
        except Exception as failure:  # the system's word, or a mistake of ours
            log.exception("[%s] The worker can't be talked to.", self.name)
            if self._client is None:
                process.sock.close()  # else the connection does
            await process.ended(0)
            error = ModelError(f"The worker of model {self.name!r} can't be reached: {failure}.")
        client, self._client = self._client, None
        self._gone(error)
        if client is not None:
            client.fail(error)

    async def _serve(self, process: Process) -> MullamaError:
        """Have the worker load the model and answer until it ends; says why it did."""
        await process.listen()
        client = self._client = await WorkerClient.connect(self.name, process.sock)
        client.load(self._load_message())
        await asyncio.wait((client.ready, client.lost), return_when=asyncio.FIRST_COMPLETED)
        outcome = client.ready.result() if client.ready.done() else None
        if isinstance(outcome, int):
            self._loaded(outcome)
        await client.lost
        how = await process.ended(EXIT_PATIENCE)
        return _failure(outcome) if isinstance(outcome, ErrorInfo) else self._ended(how)

    def _load_message(self) -> frames.Load:
        level = logging.getLogger("mullama").getEffectiveLevel()
        return frames.Load(os.fsencode(os.path.abspath(self.info.path)), self._options, level)

    def _loaded(self, n_ctx: int) -> None:
        self.state = ModelState.LOADED
        self._n_ctx = n_ctx
        self._error = None
        self._settled.set()
        level = logging.DEBUG if self._is_watched else logging.INFO
        log.log(level, "[%s] loaded in %.1f s", self.name, self._clock() - self._started)

    def _ended(self, how: str) -> ModelError:
        if self.state is ModelState.LOADED:
            then = "It starts again with the next request"
        else:
            then = "It was loading the model"
        return ModelError(f"The worker of model {self.name!r} {how}. {then}.", code="worker_died")

    def _gone(self, error: MullamaError) -> None:
        """There is no worker any more, or none could be started."""
        was_ready = self.state is ModelState.LOADED
        if not self._has_answered:
            self._backoff.failed(self._clock(), was_ready=was_ready)
        self.state = ModelState.UNLOADED if was_ready else ModelState.FAILED
        self._error = error.info()
        self._settled.set()
        if self._stopped is None:
            level = logging.ERROR if was_ready or not self._is_watched else logging.DEBUG
            log.log(level, "[%s] %s", self.name, error.message)

    # -- what a request is told that can't be served yet --------------------------------------

    def _check_stopped(self) -> None:
        """Raises what `stop` was given."""
        if self._stopped is not None:
            raise from_info(self._stopped.info())

    def _check_backoff(self) -> None:
        """Raises the last start's error while it is too early for another one."""
        seconds = self._backoff.until - self._clock()
        if seconds <= 0 or self._error is None:
            return
        error = replace(
            self._error,
            message=f"{self._error.message} It is tried again in {math.ceil(seconds)} s.",
            retry_after=seconds,
        )
        raise from_info(error)

    def _check_queue(self) -> None:
        """Raises Overloaded where more requests wait than the model's queue would take."""
        if self.n_active > self._options.queue_size:
            raise Overloaded(
                f"Model {self.name!r} is loading, and {self._options.queue_size} requests wait for "
                "it already. Try again later.",
                code="queue_full",
                retry_after=self._seconds_left(),
            )

    def _still_loading(self) -> Overloaded:
        return Overloaded(
            f"Model {self.name!r} is loading ({self._progress:.0%}). Try again in a moment.",
            code="model_loading",
            retry_after=self._seconds_left(),
        )

    @property
    def _progress(self) -> float:
        return self._client.progress if self._client is not None else 0.0

    def _seconds_left(self) -> float:
        """From the pace so far, within what is sensible to be told."""
        progress = self._progress
        seconds = self._clock() - self._started
        left = seconds * (1 - progress) / progress if progress else FIRST_RETRY
        return min(max(left, FIRST_RETRY), LONGEST_RETRY)


def _failure(why: ErrorInfo) -> ModelError:
    """Why loading failed, as those hear it who asked for the model: it is no mistake of theirs."""
    error = from_info(why)
    if isinstance(error, ModelError):
        return error
    code = "model_unreadable" if isinstance(error, NotFound) else None
    return ModelError(error.message, code=code)


def _stamp(path: Path) -> tuple[int, int, int]:
    """What differs when a file was exchanged or written to: time of change (ns), size, inode."""
    found = os.stat(path)
    return found.st_mtime_ns, found.st_size, found.st_ino
