"""Models: what a file's header says of one, and where it stands with the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


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
    tool_template: str | None = None  # the chat template where tools are given, if there are two
    response_schema: str | None = None  # how answers are read, as the model's owner states it: JSON


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
