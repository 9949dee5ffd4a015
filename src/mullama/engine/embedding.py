"""Embeddings: inputs of all requests together, packed into batches.

Its own thread and its own context on the same weights, so that chat and embeddings never wait for
each other.

Requests take turns. A batch begins with the longest input of the request whose turn it is, and is
filled with what else fits: first of the same request, then of the others in their order. So a
short request rides with a long one, and waits for one batch of each request before it at most,
however many inputs that has.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from threading import Condition

from mullama.errors import ContextLengthExceeded, InternalError, MullamaError, Overloaded
from mullama.types import Embedder, Token

LOOK_AHEAD = 256  # requests that are asked whether anything of theirs still fits

_Input = tuple["_Job", int]  # the index among the request's inputs


class _Job:
    """A request: its inputs that wait, its vectors so far, and how many are missing."""

    def __init__(self, inputs: Sequence[Sequence[Token]]) -> None:
        self.future: Future[list[bytes]] = Future()
        self.inputs = inputs
        self.vectors = [b""] * len(inputs)
        self.n_missing = len(inputs)
        self.waiting = sorted(range(len(inputs)), key=self.length)  # the shortest first

    def length(self, index: int) -> int:
        return len(self.inputs[index])

    def take(self, room: int) -> int | None:
        """The longest waiting input of at most `room` tokens, which no longer waits."""
        place = bisect_right(self.waiting, room, key=self.length)
        return self.waiting.pop(place - 1) if place else None

    def deliver(self, index: int, vector: bytes) -> None:
        self.vectors[index] = vector
        self.n_missing -= 1
        if not self.n_missing:
            with suppress(InvalidStateError):  # cancelled meanwhile
                self.future.set_result(self.vectors)

    def fail(self, error: MullamaError) -> None:
        with suppress(InvalidStateError):  # cancelled, or another of its inputs failed first
            self.future.set_exception(error)


class EmbedEngine:
    """`submit` and `close` may be called from any thread; `run` belongs to the engine's own."""

    def __init__(self, embedder: Embedder, *, queue_size: int = 65536) -> None:
        self._embedder = embedder
        self._queue_size = queue_size
        self._jobs: deque[_Job] = deque()  # with inputs that wait; the first one's turn it is
        self._n_waiting = 0  # inputs of all jobs
        self._computing: list[_Input] = []
        self._wake = Condition()  # held to touch any of these
        self._closed = False

    @property
    def n_ctx(self) -> int:
        """The most tokens of one input."""
        return self._embedder.n_ctx

    @property
    def n_embd(self) -> int:
        return self._embedder.n_embd

    @property
    def ranks(self) -> bool:
        """Whether inputs are pairs of texts, and vectors their scores."""
        return self._embedder.ranks

    def submit(self, inputs: Sequence[Sequence[Token]]) -> Future[list[bytes]]:
        """Raw float32 vectors of the inputs, in order. Cancelling the future skips what is left.

        Raises ContextLengthExceeded, naming the input, and Overloaded when too many wait.
        """
        for index, tokens in enumerate(inputs):
            if len(tokens) > self.n_ctx:
                raise ContextLengthExceeded(
                    f"Input {index} has {len(tokens)} tokens; this model takes at most "
                    f"{self.n_ctx} at once. Split it into shorter pieces.",
                    param="input",
                )
        job = _Job(inputs)
        if not inputs:
            job.future.set_result([])
            return job.future
        with self._wake:
            if self._closed:
                raise Overloaded("The engine is shutting down.", code="shutting_down")
            if self._n_waiting + len(inputs) > self._queue_size:
                raise Overloaded(
                    f"{self._n_waiting} inputs are waiting already; try again later.",
                    code="queue_full",
                    retry_after=2.0,
                )
            self._jobs.append(job)
            self._n_waiting += len(inputs)
            self._wake.notify()
        return job.future

    def close(self) -> None:
        """Make `run` return soon. Requests that have not ended fail."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def run(self) -> None:
        """Embed until closed; sleep while there is nothing to do."""
        error: MullamaError = _closed()
        try:
            while self._wait():
                self.step()
        except BaseException:
            error = InternalError("The embedding engine stopped because of an internal error.")
            raise
        finally:
            self.close()
            for job in (*self._jobs, *(job for job, _ in self._computing)):
                job.fail(error)

    def step(self) -> bool:
        """Compute one batch of what waits; False if there was nothing."""
        with self._wake:
            self._computing = self._batch()
        self._embed(self._computing)
        n_computed, self._computing = len(self._computing), []  # an idle engine keeps no vectors
        return n_computed > 0

    def _wait(self) -> bool:
        with self._wake:
            while not (self._closed or self._jobs):
                self._wake.wait()
            return not self._closed

    def _batch(self) -> list[_Input]:
        """Inputs within the embedder's limits. A job that gave some goes to the queue's end."""
        batch: list[_Input] = []
        passed: list[_Job] = []  # nothing of theirs fits: they keep their place
        served: list[_Job] = []
        room, n_lanes = self._embedder.n_batch, self._embedder.n_lanes
        while self._jobs and room > 0 and len(batch) < n_lanes and len(passed) < LOOK_AHEAD:
            job = self._jobs.popleft()
            self._n_waiting -= len(job.waiting)
            if job.future.done():
                continue  # it was cancelled, or has failed
            n = len(batch)
            while len(batch) < n_lanes:
                index = job.take(room if batch else self.n_ctx)  # one alone may be longer
                if index is None:
                    break
                batch.append((job, index))
                room -= job.length(index)
            self._n_waiting += len(job.waiting)
            if job.waiting:
                (served if len(batch) > n else passed).append(job)
        self._jobs.extendleft(reversed(passed))
        self._jobs.extend(served)
        return batch

    def _embed(self, batch: list[_Input]) -> None:
        """One call. If it fails, each input is tried alone: one's trouble is not another's.

        A call that fails once the engine is closed may have been aborted; none is tried again.
        """
        if not batch:
            return
        try:
            vectors = self._embedder.embed([job.inputs[index] for job, index in batch])
        except MullamaError as error:
            if self._closed:
                for job, _ in batch:
                    job.fail(_closed())
            elif len(batch) == 1:
                batch[0][0].fail(error)
            else:
                for item in batch:
                    self._embed([item])
            return
        for (job, index), vector in zip(batch, vectors, strict=True):
            job.deliver(index, vector)


def _closed() -> MullamaError:
    return Overloaded("The engine was closed.", code="shutting_down")
