"""What /v1/models says of a model: OpenAI's fields, and those that clients probe for."""

from __future__ import annotations

from mullama.api.openai.answers import ModelAnswer, ModelStatusAnswer
from mullama.text.syntax import Format
from mullama.types import ModelKind, ModelStatus


def model_answer(model: ModelStatus, format: Format | None) -> ModelAnswer:
    """One model, as OpenAI's clients and local ones expect it; `format` is that of its answers."""
    info = model.info
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "mullama",
        "max_model_len": model.n_ctx,
        "context_length": model.n_ctx,
        "capabilities": capabilities(model, format),
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


def capabilities(model: ModelStatus, format: Format | None) -> list[str]:
    """What a model was made for, as far as its file says; "tools" and "thinking" are named as by
    Ollama. Others may be asked for both, too: they are told how to write calls."""
    if model.info.kind is ModelKind.RERANK:
        return ["rerank"]
    if model.info.kind is ModelKind.EMBED:
        return ["embedding"]
    can = {
        "completion": True,
        "chat": bool(model.info.chat_template),
        "embedding": True,
        "tools": format is not None and format.calls_tools and format.calls is not None,
        "thinking": format is not None and format.thinks,
    }
    return [name for name, known in can.items() if known]


def _status(model: ModelStatus) -> ModelStatusAnswer:
    status: ModelStatusAnswer = {"value": model.state.value}
    if model.error is not None:
        status["error"] = model.error
    return status
