"""Documents ordered by how well each answers a query, by a model with a rank head."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mullama.config import ModelOptions
from mullama.errors import InvalidRequest, ModelError
from mullama.library.embeddings import EmbedThread, embed_options
from mullama.library.lifetime import Closable, close_when_dropped
from mullama.library.model import Model
from mullama.llama.model import LlamaModel
from mullama.llama.vocab import LlamaVocab
from mullama.types import ModelKind, Token
from mullama.types.sampling import whole_number


class Reranker(Closable):
    """Scores documents against a query. Thread-safe: pairs of several threads share batches."""

    def __init__(
        self,
        model: Model,
        n_ctx: int = 0,
        *,
        n_threads: int = 0,
        flash_attn: str = "auto",
        kv_offload: bool = True,
        op_offload: bool = True,
    ) -> None:
        """`n_ctx` is the most tokens of a query and a document together, 0 for the model's limit.

        `n_threads` 0 means one a core; the names after it are those of `ModelOptions`. Raises
        ModelError for a model that is not made for reranking.
        """
        options = embed_options(n_ctx, n_threads, flash_attn, kv_offload, op_offload)
        self.model = model
        self._engine = model.weights.open(lambda llama: _open(llama, options))
        self._vocab = LlamaVocab(model.weights.llama)
        self._finalizer = close_when_dropped(self, partial(model.weights.release, self._engine))

    def close(self) -> None:
        """Free the context, after the running computation. Closing again does nothing."""
        self._finalizer.detach()
        self.model.weights.release(self._engine)

    def scores(
        self, query: str, documents: Sequence[str], raw: bool = False
    ) -> NDArray[np.float64]:
        """How likely each document answers the query: from 0 to 1, shape (len(documents),).

        With `raw`, the log-odds of that. Raises ContextLengthExceeded, naming the pair, for one of
        more than `n_ctx` tokens, and ModelError where the model computes no numbers.
        """
        self._engine.life.check()
        if isinstance(documents, str):
            raise InvalidRequest("documents is one text; give a list of texts.", param="documents")
        pairs = [self._pair(query, document) for document in documents]
        log_odds = np.frombuffer(b"".join(self._engine.embed(pairs)), "<f4").astype(np.float64)
        if not np.isfinite(log_odds).all():
            raise ModelError(
                "The model computed NaN or infinity instead of a score; its file may be damaged."
            )
        return log_odds if raw else np.exp(-np.logaddexp(0, -log_odds))

    def rank(
        self, query: str, documents: Sequence[str], top_n: int | None = None
    ) -> list[tuple[int, float]]:
        """The index and score of each document, best first; of `top_n` only, if given."""
        if top_n is not None and (top_n := whole_number(top_n, "top_n")) < 0:
            raise InvalidRequest(f"top_n is {top_n}; the least is 0.", param="top_n")
        scores = self.scores(query, documents)
        best = np.argsort(-scores, kind="stable")[:top_n]
        return [(int(index), float(scores[index])) for index in best]

    def _pair(self, query: str, document: str) -> Sequence[Token]:
        pair = self._vocab.pair(query, document)
        if pair is None:
            raise ModelError(
                f"{self.model.name!r} has no template for reranking and no tokens to part a query "
                "from a document. Choose another model, or convert it again.",
                code="model_unsupported",
            )
        return pair.tokens


def _open(llama: LlamaModel, options: ModelOptions) -> EmbedThread:
    if llama.info.kind is not ModelKind.RERANK:
        raise ModelError(
            f"{llama.name!r} has no rank head, so it can't score documents. Choose a reranking "
            "model.",
            code="model_unsupported",
        )
    return EmbedThread(llama, options, "Reranker")
