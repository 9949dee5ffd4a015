"""Run GGUF language models: one daemon for every client, and the same engine in Python.

    from mullama import Model, Context, SamplerParams, EmbeddingGenerator

Names are loaded when they are first used, so importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mullama.errors import (
        ContextLengthExceeded,
        InternalError,
        InvalidRequest,
        ModelError,
        MullamaError,
        NotFound,
        Overloaded,
    )
    from mullama.library import (
        AsyncChatStream,
        ChatAnswer,
        ChatStream,
        Context,
        EmbeddingGenerator,
        Model,
        Reranker,
        cosine_similarity,
        devices,
        max_devices,
        supports_gpu_offload,
        system_info,
    )
    from mullama.types import Constraint, SamplerParams

__version__ = "0.1.0"

__all__ = [
    "AsyncChatStream",
    "ChatAnswer",
    "ChatStream",
    "Constraint",
    "Context",
    "ContextLengthExceeded",
    "EmbeddingGenerator",
    "InternalError",
    "InvalidRequest",
    "Model",
    "ModelError",
    "MullamaError",
    "NotFound",
    "Overloaded",
    "Reranker",
    "SamplerParams",
    "__version__",
    "cosine_similarity",
    "devices",
    "max_devices",
    "supports_gpu_offload",
    "system_info",
]

_HOMES = dict.fromkeys(("Constraint", "SamplerParams"), "types") | dict.fromkeys(
    (
        "ContextLengthExceeded",
        "InternalError",
        "InvalidRequest",
        "ModelError",
        "MullamaError",
        "NotFound",
        "Overloaded",
    ),
    "errors",
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'library')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
