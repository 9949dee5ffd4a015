"""What goes out: the shapes of answers, as plain dicts with types.

The types check the code that builds answers, and they are what /docs shows of them.
"""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict

TextReason = Literal["stop", "length"]
ChatReason = Literal["stop", "length", "tool_calls", "function_call"]

# ------------------------------------------------------------------------------ shared


class PromptTokensDetails(TypedDict):
    cached_tokens: int
    restored_tokens: int  # of these, from host memory or disk
    disk_tokens: int  # of these, read from disk for this request


class CompletionTokensDetails(TypedDict):
    reasoning_tokens: int
    accepted_prediction_tokens: int
    rejected_prediction_tokens: int


class Usage(TypedDict):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class TimingsAnswer(TypedDict):
    """Where the time went, in milliseconds; `queued_ms` is what passed before the first row."""

    cache_n: int
    prompt_n: int
    prompt_ms: float
    prompt_per_second: float
    predicted_n: int
    predicted_ms: float
    predicted_per_second: float
    queued_ms: float


# ------------------------------------------------------------------------------ chat


class TopLogprob(TypedDict):
    token: str
    bytes: list[int]
    logprob: float


class ChatLogprob(TypedDict):
    token: str
    bytes: list[int]
    logprob: float
    top_logprobs: list[TopLogprob]


class ChatLogprobs(TypedDict):
    """Of thoughts apart, where there are some."""

    content: list[ChatLogprob]
    refusal: None
    reasoning_content: NotRequired[list[ChatLogprob]]


class CalledFunction(TypedDict):
    """`arguments` is JSON text, as the model wrote it."""

    name: str
    arguments: str


class ToolCall(TypedDict):
    id: str
    type: Literal["function"]
    function: CalledFunction


class AnswerMessage(TypedDict):
    """`content` is null where the answer is nothing but calls."""

    role: Literal["assistant"]
    content: str | None
    refusal: None
    reasoning_content: NotRequired[str]
    reasoning: NotRequired[str]
    tool_calls: NotRequired[list[ToolCall]]
    function_call: NotRequired[CalledFunction]


class ChatChoice(TypedDict):
    index: int
    message: AnswerMessage
    logprobs: ChatLogprobs | None
    finish_reason: ChatReason
    token_ids: NotRequired[list[int]]


class ChatCompletion(TypedDict):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: Usage
    timings: NotRequired[TimingsAnswer]
    prompt_token_ids: NotRequired[list[int]]


# ------------------------------------------------------------------------------ completions


class TextLogprobs(TypedDict):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class TextChoice(TypedDict):
    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: TextReason
    token_ids: NotRequired[list[int]]
    prompt_token_ids: NotRequired[list[int]]


class TextCompletion(TypedDict):
    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[TextChoice]
    usage: Usage
    timings: NotRequired[TimingsAnswer]


# ------------------------------------------------------------------------------ embeddings


class Embedding(TypedDict):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    prompt_tokens: int
    total_tokens: int


class EmbeddingList(TypedDict):
    object: Literal["list"]
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


# ------------------------------------------------------------------------------ models, errors


class ModelMeta(TypedDict):
    n_ctx: int
    n_ctx_train: int
    n_embd: int
    n_params: int
    n_vocab: int
    size: int
    architecture: str
    quantization: str


class ModelStatusAnswer(TypedDict):
    value: Literal["unloaded", "loading", "loaded", "failed"]
    error: NotRequired[str]


class ModelAnswer(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    max_model_len: int
    context_length: int
    capabilities: list[str]
    status: ModelStatusAnswer
    parent: str | None
    meta: ModelMeta


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[ModelAnswer]


class ErrorDetail(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(TypedDict):
    error: ErrorDetail
