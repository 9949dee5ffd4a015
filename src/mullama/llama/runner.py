"""Executes plans: the engine's `Runner`, on one llama_context.

A plan is carried out in the order in which it is written: lane operations, samplers closed and
opened, then the rows, in one llama_decode. Each row that samples gets its token; nothing is decided
here.

Prompt scoring wants the logits of every row, and a row has as many as the vocabulary (600 KB at
152k tokens). So a plan with targets is computed in pieces of few rows, each scored before the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Self

from mullama.errors import InternalError, ModelError
from mullama.llama.batch import Batch
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.llama.rows import Logprobs, Row
from mullama.llama.sampler import Samplers
from mullama.llama.vocab import LlamaVocab
from mullama.types import Chunk, Copy, MemoryKind, Plan, Remove, Sample, Status, StepOutput

SCORED_AT_ONCE = 64  # rows of a plan with targets that are computed in one call


class LlamaRunner:
    """Implements `Runner`. Called from one thread at a time; `close` may come from any."""

    def __init__(self, model: LlamaModel, options: ContextOptions) -> None:
        """Raises ModelError for a model that does not generate text row by row."""
        _check_generates(model)
        self._context = LlamaContext(model, replace(options, n_outputs=SCORED_AT_ONCE))
        self._batch = Batch(self._context.n_batch)
        self._n_outputs = max(SCORED_AT_ONCE, self._context.n_lanes)
        vocab = LlamaVocab(model)
        with model.handle as weights:
            vocab_pointer = C.llama_model_get_vocab(weights)
        self._samplers = Samplers(
            vocab_pointer,
            vocab.n_tokens,
            self._context.n_ctx,
            eos=vocab.eos or 0,
            never=vocab.suppressed,
        )

    @property
    def n_cells(self) -> int:
        return self._context.n_ctx

    @property
    def n_lanes(self) -> int:
        return self._context.n_lanes

    @property
    def n_batch(self) -> int:
        return self._context.n_batch

    @property
    def n_ubatch(self) -> int:
        return self._context.n_ubatch

    @property
    def n_tile(self) -> int:
        return self._context.n_tile

    @property
    def memory(self) -> MemoryKind:
        return self._context.memory_kind

    def lane_length(self, lane: int) -> int:
        return self._context.length(lane)

    def close(self) -> None:
        """Free the context and the samplers. Closing again does nothing."""
        self._context.close()
        self._samplers.close_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def abort(self) -> None:
        """End the running or the next computation as ABORTED. From any thread."""
        self._context.abort()

    def execute(self, plan: Plan) -> StepOutput:
        """Carry out `plan`. Raises InternalError for a plan that can't be."""
        self._apply(plan.ops)
        for key in plan.closed:
            self._samplers.close(key)
        for opened in plan.opened:
            self._samplers.open(opened.key, opened.params, opened.history)
        if not plan.chunks:
            return StepOutput(Status.DONE)
        samples: list[Sample | None] = [None] * len(plan.chunks)
        scores: list[list[Sample]] = []
        pieces: Iterable[_Piece] = (list(enumerate(plan.chunks)),)
        if any(chunk.targets for chunk in plan.chunks):
            scores = [[] for _ in plan.chunks]
            pieces = split(plan.chunks, self._n_outputs)
        for n_done, piece in enumerate(pieces):
            status = self._decode([chunk for _, chunk in piece])
            if status is not Status.DONE:
                return self._failed(status, plan, undo=n_done > 0)
            self._read(piece, samples, scores)
        return StepOutput(Status.DONE, samples, scores)

    def _apply(self, ops: Sequence[Copy | Remove]) -> None:
        for op in ops:
            if isinstance(op, Copy):
                self._context.copy(op.src, op.dst, op.start, op.end)
            else:
                self._context.remove(op.lane, op.start, op.end)

    def _decode(self, chunks: Sequence[Chunk]) -> Status:
        n_rows = sum(len(chunk.tokens) for chunk in chunks)
        if n_rows > self._batch.capacity:  # llama.cpp would end the process
            raise InternalError(f"A plan has {n_rows} rows; the most is {self.n_batch}.")
        self._batch.fill(chunks)
        return self._context.decode(self._batch)

    def _read(
        self, piece: _Piece, samples: list[Sample | None], scores: list[list[Sample]]
    ) -> None:
        """Score and draw from the rows that were computed, in order."""
        rows = self._context.logits(self._batch.n_wanted)
        n_read, end = 0, 0
        with self._context.handle as context:
            for number, chunk in piece:
                n = len(chunk.tokens)
                end += n
                if chunk.targets:
                    scores[number] += _score(chunk, rows[n_read : n_read + n])
                    n_read += n
                elif chunk.sample:
                    n_read += 1
                if chunk.sample:
                    samples[number] = self._draw(context, chunk, end - 1, rows[n_read - 1])

    def _draw(self, context: int, chunk: Chunk, index: int, row: Row) -> Sample:
        sampler = self._samplers[chunk.key]
        if chunk.logprobs is None:
            return Sample(sampler.sample(context, index, row, chunk.banned))
        logprobs = Logprobs(row)
        token = sampler.sample(context, index, row, chunk.banned)
        return Sample(token, logprobs[token], logprobs.top(chunk.logprobs))

    def _failed(self, status: Status, plan: Plan, *, undo: bool) -> StepOutput:
        """What to answer when a piece of the plan was not computed; `undo` those before it.

        Cells are given back. What samplers drew in those pieces is forgotten, but their seeds have
        moved on.
        """
        if status in (Status.NO_SLOT, Status.INVALID):
            for chunk in plan.chunks if undo else ():
                self._context.remove(chunk.lane, chunk.pos, -1)
            return StepOutput(status)
        lanes = {chunk.lane for chunk in plan.chunks}
        return StepOutput(status, lengths={lane: self.lane_length(lane) for lane in lanes})


_Piece = Sequence[tuple[int, Chunk]]  # with the chunk's number in the plan


def split(chunks: Sequence[Chunk], n_outputs: int) -> Iterator[_Piece]:
    """Numbered chunks in pieces that want the logits of at most `n_outputs` rows each.

    A chunk with targets is cut where a piece is full; its parts keep its number.
    """
    piece: list[tuple[int, Chunk]] = []
    room = n_outputs
    for number, chunk in enumerate(chunks):
        start, n = 0, len(chunk.tokens)
        while start < n:
            if not room:
                yield piece
                piece, room = [], n_outputs
            end = min(start + room, n) if chunk.targets else n
            piece.append((number, _part(chunk, start, end)))
            room -= end - start if chunk.targets else int(chunk.sample)
            start = end
    yield piece


def _part(chunk: Chunk, start: int, end: int) -> Chunk:
    return replace(
        chunk,
        pos=chunk.pos + start,
        tokens=chunk.tokens[start:end],
        targets=chunk.targets[start:end],
        sample=chunk.sample and end == len(chunk.tokens),
    )


def _score(chunk: Chunk, rows: Row) -> Iterator[Sample]:
    for row, target in zip(rows, chunk.targets, strict=False):
        logprobs = Logprobs(row)
        yield Sample(target, logprobs[target], logprobs.top(chunk.logprobs or 0))


def _check_generates(model: LlamaModel) -> None:
    with model.handle as weights:
        encodes = C.llama_model_has_encoder(weights)
        diffuses = C.llama_model_is_diffusion(weights)
    if model.vocab_only:
        reason = "only its vocabulary is loaded"
    elif encodes:
        reason = "models that run an encoder first, such as T5, are not supported"
    elif diffuses:
        reason = "diffusion models, which write all tokens at once, are not supported"
    elif not model.info.causal:
        reason = "it is an encoder, which only computes embeddings"
    else:
        return
    raise ModelError(
        f"{model.name!r} can't generate text: {reason}. Choose another model.",
        code="model_unsupported",
    )
