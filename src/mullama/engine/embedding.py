"""Embeddings: inputs of all requests together, packed into batches.

Its own thread and its own context on the same weights, so that chat and embeddings never wait for
each other. What has arrived is sorted by length and packed up to the embedder's limits: inputs of
one call are of similar length, and a short request rides with a long one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Condition

from mullama.errors import ContextLengthExceeded, InternalError, MullamaError, Overloaded
from mullama.types import Embedder, Token

# Enough for the packer to find inputs of similar length; the rest waits its turn in order.
LOOK_AHEAD = 256


@dataclass(eq=False, slots=True)
class _Job:
    """A request: its vectors so far, and how many are missing."""

    future: Future[list[bytes]]
    vectors: list[bytes]
    n_missing: int = field(init=False)

    def __post_init__(self) -> None:
        self.n_missing = len(self.vectors)


@dataclass(frozen=True, slots=True)
class _Input:
    job: _Job
    index: int
    tokens: Sequence[Token]


class EmbedEngine:
    """`submit` and `close` may be called from any thread; `run` belongs to the engine's own."""

    def __init__(self, embedder: Embedder, *, queue_size: int = 65536) -> None:
        self._embedder = embedder
        self._queue_size = queue_size
        self._queue: deque[_Input] = deque()
        self._wake = Condition()
        self._closed = False

    @property
    def n_ctx(self) -> int:
        """The most tokens of one input."""
        return self._embedder.n_ctx

    @property
    def n_embd(self) -> int:
        return self._embedder.n_embd

    def submit(self, inputs: Sequence[Sequence[Token]]) -> Future[list[bytes]]:
        """Raw float32 vectors of the inputs, in order. Cancelling the future skips what is left.

        Raises ContextLengthExceeded, naming the input, and Overloaded when too many wait.
        """
        for index, tokens in enumerate(inputs):
            if len(tokens) > self.n_ctx:
                raise ContextLengthExceeded(
                    f"Input {index} has {len(tokens)} tokens; this model embeds at most "
                    f"{self.n_ctx} at once. Split it into shorter pieces.",
                    param="input",
                )
        job = _Job(Future(), [b""] * len(inputs))
        if not inputs:
            job.future.set_result([])
            return job.future
        with self._wake:
            if self._closed:
                raise Overloaded("The engine is shutting down.", code="shutting_down")
            if len(self._queue) + len(inputs) > self._queue_size:
                raise Overloaded(
                    f"{len(self._queue)} inputs are waiting already; try again later.",
                    code="queue_full",
                    retry_after=2.0,
                )
            self._queue.extend(_Input(job, i, tokens) for i, tokens in enumerate(inputs))
            self._wake.notify()
        return job.future

    def close(self) -> None:
        """Make `run` return soon. Requests that have not ended fail."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def run(self) -> None:
        """Embed until closed; sleep while there is nothing to do."""
        error: MullamaError = Overloaded("The engine was closed.", code="shutting_down")
        try:
            while self._wait():
                self.step()
        except BaseException:
            error = InternalError("The embedding engine stopped because of an internal error.")
            raise
        finally:
            self.close()
            for item in self._queue:
                _fail(item.job, error)

    def step(self) -> bool:
        """Embed what has arrived, up to `LOOK_AHEAD` inputs; False if there was nothing."""
        taken = [self._queue.popleft() for _ in range(min(LOOK_AHEAD, len(self._queue)))]
        inputs = [item for item in taken if not item.job.future.done()]
        for batch in self._pack(inputs):
            if self._closed:
                self._queue.extend(batch)  # `run` fails them
            else:
                self._embed(batch)
        return bool(taken)

    def _wait(self) -> bool:
        with self._wake:
            while not (self._closed or self._queue):
                self._wake.wait()
            return not self._closed

    def _pack(self, inputs: list[_Input]) -> Iterator[list[_Input]]:
        """Batches within the embedder's limits, longest inputs first."""
        embedder = self._embedder
        batch: list[_Input] = []
        n_tokens = 0
        for item in sorted(inputs, key=lambda i: len(i.tokens), reverse=True):
            full = len(batch) == embedder.n_lanes
            if batch and (full or n_tokens + len(item.tokens) > embedder.n_batch):
                yield batch
                batch, n_tokens = [], 0
            batch.append(item)
            n_tokens += len(item.tokens)
        if batch:
            yield batch

    def _embed(self, batch: list[_Input]) -> None:
        """One call. If it fails, each input is tried alone: one's trouble is not another's."""
        try:
            vectors = self._embedder.embed([item.tokens for item in batch])
        except MullamaError as error:
            if len(batch) == 1:
                return _fail(batch[0].job, error)
            for item in batch:
                self._embed([item])
            return None
        for item, vector in zip(batch, vectors, strict=True):
            _deliver(item, vector)
        return None


def _deliver(item: _Input, vector: bytes) -> None:
    job = item.job
    job.vectors[item.index] = vector
    job.n_missing -= 1
    if not job.n_missing:
        with suppress(InvalidStateError):  # cancelled meanwhile
            job.future.set_result(job.vectors)


def _fail(job: _Job, error: MullamaError) -> None:
    with suppress(InvalidStateError):  # cancelled, or another of its inputs failed first
        job.future.set_exception(error)
