"""Executes plans: the engine's `Runner`, on one llama_context.

Samplers are closed and opened, lane operations carried out in the order in which they are written,
then the rows computed in one llama_decode. Each row that samples gets its token; nothing is decided
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
from mullama.llama.context import ELEMENT_BYTES, ContextOptions, LlamaContext
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.llama.rows import Logprobs, Row
from mullama.llama.sampler import Samplers
from mullama.llama.transfer import Transfer
from mullama.llama.vocab import LlamaVocab
from mullama.types import Chunk, MemoryKind, ModelInfo, Plan, Sample, Status, StepOutput

SCORED_AT_ONCE = 64  # rows of a plan with targets that are computed in one call


class LlamaRunner:
    """Implements `Runner`. Called from one thread at a time; `close` may come from any."""

    def __init__(self, model: LlamaModel, options: ContextOptions) -> None:
        """Raises ModelError for a model that does not generate text row by row."""
        _check_generates(model)
        self._context = LlamaContext(model, replace(options, n_aside=1, n_outputs=SCORED_AT_ONCE))
        self._transfer = Transfer(self._context, aside=self.n_lanes)
        self.state_bytes = self._transfer.state_bytes
        self.cell_bytes = _cell_bytes(model.info, options)
        self._batch = Batch(self._context.n_batch)
        self.n_outputs = max(SCORED_AT_ONCE, self._context.n_lanes)
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
        for key in plan.closed:
            self._samplers.close(key)
        for opened in plan.opened:
            self._samplers.open(opened.key, opened.params, opened.history)
        loaded, saved = self._transfer.start_counting()
        done = all(map(self._transfer.apply, plan.ops))
        output = self._compute(plan) if done else StepOutput(Status.LOST)
        output.n_bytes_loaded, output.seconds_loading = loaded.n_bytes, loaded.seconds
        output.n_bytes_saved, output.seconds_saving = saved.n_bytes, saved.seconds
        return output

    def _compute(self, plan: Plan) -> StepOutput:
        if not plan.chunks:
            return StepOutput(Status.DONE)
        samples: list[list[Sample]] = [[] for _ in plan.chunks]
        scored = any(chunk.targets for chunk in plan.chunks)
        scores: list[list[Sample]] = [[] for _ in plan.chunks] if scored else []
        for n_done, piece in enumerate(self._pieces(plan, scored)):
            status = self._decode([chunk for _, chunk in piece])
            if status is not Status.DONE:
                return self._failed(status, plan, undo=n_done > 0)
            self._read(piece, samples, scores)
        return StepOutput(Status.DONE, samples, scores)

    def _pieces(self, plan: Plan, scored: bool) -> Iterable[_Piece]:
        """The chunks that are computed in one call each."""
        if scored:
            return split(plan.chunks, self.n_outputs)
        if self._context.n_window and self.memory is MemoryKind.RECURRENT:
            # llama.cpp makes micro-batches of equal lengths for the states, and between two of
            # them loses cells of windows: so each sequence has a call of its own.
            return [[numbered] for numbered in enumerate(plan.chunks)]
        return [list(enumerate(plan.chunks))]

    def _decode(self, chunks: Sequence[Chunk]) -> Status:
        n_rows = sum(len(chunk.tokens) for chunk in chunks)
        if n_rows > self._batch.capacity:  # llama.cpp would end the process
            raise InternalError(f"A plan has {n_rows} rows; the most is {self.n_batch}.")
        self._batch.fill(chunks)
        return self._context.decode(self._batch)

    def _read(self, piece: _Piece, samples: list[list[Sample]], scores: list[list[Sample]]) -> None:
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
                    n_read += 1 + chunk.n_draft
                if chunk.sample:
                    samples[number] = self._follow(context, chunk, end, rows, n_read)

    def _follow(self, context: int, chunk: Chunk, end: int, rows: Row, n_read: int) -> list[Sample]:
        """Draw from the last row, and with a draft from those before it, while it is followed.

        The chunk's rows end at `end` in the batch, and at `n_read` among those with logits.
        """
        drawn: list[Sample] = []
        for n_left in range(chunk.n_draft, -1, -1):
            sample = self._draw(context, chunk, end - 1 - n_left, rows[n_read - 1 - n_left])
            drawn.append(sample)
            if n_left and sample.token != chunk.tokens[-n_left]:
                break
        return drawn

    def _draw(self, context: int, chunk: Chunk, index: int, row: Row) -> Sample:
        sampler = self._samplers[chunk.key]
        if chunk.unseen:
            sampler.see(chunk.unseen)
        if chunk.logprobs is None:
            return Sample(sampler.sample(context, index, row, chunk.banned, chunk.mask))
        logprobs = Logprobs(row)
        token = sampler.sample(context, index, row, chunk.banned, chunk.mask)
        return Sample(token, logprobs[token], logprobs.top(chunk.logprobs))

    def _failed(self, status: Status, plan: Plan, *, undo: bool) -> StepOutput:
        """What to answer when a piece of the plan was not computed; `undo` those before it.

        Cells are given back. What samplers drew in those pieces is forgotten, but their seeds have
        moved on.
        """
        if status in (Status.NO_SLOT, Status.INVALID):
            for chunk in plan.chunks if undo else ():
                self._transfer.remove(chunk.lane, chunk.pos, -1)
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
        n_drawn = 1 + chunk.n_draft if chunk.sample else 0
        while start < n:
            if room < (1 if chunk.targets else n_drawn):
                yield piece
                piece, room = [], n_outputs
            end = min(start + room, n) if chunk.targets else n
            piece.append((number, _part(chunk, start, end)))
            room -= end - start if chunk.targets else n_drawn
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


def _cell_bytes(info: ModelInfo, options: ContextOptions) -> int:
    """Keys and values of one position; the header's number is for two bytes an element."""
    per_element = (ELEMENT_BYTES[options.type_k] + ELEMENT_BYTES[options.type_v]) / 2
    return max(1, round(info.kv_bytes_per_token / 2 * per_element))


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
