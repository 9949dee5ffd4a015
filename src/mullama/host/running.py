"""A model that runs: its engines, a thread for each, and the requests given to them.

Generating and embedding have a context and a thread each, so that neither waits for the other; a
generative model's embedder is opened when the first text is to be embedded. It is put together
from the protocols of `types`, and so knows neither llama.cpp nor processes: a worker and the
library use it alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock, Thread
from typing import Protocol, TypeVar

from mullama.engine.disk import DiskStore
from mullama.engine.disk_tier import DiskTier
from mullama.engine.embedding import EmbedEngine
from mullama.engine.engine import Engine
from mullama.engine.options import EngineOptions
from mullama.engine.stats import flat
from mullama.errors import InvalidRequest, Overloaded
from mullama.host import inputs
from mullama.host.prepare import Prepared, Preparer, Template
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    Embedder,
    EmbedRequest,
    EmbedResult,
    Event,
    RerankRequest,
    RerankResult,
    Runner,
    Started,
    Token,
    TokenizeRequest,
    TokenizeResult,
    Vocab,
)

R = TypeVar("R")


class OwnedRunner(Runner, Protocol):
    """A runner to be closed when its engine's thread has ended."""

    def abort(self) -> None:
        """End the running computation. From any thread."""
        ...

    def close(self) -> None: ...


class OwnedEmbedder(Embedder, Protocol):
    """An embedder to be closed when its engine's thread has ended."""

    def abort(self) -> None:
        """End the running computation. From any thread."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """What a model brings. A `runner` of None means that it only embeds; `disk` is where cached
    prefixes survive, if there is such a place."""

    vocab: Vocab
    template: Template | None
    runner: OwnedRunner | None
    open_embedder: Callable[[], OwnedEmbedder]
    close: Callable[[], None]  # frees the weights, where nobody else uses them
    disk: DiskStore | None = None


class RunningModel:
    """Answers requests from any thread until closed.

    `emit` gets a step's events together, in the engine's thread; it must not block or raise.
    `crashed` is called, in its thread, with the error that ended an engine: a mistake of ours.
    """

    def __init__(
        self,
        parts: Parts,
        options: EngineOptions,
        *,
        emit: Callable[[list[Event]], None],
        crashed: Callable[[BaseException], None],
    ) -> None:
        self._parts = parts
        self._emit_events = emit
        self._crashed = crashed
        self._prepared: dict[int, Prepared] = {}  # with words for Started, which is still to come
        self._engine: Engine | None = None
        self._embedding: EmbedEngine | None = None
        self._threads: list[Thread] = []
        self._lock = Lock()  # held to open an engine, and to close
        self._closed = False
        self._to_abort: list[OwnedRunner | OwnedEmbedder] = []
        self._to_close: list[Callable[[], None]] = [parts.close]
        if parts.disk is not None:
            self._to_close.append(parts.disk.close)
        if parts.runner is not None:
            disk = None if parts.disk is None else DiskTier(parts.disk)
            self._engine = Engine(
                parts.runner, parts.vocab, emit=self._emit, options=options, disk=disk
            )
            self._start(self._engine.run, "engine", parts.runner)
        else:
            self._open_embedding()
        self._preparer = Preparer(parts.vocab, parts.template, self.n_ctx)

    @property
    def n_ctx(self) -> int:
        """Positions that one request, or one input to be embedded, can have."""
        engine = self._engine or self._embedding
        assert engine is not None
        return engine.n_ctx

    @property
    def n_embd(self) -> int:
        """Components of the vectors that `embed` computes. Opens the embedder."""
        return self._open_embedding().n_embd

    def prepare(self, id: int, request: ChatRequest | CompletionRequest) -> Prepared:
        """Render and tokenize, which may take long. Raises InvalidRequest."""
        if self._engine is None:
            raise InvalidRequest(
                "This model can't generate text: it is for embeddings or reranking. Send the text "
                "to /v1/embeddings or /v1/rerank, or choose another model.",
                param="model",
            )
        return self._preparer.generate(id, request)

    def prepare_guides(self) -> None:
        """Do in a thread what the first constrained answer would wait for."""
        with self._lock:  # closing waits for what was started, and nothing starts behind it
            if self._engine is not None and not self._closed:
                self._run(self._preparer.prepare_guides, "guides")

    def submit(self, prepared: Prepared) -> None:
        """Have a request answered by events. Raises ContextLengthExceeded or Overloaded."""
        assert self._engine is not None, "only a model that generates prepares requests"
        request = prepared.request
        if prepared.prompt_text or prepared.opened:
            self._prepared[request.id] = prepared
        try:
            self._engine.submit(request)
        except BaseException:
            self._prepared.pop(request.id, None)
            raise

    def cancel(self, id: int) -> None:
        """End a request early. Unknown ids mean nothing."""
        if self._engine is not None:
            self._engine.cancel(id)

    def embed(self, request: EmbedRequest) -> Future[EmbedResult]:
        """The vectors of a request's inputs. Cancelling the future skips what is not computed.

        Raises InvalidRequest, ContextLengthExceeded or Overloaded; ModelError where this model
        can't embed.
        """
        engine = self._open_embedding()
        if engine.ranks:
            raise InvalidRequest(
                "This model scores documents and has no vectors. Send a query and documents to "
                "/v1/rerank, or choose another model.",
                param="model",
            )
        tokens = inputs.to_embed(
            self._parts.vocab, request, n_embd=engine.n_embd, n_ctx=engine.n_ctx
        )
        answer = partial(
            inputs.embedded,
            dimensions=request.dimensions,
            normalize=request.normalize,
            n_tokens=sum(map(len, tokens)),
        )
        return _then(engine.submit(tokens), answer)

    def rerank(self, request: RerankRequest) -> Future[RerankResult]:
        """The scores of a request's documents: as `embed`, for a model with a rank head."""
        engine = self._embedding if self._engine is None else None
        if engine is None or not engine.ranks:
            raise InvalidRequest(
                "This model has no rank head, so it can't score documents. Choose a reranking "
                "model.",
                param="model",
            )
        tokens = inputs.to_rank(self._parts.vocab, request, n_ctx=engine.n_ctx)
        answer = partial(inputs.ranked, raw=request.raw, n_tokens=sum(map(len, tokens)))
        return _then(engine.submit(tokens), answer)

    def tokenize(self, request: TokenizeRequest) -> TokenizeResult:
        """The tokens of a text or a conversation. Raises InvalidRequest."""
        return self._preparer.tokenize(request)

    def detokenize(self, tokens: Sequence[Token]) -> str:
        """The text of tokens. Raises InvalidRequest for ids that the model lacks."""
        return self._preparer.detokenize(tokens)

    def clear_cache(self) -> None:
        """Forget every cached prefix that no running answer uses."""
        if self._engine is not None:
            self._engine.clear_cache()

    def stats(self) -> dict[str, float]:
        """The engine's counters by name."""
        return {} if self._engine is None else flat(self._engine.stats())

    def close(self) -> None:
        """End the engines, then free what they used. Requests that have not ended fail.

        Aborts what is being computed. Not to be called by `emit` or `crashed`.
        """
        with self._lock:
            self._closed = True
        for engine in (self._engine, self._embedding):
            if engine is not None:
                engine.close()
        while self._to_abort:  # after the engines know: they try nothing again
            self._to_abort.pop().abort()
        for thread in self._threads:
            thread.join()
        while self._to_close:
            self._to_close.pop()()

    # ------------------------------------------------------------------------------------------

    def _open_embedding(self) -> EmbedEngine:
        with self._lock:
            if self._embedding is None:
                if self._closed:
                    raise Overloaded("The model is being closed.", code="shutting_down")
                embedder = self._parts.open_embedder()
                self._embedding = EmbedEngine(embedder)
                self._start(self._embedding.run, "embedding", embedder)
            return self._embedding

    def _start(
        self, run: Callable[[], None], name: str, computes: OwnedRunner | OwnedEmbedder
    ) -> None:
        self._to_abort.append(computes)
        self._to_close.append(computes.close)
        self._run(run, name)

    def _run(self, run: Callable[[], None], name: str) -> None:
        """Do it in a thread, for which closing waits."""

        def work() -> None:
            try:
                run()
            except BaseException as error:
                self._crashed(error)

        thread = Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _emit(self, events: list[Event]) -> None:
        if self._prepared:
            events = [self._with_words(event) for event in events]
        self._emit_events(events)

    def _with_words(self, event: Event) -> Event:
        prepared = self._prepared.pop(event.id, None)  # whatever comes first
        if prepared is None or not isinstance(event, Started):
            return event
        return replace(event, prompt_text=prepared.prompt_text, opened=prepared.opened)


def _then(source: Future[list[bytes]], work: Callable[[list[bytes]], R]) -> Future[R]:
    """A future of what `work` makes of the source's result; cancelling it cancels the source."""
    target: Future[R] = Future()

    def finish(done: Future[list[bytes]]) -> None:
        if not target.set_running_or_notify_cancel():
            return
        try:
            target.set_result(work(done.result()))
        except Exception as error:
            target.set_exception(error)

    def forward(done: Future[R]) -> None:
        if done.cancelled():
            source.cancel()

    target.add_done_callback(forward)
    source.add_done_callback(finish)
    return target
