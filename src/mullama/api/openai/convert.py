"""Bodies become requests: the wire's names and habits end here. Pure functions.

Every rule that a schema can't state is checked here, so that errors carry the wire's field names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from mullama.api.openai.embeddings import truncation
from mullama.api.openai.refuse import CONSTRAINTS, refuse_other_inputs, unsupported
from mullama.api.openai.sampling import sampler
from mullama.api.openai.schema import (
    ChatBody,
    CompletionBody,
    ContentPart,
    EmbeddingBody,
    GenerationBody,
    Message,
    Token,
)
from mullama.api.openai.thinking import thinking
from mullama.api.openai.tools import choice, tools
from mullama.errors import InvalidRequest
from mullama.types import (
    WHOLE_INTERVAL,
    ChatRequest,
    CompletionRequest,
    Constraint,
    EmbedRequest,
    GenerateOptions,
)

MAX_STOPS = 64  # each one is looked for at every token
MAX_STOP = 4096  # characters; so much text may be held back until it is certain
# What a text is called in content parts, the Responses API's two names included.
_TEXTS = ("text", "input_text", "output_text")
MAX_ANSWERS = 4096  # of one request: each costs the server some memory before it begins

# ------------------------------------------------------------------------------ chat


def chat_request(body: ChatBody) -> ChatRequest:
    """A conversation, as the model's template takes it. Raises InvalidRequest."""
    if not body.messages:
        raise InvalidRequest("messages is empty; send at least one.", param="messages")
    top = body.top_logprobs
    if top and not body.logprobs:
        raise InvalidRequest("top_logprobs needs logprobs to be true.", param="top_logprobs")
    limit = _max_tokens(body, "max_completion_tokens", "max_tokens", "n_predict")
    offered, asked = tools(body), thinking(body)
    return ChatRequest(
        messages=tuple(_message(i, message) for i, message in enumerate(body.messages)),
        options=_options(
            body, limit, n=body.n or 1, logprobs=(top or 0) if body.logprobs else None
        ),
        add_generation_prompt=_add_generation_prompt(body),
        continue_final_message=bool(body.continue_final_message),
        template_kwargs=asked.variables,
        tools=offered,
        tool_choice=choice(body, offered),
        thinking_budget=asked.budget,
        thinking_share=asked.share,
        last_words=asked.last_words,
    )


def _add_generation_prompt(body: ChatBody) -> bool:
    if not body.continue_final_message:
        return body.add_generation_prompt is not False
    if body.add_generation_prompt:
        raise InvalidRequest(
            "add_generation_prompt and continue_final_message can't both be true: an answer is "
            "either begun or continued.",
            param="add_generation_prompt",
        )
    return False


def _message(index: int, message: Message) -> dict[str, Any]:
    """A message without its nulls: SDKs send them, and templates ask whether a key is there."""
    param = f"messages[{index}]"
    if message.get("audio") is not None:
        raise unsupported("audio in a message", f"{param}.audio", "Send text.")
    kept: dict[str, Any] = {key: value for key, value in message.items() if value is not None}
    reasoning = kept.pop("reasoning", None)
    if reasoning is not None:
        kept.setdefault("reasoning_content", reasoning)
    content = message.get("content")
    if isinstance(content, list):
        kept["content"] = [_part(f"{param}.content[{i}]", part) for i, part in enumerate(content)]
    elif content is None:
        kept["content"] = _no_content(param, kept)
    return kept


def _no_content(param: str, message: dict[str, Any]) -> str | None:
    """What stands for a missing content: who asks must say something, a tool may return nothing."""
    if message["role"] in ("tool", "function"):
        return ""
    if message["role"] != "assistant":
        raise InvalidRequest(
            f"{param}.content is missing; only an assistant's or a tool's message can do without.",
            param=f"{param}.content",
        )
    refusal: str | None = message.pop("refusal", None)
    return refusal


def _part(param: str, part: ContentPart) -> dict[str, Any]:
    kind = part["type"]
    if kind not in (*_TEXTS, "refusal"):
        raise unsupported(f"A content part of type {kind!r}", param, "Send text parts.")
    name = "refusal" if kind == "refusal" else "text"
    text = part.get("refusal") if kind == "refusal" else part.get("text")
    if text is None:
        raise InvalidRequest(f"{param}.{name} is missing.", param=f"{param}.{name}")
    return {**part, "type": "text", "text": text}


# ------------------------------------------------------------------------------ completions


def completion_requests(body: CompletionBody) -> list[CompletionRequest]:
    """One request for each prompt, in order. Raises InvalidRequest."""
    n = body.n or 1
    sampled = body.best_of or n
    _check_best_of(body, n, sampled)
    logprobs = body.logprobs
    if sampled > n and logprobs is None:
        logprobs = 0  # the best are found by them
    prompts = _texts(body.prompt, "prompt", empty_text=True)
    if len(prompts) * sampled > MAX_ANSWERS:
        raise InvalidRequest(
            f"prompt has {len(prompts)} texts with {sampled} answers each; the most is "
            f"{MAX_ANSWERS} answers in all. Send several requests.",
            param="prompt",
        )
    options = _options(
        body,
        _max_tokens(body, "max_tokens", "n_predict"),
        n=sampled,
        logprobs=logprobs,
        prompt_logprobs=bool(body.echo) and body.logprobs is not None,
    )
    return [CompletionRequest(prompt, options, suffix=body.suffix or None) for prompt in prompts]


def _check_best_of(body: CompletionBody, n: int, sampled: int) -> None:
    if sampled < n:
        raise InvalidRequest(f"best_of is {sampled}, less than n ({n}).", param="best_of")
    if sampled > n and body.stream:
        raise InvalidRequest(
            "best_of can't be streamed: the best answer is known when all have ended.",
            param="best_of",
        )


# ------------------------------------------------------------------------------ embeddings


def embed_request(body: EmbeddingBody) -> EmbedRequest:
    """The inputs, in order. Raises InvalidRequest."""
    refuse_other_inputs(body)
    return EmbedRequest(
        inputs=tuple(_texts(body.input, "input", empty_text=False)),
        dimensions=body.dimensions,
        normalize=body.normalize is not False,
        truncate=truncation(body.truncate, body.truncate_prompt_tokens),
    )


# ------------------------------------------------------------------------------ shared

R = TypeVar("R", ChatRequest, CompletionRequest)


def from_address(request: R, address: str) -> R:
    """The same request, from whoever has this address if it does not say who asks."""
    if request.options.caller:
        return request
    return replace(request, options=replace(request.options, caller=address))


def _texts(value: Any, name: str, *, empty_text: bool) -> list[str | tuple[Token, ...]]:
    """The four shapes of a prompt or an input as one: a list of texts or token ids."""
    several = not isinstance(value, str) and not (value and isinstance(value[0], int))
    given = value if several else [value]
    if not given:
        raise InvalidRequest(f"{name} is empty; send at least one.", param=name)
    for index, one in enumerate(given):
        if not one and not (empty_text and one == ""):
            param = f"{name}[{index}]" if several else name
            raise InvalidRequest(f"{param} is empty.", param=param)
    return [one if isinstance(one, str) else tuple(one) for one in given]


def _options(
    body: GenerationBody,
    max_tokens: int | None,
    *,
    n: int,
    logprobs: int | None,
    prompt_logprobs: bool = False,
) -> GenerateOptions:
    min_tokens = body.min_tokens or 0
    if max_tokens is not None and min_tokens > max_tokens:
        raise InvalidRequest(
            f"min_tokens is {min_tokens}, more than max_tokens ({max_tokens}).", param="min_tokens"
        )
    return GenerateOptions(
        sampler=sampler(body),
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        n=n,
        stop=_stop(body),
        stop_tokens=tuple(body.stop_token_ids or ()),
        ignore_eos=bool(body.ignore_eos),
        logprobs=logprobs,
        prompt_logprobs=prompt_logprobs,
        cache_prompt=body.cache_prompt is not False,
        return_tokens=bool(body.return_token_ids),
        special=body.skip_special_tokens is False,
        cache_salt=body.cache_salt or "",
        priority=body.priority or 0,
        caller=body.user or "",
        max_wait=body.max_wait,
        progress=bool(body.stream and body.return_progress),
        constraint=_constraint(body),
        # In a chat each token counts for the channel that it was told in.
        delta_interval=0.0 if body.stream or isinstance(body, ChatBody) else WHOLE_INTERVAL,
    )


def _constraint(body: GenerationBody) -> Constraint | None:
    """What the answer must look like, by any of the fields that clients say it with."""
    given = {
        **{name: getattr(body, name) for name in body.model_fields_set},
        **(body.model_extra or {}),
    }
    fields = {name: given[name] for name in CONSTRAINTS & given.keys()}
    if all(value is None for value in fields.values()):
        return None
    # Not for those who never constrain: what reads them takes memory.
    from mullama.text.constraint.wire import from_fields

    return from_fields(fields)


def _stop(body: GenerationBody) -> tuple[str, ...]:
    stop = body.stop or ()
    stops = tuple(text for text in ((stop,) if isinstance(stop, str) else stop) if text)
    if len(stops) > MAX_STOPS:
        raise InvalidRequest(f"stop has {len(stops)} texts; the most is {MAX_STOPS}.", param="stop")
    longest = max(map(len, stops), default=0)
    if longest > MAX_STOP:
        raise InvalidRequest(
            f"stop holds a text of {longest} characters; the most is {MAX_STOP}.", param="stop"
        )
    return stops


def _max_tokens(body: GenerationBody, *names: str) -> int | None:
    """The limit, by any of its names; None where there is none. Of several, all hold."""
    given = [getattr(body, name) for name in names]
    return min((limit for limit in given if limit not in (None, -1)), default=None)
