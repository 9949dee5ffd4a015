"""What /v1/models says of a model: OpenAI's fields, and those that clients probe for."""

from __future__ import annotations

from mullama.api.openai.answers import ModelAnswer, ModelStatusAnswer
from mullama.types import ModelKind, ModelStatus


def model_answer(model: ModelStatus) -> ModelAnswer:
    """One model, as OpenAI's clients and local ones expect it."""
    info = model.info
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "mullama",
        "max_model_len": model.n_ctx,
        "context_length": model.n_ctx,
        "capabilities": capabilities(model),
        "status": _status(model),
        "parent": None,
        "meta": {
            "n_ctx": model.n_ctx,
            "n_ctx_train": info.n_ctx_train,
            "n_embd": info.n_embd,
            "n_params": info.n_params,
            "n_vocab": info.n_vocab,
            "size": info.size,
            "architecture": info.architecture,
            "quantization": info.quantization,
        },
    }


def capabilities(model: ModelStatus) -> list[str]:
    """What can be asked of a model."""
    if model.info.kind is ModelKind.RERANK:
        return ["rerank"]
    if model.info.kind is ModelKind.EMBED:
        return ["embedding"]
    chat = ["chat"] if model.info.chat_template else []
    return ["completion", *chat, "embedding"]


def _status(model: ModelStatus) -> ModelStatusAnswer:
    status: ModelStatusAnswer = {"value": model.state.value}
    if model.error is not None:
        status["error"] = model.error
    return status
