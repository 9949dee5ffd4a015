"""Between scheduler and runner: one step's work as data, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from mullama.types.sampling import SamplerParams, Token


@dataclass(frozen=True, slots=True)
class Copy:
    """Share the cells of `src` at positions [start, end) with `dst`; nothing is computed."""

    src: int
    dst: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Remove:
    """Take `lane` off its cells at positions [start, end); end -1 means all that follow."""

    lane: int
    start: int
    end: int = -1


@dataclass(eq=False, slots=True)
class Blob:
    """What a lane remembers, outside the KV cache: its cells at positions [start, end), or its
    state.

    The step that saves it fills `data`; until then `n_bytes` is an estimate.
    """

    start: int
    end: int
    n_bytes: int
    data: memoryview | None = None


@dataclass(frozen=True, slots=True)
class Save:
    """Copy the cells of `lane` at the blob's positions out of the KV cache."""

    lane: int
    blob: Blob


@dataclass(frozen=True, slots=True)
class Load:
    """Put the blob's cells at positions [start, end) back, for `lane`, which holds none there.

    All of the blob's cells are in use for a moment, whatever the range.
    """

    blob: Blob
    lane: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SaveState:
    """Copy out what `lane` remembers beside its cells: a recurrent state, a sliding window."""

    lane: int
    blob: Blob


@dataclass(frozen=True, slots=True)
class LoadState:
    """Give `lane` the state that it had at the blob's end, where its cells end too."""

    blob: Blob
    lane: int


Op = Copy | Remove | Save | Load | SaveState | LoadState


@dataclass(frozen=True, slots=True)
class OpenSampler:
    """A sequence is about to sample: `history` is what penalties look back on."""

    key: int
    params: SamplerParams
    history: Sequence[Token]


@dataclass(slots=True)
class Chunk:
    """Consecutive rows of one sequence in this batch.

    Logits are computed for the last row if `sample`, and one token is drawn from them by the
    sampler `key`; tokens in `banned` can't be drawn. `logprobs` as in GenerateOptions. With
    `targets`, logits are computed for every row, and `targets[i]` is scored by row i's.

    With `mask`, only its tokens can be drawn (as `Matcher.mask` gives it). `unseen` are tokens that
    became part of the answer without being drawn, since the sampler drew last.

    The last `n_draft` tokens are a draft, with `sample`: a token is drawn from the row before it
    too, and as long as what is drawn is the draft's next token, another from the row after.
    """

    key: int
    lane: int
    pos: int
    tokens: Sequence[Token]
    sample: bool
    logprobs: int | None = None
    banned: Sequence[Token] = ()
    targets: Sequence[Token] = ()
    n_draft: int = 0
    mask: bytes | None = None
    unseen: Sequence[Token] = ()


@dataclass(slots=True)
class Plan:
    """One step's work, as data: lane operations in order, samplers, then the batch's rows."""

    ops: list[Op] = field(default_factory=list)
    opened: list[OpenSampler] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)  # sampler keys
    chunks: list[Chunk] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.ops or self.opened or self.closed or self.chunks)

    @property
    def n_rows(self) -> int:
        return sum(len(chunk.tokens) for chunk in self.chunks)


class Status(IntEnum):
    """What llama_decode answered (its return values, by name), or LOST."""

    DONE = 0
    NO_SLOT = 1  # no room for the batch; nothing has changed
    ABORTED = 2  # some micro-batches were processed
    LOST = 3  # a blob could not be put back; the operations after it and the rows were not done
    INVALID = -1  # the batch was wrong; nothing has changed
    FATAL = -2  # and below; some micro-batches were processed


@dataclass(frozen=True, slots=True)
class Sample:
    """A drawn token; `logprob` and `top` where the chunk asked for them."""

    token: Token
    logprob: float = 0.0
    top: tuple[tuple[Token, float], ...] = ()


@dataclass(slots=True)
class StepOutput:
    """What came of a plan: the tokens drawn for each chunk, scores for each with targets.

    After any status but DONE the lists are empty. After ABORTED and FATAL, `lengths` has the
    number of positions that each lane of the plan now holds. `seconds_loading` of the step's time
    went into putting `n_bytes_loaded` back from blobs, `seconds_saving` into `n_bytes_saved`.
    """

    status: Status
    samples: list[list[Sample]] = field(default_factory=list)
    scores: list[list[Sample]] = field(default_factory=list)
    lengths: dict[int, int] = field(default_factory=dict)
    n_bytes_loaded: int = 0
    seconds_loading: float = 0.0
    n_bytes_saved: int = 0
    seconds_saving: float = 0.0

    @property
    def seconds_moving(self) -> float:
        return self.seconds_loading + self.seconds_saving
