"""Computes embeddings: the engine's `Embedder`, on a context of its own over a model's weights.

A vector is pooled from the rows of its input, in one of two ways:

- **Whole.** A model that attends in both directions (BERT kinds) must see an input at once, so all
  that is packed together is one micro-batch, and llama.cpp pools.
- **In pieces.** A causal model computes inputs piece by piece, as it does prompts, and the rows are
  pooled here. llama.cpp makes logits for every row whose embedding is wanted, 600 KB each at 152k
  tokens: so few rows are wanted at once, and only those that the pooling looks at.

The model says which pooling it was trained with. One that says nothing (a chat model) gets the mean
of its rows: each is trained to foretell one token, and no single one stands for the text.

A reranking model has a head over the first row of a pair, or in a causal model over the last, which
llama.cpp computes. Its vector has one component: the log-odds that the document answers the query.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mullama.errors import InternalError, ModelError
from mullama.llama.batch import Batch
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.types import ModelInfo, ModelKind, Status, Token

N_LANES = 64  # inputs of one call
# Tokens of several inputs in one call. An encoder's rows are compared with all others, though most
# of it is masked: a text costs MiniLM 3 to 8% more among 512 tokens than among 256, and 30% more
# among 2048; nothing is gained below 256.
N_PACKED = 256
N_UBATCH = 512  # rows of a causal model that are computed at once
N_WANTED = 128  # rows of a causal model whose embeddings are wanted at once
_LONGEST = 512  # tokens of an input, where the model does not say
_SOFTMAX = frozenset({"qwen3", "qwen3vl"})  # whose heads' outputs llama.cpp makes probabilities

Span = tuple[int, int, int]  # lane, and the positions [start, end)


class LlamaEmbedder:
    """Implements `Embedder`. Called from one thread at a time; `close` may come from any."""

    def __init__(
        self,
        model: LlamaModel,
        *,
        n_ctx: int = 0,
        n_threads: int = 0,
        flash_attn: str = "auto",
        kv_offload: bool = True,
        op_offload: bool = True,
    ) -> None:
        """`n_ctx` is the most tokens of one input; 0 takes the model's training context.

        Raises ModelError for a model that has no embeddings.
        """
        _check_embeds(model)
        longest = model.info.n_ctx_train or _LONGEST
        self._n_ctx = min(n_ctx or longest, longest)
        self._causal = model.info.causal
        self._ranks = model.info.kind is ModelKind.RERANK
        self._has_softmax = model.info.architecture in _SOFTMAX
        self._pooling = _pooling(model.info)
        n_lanes = min(N_LANES, self._n_ctx)
        n_rows = min(N_UBATCH, self._n_ctx) if self._causal else self._n_ctx
        n_rows = -(-n_rows // n_lanes) * n_lanes  # llama.cpp pools as many rows for each lane
        self._context = LlamaContext(
            model,
            ContextOptions(
                n_ctx=max(self._n_ctx, n_rows),
                n_batch=n_rows,
                n_ubatch=n_rows,
                n_lanes=n_lanes,
                n_outputs=N_WANTED if self._causal else n_rows,
                n_threads=n_threads,
                flash_attn=flash_attn,
                embeddings=True,
                pooling="none" if self._causal and not self._ranks else self._pooling,
                kv_offload=kv_offload,
                op_offload=op_offload,
            ),
        )
        self._batch = Batch(self._context.n_batch)
        n_outputs = C.llama_model_n_cls_out if self._ranks else C.llama_model_n_embd_out
        with model.handle as weights:
            self._n_pooled: int = n_outputs(weights)

    @property
    def n_embd(self) -> int:
        return 1 if self._ranks else self._n_pooled

    @property
    def ranks(self) -> bool:
        return self._ranks

    @property
    def n_ctx(self) -> int:
        return self._n_ctx

    @property
    def n_batch(self) -> int:
        """The most tokens of several inputs in one call; one alone may have `n_ctx`."""
        return min(N_PACKED, self._n_ctx)

    @property
    def n_lanes(self) -> int:
        return self._context.n_lanes

    def abort(self) -> None:
        """End the running or the next computation with a ModelError. From any thread."""
        self._context.abort()

    def close(self) -> None:
        """Free the context. Closing again does nothing."""
        self._context.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def embed(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        """A raw vector (not normalized, float32) for each input, in order. Nothing is cut off.

        Inputs are not empty, and within `n_lanes`, `n_batch` and `n_ctx`. Raises ModelError where
        llama.cpp can't compute them.
        """
        if not inputs:
            return []
        self._check(inputs)
        try:
            if not self._causal:
                return self._whole(inputs)
            return self._in_pieces(inputs) if not self._ranks else self._last(inputs)
        finally:
            self._context.clear()

    def _check(self, inputs: Sequence[Sequence[Token]]) -> None:
        n_tokens = sum(len(tokens) for tokens in inputs)
        most = self.n_batch if len(inputs) > 1 else self.n_ctx
        if len(inputs) > self.n_lanes or n_tokens > most or not all(map(len, inputs)):
            raise InternalError(
                f"{len(inputs)} inputs with {n_tokens} tokens can't be embedded: a call has at "
                f"most {self.n_lanes} inputs and {most} tokens, and no input is empty."
            )

    def _whole(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        self._batch.clear()
        for lane, tokens in enumerate(inputs):
            self._batch.add(tokens, lane, 0, wanted=True)
        self._compute()
        return [self._pooled(lane) for lane in range(len(inputs))]

    def _last(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        """Pooled by llama.cpp from the last rows, which are computed together."""
        passed, wanted = spans([len(tokens) for tokens in inputs], "last")
        for batch in packed(passed, N_UBATCH):
            self._compute_spans(inputs, batch, wanted=False)
        self._compute_spans(inputs, wanted, wanted=True)
        return [self._pooled(lane) for lane in range(len(inputs))]

    def _pooled(self, lane: int) -> bytes:
        values = self._context.pooled(lane, self._n_pooled)
        return log_odds(values, softmax=self._has_softmax) if self._ranks else values.tobytes()

    def _in_pieces(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        sums = np.zeros((len(inputs), self._n_pooled), np.float32)
        passed, wanted = spans([len(tokens) for tokens in inputs], self._pooling)
        for batch in packed(passed, N_UBATCH):
            self._compute_spans(inputs, batch, wanted=False)
        for batch in packed(wanted, N_WANTED):
            self._compute_spans(inputs, batch, wanted=True)
            rows = self._context.embeddings(self._batch.n_rows, self._n_pooled)
            n = 0
            for lane, start, end in batch:
                sums[lane] += rows[n : n + end - start].sum(axis=0)
                n += end - start
        if self._pooling == "mean":
            sums /= np.array([[len(tokens)] for tokens in inputs], np.float32)
        return [row.tobytes() for row in sums]

    def _compute_spans(
        self, inputs: Sequence[Sequence[Token]], batch: Sequence[Span], *, wanted: bool
    ) -> None:
        self._batch.clear()
        for lane, start, end in batch:
            self._batch.add(inputs[lane][start:end], lane, start, wanted=wanted)
        self._context.set_embeddings(wanted)
        self._compute()

    def _compute(self) -> None:
        status = self._context.decode(self._batch)
        if status is not Status.DONE:
            raise ModelError(
                f"The embeddings could not be computed (llama.cpp: {status.name}). "
                "A shorter input may work; the log has the reason.",
                code="embedding_failed",
            )


def spans(lengths: Sequence[int], pooling: str) -> tuple[list[Span], list[Span]]:
    """Of inputs so long: the rows that are only passed through, and those that are pooled.

    The last row of an input needs those before it; the first, or all, need no others.
    """
    lanes = list(enumerate(lengths))
    if pooling == "last":
        return [(lane, 0, n - 1) for lane, n in lanes], [(lane, n - 1, n) for lane, n in lanes]
    return [], [(lane, 0, 1 if pooling == "cls" else n) for lane, n in lanes]


def packed(spans: Sequence[Span], n_rows: int) -> Iterator[list[Span]]:
    """The same rows in batches of at most `n_rows`, cut where a batch is full."""
    batch: list[Span] = []
    room = n_rows
    for lane, start, end in spans:
        while start < end:
            stop = min(end, start + room)
            batch.append((lane, start, stop))
            room -= stop - start
            start = stop
            if not room:
                yield batch
                batch, room = [], n_rows
    if batch:
        yield batch


def log_odds(outputs: NDArray[np.float32], *, softmax: bool) -> bytes:
    """A rank head's first output against all others, as one float32; an only output is it already.

    With `softmax` the outputs are probabilities, else logits.
    """
    values = outputs.astype(np.float64)
    if softmax:
        values = np.log(np.maximum(values, np.finfo(np.float32).tiny))
    others = np.logaddexp.reduce(values[1:]) if len(values) > 1 else 0.0
    return np.float32(values[0] - others).tobytes()


def _pooling(info: ModelInfo) -> str:
    if info.kind is ModelKind.RERANK:
        return "rank"
    return "mean" if info.pooling in (None, "none") else info.pooling


def _check_embeds(model: LlamaModel) -> None:
    with model.handle as weights:
        both = C.llama_model_has_encoder(weights) and C.llama_model_has_decoder(weights)
    if model.vocab_only:
        reason = "only its vocabulary is loaded"
    elif both:
        reason = "encoder-decoder models such as T5 are not supported"
    else:
        return
    raise ModelError(
        f"{model.name!r} has no embeddings: {reason}. Choose an embedding model.",
        code="model_unsupported",
    )
