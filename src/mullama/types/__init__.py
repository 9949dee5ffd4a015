"""The words that all layers share: requests, events, plans, and the protocols between layers.

Frozen dataclasses over the standard library, nothing else. They cross the process border as they
are (msgpack), so they hold plain data only. Counts begin with `n_`, times are seconds as floats.

A request passes through three of these types: `ChatRequest` or `CompletionRequest` (text, as a
client sent it) becomes `GenerateRequest` (tokens, as the engine takes it), which is answered by
`Event`s.

    sampling    Token, SamplerParams          models     ModelInfo, ModelStatus
    requests    what a caller asks            plan       one step as data, and its output
    events      what comes back               protocols  Vocab, Runner, Embedder, Backend
    constraints what an answer must be, and Matcher, which holds it to that

Import names from here; the modules below are only how they are kept.
"""

from mullama.types.constraints import Constraint, ConstraintKind, Matcher
from mullama.types.events import (
    Delta,
    Event,
    Failed,
    Finished,
    FinishReason,
    Progress,
    PromptScored,
    Started,
    Timings,
    TokenLogprob,
)
from mullama.types.models import (
    MemoryKind,
    ModelInfo,
    ModelKind,
    ModelState,
    ModelStatus,
)
from mullama.types.plan import (
    Blob,
    Chunk,
    Copy,
    Load,
    LoadState,
    Op,
    OpenSampler,
    Plan,
    Remove,
    Sample,
    Save,
    SaveState,
    Status,
    StepOutput,
)
from mullama.types.protocols import (
    Backend,
    Embedder,
    Runner,
    Vocab,
)
from mullama.types.requests import (
    EFFORTS,
    MAX_LOGPROBS,
    THINKING_SHARES,
    WHOLE_INTERVAL,
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    EmbedResult,
    GenerateOptions,
    GenerateRequest,
    Pair,
    RerankRequest,
    RerankResult,
    TokenizeRequest,
    TokenizeResult,
    ToolChoice,
    ToolMode,
)
from mullama.types.sampling import (
    MAX_SEED,
    SamplerParams,
    Token,
)

__all__ = [
    "EFFORTS",
    "MAX_LOGPROBS",
    "MAX_SEED",
    "THINKING_SHARES",
    "WHOLE_INTERVAL",
    "Backend",
    "Blob",
    "ChatRequest",
    "Chunk",
    "CompletionRequest",
    "Constraint",
    "ConstraintKind",
    "Copy",
    "Delta",
    "EmbedRequest",
    "EmbedResult",
    "Embedder",
    "Event",
    "Failed",
    "FinishReason",
    "Finished",
    "GenerateOptions",
    "GenerateRequest",
    "Load",
    "LoadState",
    "Matcher",
    "MemoryKind",
    "ModelInfo",
    "ModelKind",
    "ModelState",
    "ModelStatus",
    "Op",
    "OpenSampler",
    "Pair",
    "Plan",
    "Progress",
    "PromptScored",
    "Remove",
    "RerankRequest",
    "RerankResult",
    "Runner",
    "Sample",
    "SamplerParams",
    "Save",
    "SaveState",
    "Started",
    "Status",
    "StepOutput",
    "Timings",
    "Token",
    "TokenLogprob",
    "TokenizeRequest",
    "TokenizeResult",
    "ToolChoice",
    "ToolMode",
    "Vocab",
]
