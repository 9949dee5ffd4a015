"""The words that all layers share: requests, events, plans, and the protocols between layers.

Frozen dataclasses over the standard library, nothing else. They cross the process border as they
are (msgpack), so they hold plain data only. Counts begin with `n_`, times are seconds as floats.

A request passes through three of these types: `ChatRequest` or `CompletionRequest` (text, as a
client sent it) becomes `GenerateRequest` (tokens, as the engine takes it), which is answered by
`Event`s.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Any, Protocol

from mullama.errors import ErrorInfo, InvalidRequest

Token = int

# --------------------------------------------------------------------------- what a caller asks

MAX_SEED = 2**32 - 2  # llama.cpp reserves 2**32 - 1 for "draw one"


@dataclass(frozen=True, slots=True)
class SamplerParams:
    """How the next token is chosen from the model's distribution.

    The samplers run in llama.cpp's usual order: logit_bias, repetition penalties, DRY, top-n-sigma,
    top-k, typical-p, top-p, min-p, XTC, temperature, and then a draw; Mirostat replaces everything
    from top-n-sigma on. `temperature` 0 takes the most likely token.

    `seed` makes a draw reproducible; None draws a fresh seed for each request.
    `penalty_last_n` and `dry_penalty_last_n` look back that many tokens (-1: the whole context).

    Raises InvalidRequest, naming the field, for a value outside its range.
    """

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    typical_p: float = 1.0
    penalty_repeat: float = 1.1
    penalty_freq: float = 0.0
    penalty_present: float = 0.0
    penalty_last_n: int = 64
    seed: int | None = 0
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    top_n_sigma: float = -1.0
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: tuple[tuple[Token, float], ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in _SAMPLER_RANGES:
            value = getattr(self, name)
            if not low <= value <= high:  # also false for NaN
                raise InvalidRequest(
                    f"{name} is {value}; it must be between {low:g} and {high:g}.", param=name
                )
        if self.seed is not None and not 0 <= self.seed <= MAX_SEED:
            raise InvalidRequest(
                f"seed is {self.seed}; it must be between 0 and {MAX_SEED}.", param="seed"
            )
        if self.mirostat not in (0, 1, 2):
            raise InvalidRequest(
                f"mirostat is {self.mirostat}; it must be 0 (off), 1 or 2.", param="mirostat"
            )
        for _, bias in self.logit_bias:
            if math.isnan(bias):
                raise InvalidRequest("logit_bias holds NaN.", param="logit_bias")
        for breaker in self.dry_sequence_breakers:
            if not _can_break(breaker):
                raise InvalidRequest(
                    f"dry_sequence_breakers holds {breaker!r}; each must be 1 to 40 bytes of text.",
                    param="dry_sequence_breakers",
                )

    @classmethod
    def greedy(cls) -> SamplerParams:
        """Always the most likely token."""
        return cls(temperature=0.0, top_k=1, top_p=1.0, min_p=0.0, penalty_repeat=1.0)

    @classmethod
    def creative(cls) -> SamplerParams:
        """More varied than the default."""
        return cls(temperature=1.1, top_k=100, top_p=0.98, min_p=0.02)

    @classmethod
    def precise(cls) -> SamplerParams:
        """Closer to the most likely token than the default."""
        return cls(temperature=0.3, top_k=20, top_p=0.8, min_p=0.1)

    def with_seed(self, seed: int) -> SamplerParams:
        """A copy with another seed."""
        return replace(self, seed=seed)


def _can_break(text: str) -> bool:
    """Whether llama.cpp takes `text` as a DRY breaker without cutting or dropping it."""
    try:
        return 1 <= len(text.encode()) <= 40 and "\0" not in text
    except UnicodeEncodeError:  # half a surrogate pair
        return False


_BIG = 1e9
_SAMPLER_RANGES: tuple[tuple[str, float, float], ...] = (
    ("temperature", 0.0, 100.0),
    ("top_k", -1, _BIG),
    ("top_p", 0.0, 1.0),
    ("min_p", 0.0, 1.0),
    ("typical_p", 0.0, 1.0),
    ("penalty_repeat", 0.01, 100.0),
    ("penalty_freq", -100.0, 100.0),
    ("penalty_present", -100.0, 100.0),
    ("penalty_last_n", -1, _BIG),
    ("dynatemp_range", 0.0, 100.0),
    ("dynatemp_exponent", 0.0, 100.0),
    ("top_n_sigma", -1.0, 1000.0),
    ("xtc_probability", 0.0, 1.0),
    ("xtc_threshold", 0.0, 1.0),
    ("dry_multiplier", 0.0, 1000.0),
    ("dry_base", 0.0, 1000.0),
    ("dry_allowed_length", 0, _BIG),
    ("dry_penalty_last_n", -1, _BIG),
    ("mirostat_tau", 0.0, 1000.0),
    ("mirostat_eta", 0.0, 1000.0),
)


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """What holds for a generation, whatever its prompt is made from.

    `max_tokens` None means as many as the context has room for. `logprobs` None means none, 0 the
    chosen tokens' only, k the k most likely beside them; they are of the model's distribution
    before sampling. `n` answers are sampled from one prompt, the i-th with `seed + i`.
    `prompt_logprobs` scores the prompt's own tokens too (never from the cache).
    `return_tokens` asks for token ids in the events even where their text is still held back.
    """

    sampler: SamplerParams = field(default_factory=SamplerParams)
    max_tokens: int | None = None
    min_tokens: int = 0
    n: int = 1
    stop: tuple[str, ...] = ()
    stop_tokens: tuple[Token, ...] = ()
    ignore_eos: bool = False
    logprobs: int | None = None
    prompt_logprobs: bool = False
    cache_prompt: bool = True
    return_tokens: bool = False
    special: bool = False  # render control tokens in the answer's text

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 0:
            raise InvalidRequest(
                f"max_tokens is {self.max_tokens}; it must not be negative.", param="max_tokens"
            )
        if self.min_tokens < 0:
            raise InvalidRequest(
                f"min_tokens is {self.min_tokens}; it must not be negative.", param="min_tokens"
            )
        if self.n < 1:
            raise InvalidRequest(f"n is {self.n}; it must be at least 1.", param="n")
        if self.logprobs is not None and not 0 <= self.logprobs <= MAX_LOGPROBS:
            raise InvalidRequest(
                f"{self.logprobs} top logprobs asked for; the most is {MAX_LOGPROBS}.",
                param="logprobs",
            )
        if "" in self.stop:
            raise InvalidRequest("stop holds an empty string.", param="stop")


MAX_LOGPROBS = 100


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to be continued, as plain JSON-like messages for the model's template."""

    messages: tuple[dict[str, Any], ...]
    options: GenerateOptions = field(default_factory=GenerateOptions)
    add_generation_prompt: bool = True
    continue_final_message: bool = False
    template_kwargs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A prompt to be continued: text, or token ids. With `suffix`, the middle is filled in."""

    prompt: str | tuple[Token, ...]
    options: GenerateOptions = field(default_factory=GenerateOptions)
    suffix: str | None = None


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts, or token lists, to be turned into vectors.

    `normalize` scales each vector to unit length. `dimensions` keeps the first so many components
    and normalizes again.
    """

    inputs: tuple[str | tuple[Token, ...], ...]
    dimensions: int | None = None
    normalize: bool = True


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """`vectors[i]` holds `n_embd` little-endian float32 values for `inputs[i]`."""

    vectors: tuple[bytes, ...]
    n_embd: int
    n_tokens: int  # of all inputs together


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A prompt in tokens, as the engine takes it. `id` is unique within one engine."""

    id: int
    prompt: tuple[Token, ...]
    options: GenerateOptions


# ------------------------------------------------------------------------------ what comes back


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"  # the model ended it, or a stop string or token did
    LENGTH = "length"  # max_tokens, or the context is full
    CANCELLED = "cancelled"  # the client no longer wants it


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token, its bytes, its log-probability, and the most likely ones in its place."""

    token: Token
    piece: bytes
    logprob: float
    top: tuple[tuple[Token, bytes, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Where a sequence's time went, in seconds."""

    queued: float = 0.0  # from arrival to the first computed row
    prompt: float = 0.0  # from there to the first token
    predicted: float = 0.0  # from the first token to the last


@dataclass(frozen=True, slots=True)
class Started:
    """The request was accepted: its prompt fits, and it waits for its turn."""

    id: int
    n_prompt: int
    prompt: tuple[Token, ...] = ()  # with return_tokens
    prompt_text: str = ""  # with echo of a prompt given in tokens


@dataclass(frozen=True, slots=True)
class PromptScored:
    """The prompt's own log-probabilities; the first token has none."""

    id: int
    logprobs: tuple[TokenLogprob | None, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of answer `index`, with the tokens that became final with it."""

    id: int
    index: int
    text: str
    n_tokens: int
    tokens: tuple[Token, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """Answer `index` has ended. `stop` is the stop string that ended it, if one did."""

    id: int
    index: int
    reason: FinishReason
    stop: str | None
    n_prompt: int
    n_cached: int  # prompt tokens that were not computed again
    n_generated: int
    timings: Timings


@dataclass(frozen=True, slots=True)
class Failed:
    """The whole request ended with an error; no event of it follows."""

    id: int
    error: ErrorInfo


Event = Started | PromptScored | Delta | Finished | Failed

# --------------------------------------------------------------------------- facts about a model


class ModelKind(StrEnum):
    """What a model is for."""

    GENERATE = "generate"
    EMBED = "embed"
    RERANK = "rerank"


class MemoryKind(StrEnum):
    """What a model remembers of a sequence, and so what a prefix of it is worth.

    ATTENTION: any prefix can be cut and shared. WINDOW: a sliding window forgets old positions.
    RECURRENT: one state a sequence, usable only at exactly its length (hybrids too).
    """

    ATTENTION = "attention"
    WINDOW = "window"
    RECURRENT = "recurrent"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Facts from a model file's header."""

    path: str
    name: str
    architecture: str
    description: str
    size: int  # bytes of all tensors
    n_params: int
    n_ctx_train: int
    n_embd: int
    n_layer: int
    n_head: int
    n_head_kv: int
    n_vocab: int
    kind: ModelKind
    pooling: str | None  # none, mean, cls, last, rank; None where the file does not say
    quantization: str
    chat_template: str | None
    kv_bytes_per_token: int  # at f16
    has_tokenizer: bool = True
    causal: bool = True  # a token sees only those before it


# ------------------------------------------------------- between scheduler and runner: the plan


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
    """

    key: int
    lane: int
    pos: int
    tokens: Sequence[Token]
    sample: bool
    logprobs: int | None = None
    banned: Sequence[Token] = ()
    targets: Sequence[Token] = ()


@dataclass(slots=True)
class Plan:
    """One step's work, as data: lane operations in order, samplers, then the batch's rows."""

    ops: list[Copy | Remove] = field(default_factory=list)
    opened: list[OpenSampler] = field(default_factory=list)
    closed: list[int] = field(default_factory=list)  # sampler keys
    chunks: list[Chunk] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        return sum(len(chunk.tokens) for chunk in self.chunks)


class Status(IntEnum):
    """What llama_decode answered (its return values, by name)."""

    DONE = 0
    NO_SLOT = 1  # no room for the batch; nothing has changed
    ABORTED = 2  # some micro-batches were processed
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
    """What came of a plan: a sample (or None) for each chunk, scores for each with targets.

    After any status but DONE the lists are empty. After ABORTED and FATAL, `lengths` has the
    number of positions that each lane of the plan now holds.
    """

    status: Status
    samples: list[Sample | None] = field(default_factory=list)
    scores: list[list[Sample]] = field(default_factory=list)
    lengths: dict[int, int] = field(default_factory=dict)


class Runner(Protocol):
    """Executes plans. The only one of an engine, called from one thread at a time."""

    @property
    def n_cells(self) -> int:
        """KV cells, shared by all lanes."""
        ...

    @property
    def n_lanes(self) -> int: ...

    @property
    def n_batch(self) -> int:
        """The most rows in one plan."""
        ...

    @property
    def n_ubatch(self) -> int:
        """Rows that are computed at once; a larger plan is computed in pieces."""
        ...

    @property
    def n_tile(self) -> int:
        """Rows from which a batch is computed in tiles; a smaller one may take longer."""
        ...

    @property
    def memory(self) -> MemoryKind: ...

    def execute(self, plan: Plan) -> StepOutput: ...

    def lane_length(self, lane: int) -> int:
        """Positions that `lane` holds: its last one plus 1. For audits."""
        ...


class Embedder(Protocol):
    """Computes a batch of embeddings. Called from one thread at a time."""

    @property
    def n_embd(self) -> int: ...

    @property
    def n_ctx(self) -> int:
        """The most tokens of one input."""
        ...

    @property
    def n_batch(self) -> int:
        """The most tokens of one call."""
        ...

    @property
    def n_lanes(self) -> int:
        """The most inputs of one call."""
        ...

    def embed(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        """A raw vector (not normalized, float32) for each input, in order."""
        ...


class Vocab(Protocol):
    """Tokens and their bytes. Thread-safe."""

    @property
    def n_tokens(self) -> int: ...

    @property
    def bos(self) -> Token | None: ...

    @property
    def eos(self) -> Token | None: ...

    @property
    def eog(self) -> frozenset[Token]:
        """The tokens that end a generation."""
        ...

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[Token]:
        """Tokens of `text`; `add_special` puts BOS and EOS where the model wants them."""
        ...

    def detokenize(
        self,
        tokens: Sequence[Token],
        *,
        remove_special: bool = False,
        unparse_special: bool = False,
    ) -> str: ...

    def piece(self, token: Token, *, special: bool = False) -> bytes:
        """The bytes of one token; a control token has some only with `special`."""
        ...

    def infill(self, prefix: str, suffix: str) -> list[Token] | None:
        """The fill-in-the-middle prompt, or None where the model has no tokens for it."""
        ...


# -------------------------------------------------------------- between host and wire dialects


class ModelState(StrEnum):
    """Where a model stands."""

    UNLOADED = "unloaded"
    LOADING = "loading"
    LOADED = "loaded"
    FAILED = "failed"  # the last start failed; the next request tries again


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """A model that the server offers, and where it stands."""

    name: str
    state: ModelState
    info: ModelInfo
    created: int  # the file's time of change, seconds since the epoch
    n_ctx: int  # positions one request can have, as served
    is_default: bool = False
    n_active: int = 0  # requests being answered or waiting
    error: str | None = None
    progress: float = 0.0  # of loading, from 0 to 1
    stats: Mapping[str, float] = field(default_factory=dict)  # the engine's counters


class Backend(Protocol):
    """What a wire dialect sees of the models: the host, or a fake in tests.

    `name` None or "default" means the default model. Raises NotFound (`model_not_found`) for an
    unknown one, Overloaded while one loads or the queue is full, ModelError when it can't load or
    its worker died, InvalidRequest and ContextLengthExceeded for a request that it can't serve.
    """

    def models(self) -> Sequence[ModelStatus]: ...

    def model(self, name: str | None) -> ModelStatus: ...

    def generate(
        self, name: str | None, request: ChatRequest | CompletionRequest
    ) -> AsyncGenerator[Event, None]:
        """Started, then Deltas and a Finished for each answer. A failure is raised, not yielded.

        Closing the iterator cancels the request.
        """
        ...

    async def embed(self, name: str | None, request: EmbedRequest) -> EmbedResult: ...
