"""Texts as vectors: an embedding engine with its thread, on a context of its own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from threading import Lock, Thread

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mullama.config import ModelOptions
from mullama.engine.embedding import EmbedEngine
from mullama.errors import InvalidRequest, ModelError, MullamaError
from mullama.library.lifetime import Closable, Life, close_when_dropped
from mullama.library.model import Model
from mullama.library.options import made
from mullama.llama.embedder import LlamaEmbedder
from mullama.llama.model import LlamaModel
from mullama.types import ModelKind, Token
from mullama.types.sampling import whole_number

log = logging.getLogger("mullama.library")

# Callers are threads of this program, which wait; none is turned away.
_QUEUE_SIZE = 1 << 24


class EmbeddingGenerator(Closable):
    """Turns texts into vectors. Thread-safe: texts of several threads share batches.

    Any model can be used; those made for it do it well. Vectors are float32 with `n_embd`
    components.
    """

    def __init__(
        self,
        model: Model,
        n_ctx: int = 512,
        normalize: bool = True,
        *,
        n_threads: int = 0,
        flash_attn: str = "auto",
        kv_offload: bool = True,
        op_offload: bool = True,
    ) -> None:
        """`n_ctx` is the most tokens of one text, 0 for the model's own limit.

        With `normalize`, vectors have unit length. `n_threads` 0 means one a core; the names after
        it are those of `ModelOptions`. Raises ModelError for a model that can't embed.
        """
        options = embed_options(n_ctx, n_threads, flash_attn, kv_offload, op_offload)
        self.model = model
        self._normalize = normalize
        self._engine = model.weights.open(lambda llama: _open(llama, options))
        self._finalizer = close_when_dropped(self, partial(model.weights.release, self._engine))

    def close(self) -> None:
        """Free the context, after the running computation. Closing again does nothing."""
        self._finalizer.detach()
        self.model.weights.release(self._engine)

    @property
    def n_embd(self) -> int:
        """Components of each vector."""
        return self._engine.n_embd

    def embed(self, text: str) -> NDArray[np.float32]:
        """The vector of a text, shape (n_embd,). See `embed_batch` for errors."""
        vector: NDArray[np.float32] = self.embed_batch([text])[0]
        return vector

    def embed_batch(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The vectors of texts, in order, shape (len(texts), n_embd).

        Raises ContextLengthExceeded, naming the text, for one of more than `n_ctx` tokens,
        InvalidRequest for an empty one, and ModelError where the model computes no numbers.
        """
        self._engine.life.check()
        if isinstance(texts, str):
            raise InvalidRequest("embed_batch takes a list of texts; embed takes one.")
        inputs = [self._tokens(index, text) for index, text in enumerate(texts)]
        vectors = b"".join(self._engine.embed(inputs))
        matrix = np.frombuffer(vectors, dtype="<f4").reshape(len(inputs), self.n_embd)
        if not np.isfinite(matrix).all():
            raise ModelError(
                "The model computed NaN or infinity instead of a vector; its file may be damaged."
            )
        return _unit(matrix) if self._normalize else matrix.copy()

    def _tokens(self, index: int, text: str) -> list[Token]:
        if not isinstance(text, str):
            raise InvalidRequest(
                f"Text {index} is {type(text).__name__}; it must be a string.", param="texts"
            )
        tokens = self.model.tokenize(text)
        if not tokens:
            raise InvalidRequest(f"Text {index} is empty. Send some text.", param="texts")
        return tokens


def embed_options(
    n_ctx: int, n_threads: int, flash_attn: str, kv_offload: bool, op_offload: bool
) -> ModelOptions:
    """What a context that embeds is told. Raises InvalidRequest."""
    return made(
        {
            "context_size": whole_number(n_ctx, "n_ctx"),
            "threads": whole_number(n_threads, "n_threads"),
            "flash_attn": flash_attn,
            "kv_offload": kv_offload,
            "op_offload": op_offload,
        }
    )


class EmbedThread:
    """An embedding engine, its context, and the thread that computes; its user calls it `what`."""

    def __init__(self, llama: LlamaModel, options: ModelOptions, what: str) -> None:
        self._embedder = LlamaEmbedder(
            llama,
            n_ctx=options.context_size,
            n_threads=options.threads,
            flash_attn=options.flash_attn,
            kv_offload=options.kv_offload,
            op_offload=options.op_offload,
        )
        self._engine = EmbedEngine(self._embedder, queue_size=_QUEUE_SIZE)
        self.life = Life(what)
        self._closing = Lock()
        self._thread = Thread(target=self._run, name="embedding", daemon=True)
        self._thread.start()

    @property
    def n_embd(self) -> int:
        return self._engine.n_embd

    def embed(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        """Raw vectors of the inputs; the caller's thread waits."""
        future = None
        try:
            future = self._engine.submit(inputs)
            return future.result()
        except MullamaError:
            self.life.check()
            raise
        finally:
            if future is not None:
                future.cancel()  # after Ctrl-C, nobody wants the rest

    def close(self) -> None:
        self.life.is_closed = True
        if self.life.is_ours:
            with self._closing:
                self._engine.close()
                self._thread.join()
                self._embedder.close()

    def _run(self) -> None:
        try:
            self._engine.run()
        except Exception:
            log.exception("An embedding engine has stopped because of an internal error.")


def _open(llama: LlamaModel, options: ModelOptions) -> EmbedThread:
    if llama.info.kind is ModelKind.RERANK:
        raise ModelError(
            f"{llama.name!r} has no embeddings: it is a reranking model, which scores pairs of "
            "texts. Give it to Reranker, or choose an embedding model.",
            code="model_unsupported",
        )
    return EmbedThread(llama, options, "EmbeddingGenerator")


def cosine_similarity(a: ArrayLike, b: ArrayLike) -> float:
    """How alike the directions of two vectors are: 1 the same, 0 unrelated, -1 opposite.

    A vector of zeros has no direction, and is unrelated to all. Raises InvalidRequest for vectors
    of different lengths.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise InvalidRequest(
            f"Two vectors of the same length are needed; these have the shapes {x.shape} and "
            f"{y.shape}."
        )
    scale = float(np.linalg.norm(x) * np.linalg.norm(y))
    return float(x @ y) / scale if scale else 0.0


def _unit(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit length; a row of zeros stays."""
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    return (matrix / np.where(lengths > 0, lengths, 1)).astype(np.float32)
