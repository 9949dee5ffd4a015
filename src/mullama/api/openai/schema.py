"""What comes in: the bodies of requests, every field with its type.

Types are strict: "5" is no number and 1 is no truth. Null means that a field was left out. The
fields that would change an answer in ways that this server can't are declared, too, and refused by
`refuse`; hints, which change no answer, are accepted. Names that are not declared stay in
`model_extra`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, Required, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    with_config,
)
from typing_extensions import TypedDict

from mullama.api.errors import SHAPE
from mullama.api.openai.values import (
    BoolOrObject,
    BoolOrString,
    Duration,
    LogitBias,
    Name,
    ObjectHint,
    StringOrObject,
    SwitchHint,
    TextHint,
    Whole,
)

MAX_TOKEN = 2**31 - 1
MAX_N = 128  # answers to one prompt
MAX_STOP_TOKENS = 1024  # each one is looked at for every token
MAX_TEXTS = 65536  # inputs of one request; as many vectors of 1,024 components fit one answer

Token = Annotated[int, Field(ge=0, le=MAX_TOKEN)]
Count = Annotated[Whole, Field(ge=0, le=MAX_TOKEN)]
CountOrMinus1 = Annotated[Whole, Field(ge=-1, le=MAX_TOKEN)]
JsonObject = dict[str, Any]
T = TypeVar("T")
# The first wrong item is enough: a list of a million would make a million errors.
Items = Annotated[list[T], Field(fail_fast=True)]

Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


def _shape(value: Any) -> str | None:
    """Which member of a union of strings, lists and lists of lists a value is to be taken for.

    A list is judged by its first item; validation then says which of the others differs.
    """
    if isinstance(value, str):
        return "#text"
    if not isinstance(value, list):
        return None
    if not value or isinstance(value[0], str):
        return "#texts"
    if isinstance(value[0], list):
        return "#token_lists"
    return "#tokens" if isinstance(value[0], int | float) else None


def _union(shapes: str) -> Discriminator:
    return Discriminator(_shape, custom_error_type=SHAPE, custom_error_message=f"must be {shapes}")


Texts = Annotated[
    Annotated[str, Tag("#text")]
    | Annotated[Items[str], Field(max_length=MAX_TEXTS), Tag("#texts")]
    | Annotated[Items[Token], Tag("#tokens")]
    | Annotated[Items[Items[Token]], Field(max_length=MAX_TEXTS), Tag("#token_lists")],
    _union("a string, a list of strings, a list of token ids, or a list of such lists"),
]
Stop = Annotated[
    Annotated[str, Tag("#text")] | Annotated[Items[str], Tag("#texts")],
    _union("a string or a list of strings"),
]


class Body(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="allow", allow_inf_nan=False, protected_namespaces=()
    )


class StreamOptions(Body):
    """How a stream is to be sent."""

    include_usage: bool | None = Field(None, description="Send the usage in a last chunk.")
    include_obfuscation: bool | None = Field(None, description="A hint: nothing is obfuscated.")


class GenerationBody(Body):
    """What chat and plain completions have in common."""

    model: str | None = Field(
        None, description='A name from /v1/models; none, or "default", means the default model.'
    )
    stream: bool | None = Field(
        None, description="Send the answer as it comes, as server-sent events."
    )
    stream_options: StreamOptions | None = Field(None, description="How a stream is to be sent.")

    max_tokens: CountOrMinus1 | None = Field(
        None, description="Most tokens of an answer; -1 or none: as many as the context has room."
    )
    n_predict: CountOrMinus1 | None = Field(None, description="The same as max_tokens.")
    min_tokens: Count | None = Field(None, description="Tokens before the model may end.")
    n: Annotated[Whole, Field(ge=1, le=MAX_N)] | None = Field(
        None, description="Answers to each prompt."
    )
    stop: Stop | None = Field(
        None,
        description="Up to 64 texts that end an answer; not part of it. Empty ones don't count.",
    )
    stop_token_ids: Annotated[Items[Token], Field(max_length=MAX_STOP_TOKENS)] | None = Field(
        None, description="Up to 1024 token ids that end an answer."
    )
    ignore_eos: bool | None = Field(
        None, description="Go on until max_tokens: the model can't end."
    )
    seed: Whole | None = Field(
        None, description="Makes draws reproducible; none or a negative one: a fresh seed."
    )

    temperature: float | None = Field(None, description="Default 0.8; 0: the most likely token.")
    dynatemp_range: float | None = Field(
        None, description="Temperature varies by so much with the entropy; 0: off."
    )
    dynatemp_exponent: float | None = Field(
        None, description="How entropy becomes temperature; default 1."
    )
    top_k: Whole | None = Field(None, description="Default 40.")
    top_p: float | None = Field(None, description="Default 0.95.")
    min_p: float | None = Field(None, description="Default 0.05.")
    typical_p: float | None = Field(None, description="Locally typical sampling; default 1: off.")
    top_n_sigma: float | None = Field(
        None, description="Only logits within n standard deviations of the best; default -1: off."
    )
    xtc_probability: float | None = Field(
        None, description="How often the likeliest choices are left out; default 0: off."
    )
    xtc_threshold: float | None = Field(
        None, description="The least probability of a choice that xtc may leave out; default 0.1."
    )
    repeat_penalty: float | None = Field(None, description="Default 1: none.")
    repetition_penalty: float | None = Field(None, description="The same as repeat_penalty.")
    repeat_last_n: Whole | None = Field(
        None, description="Tokens that the penalties look back on; -1: the whole context."
    )
    frequency_penalty: float | None = Field(
        None, description="Taken from a token's logit for each time it occurred."
    )
    presence_penalty: float | None = Field(
        None, description="Taken from a token's logit if it occurred."
    )
    dry_multiplier: float | None = Field(
        None, description="Strength of the penalty on repeated sequences; default 0: off."
    )
    dry_base: float | None = Field(
        None, description="How it grows with the sequence's length; default 1.75."
    )
    dry_allowed_length: Whole | None = Field(
        None, description="The longest repetition without penalty; default 2."
    )
    dry_penalty_last_n: Whole | None = Field(
        None, description="Tokens that it looks back on; default -1: the whole context."
    )
    dry_sequence_breakers: Items[str] | None = Field(
        None, description="Texts across which no repetition is seen."
    )
    mirostat: Whole | None = Field(
        None, description="0: off; 1 or 2: the version, instead of the filters above."
    )
    mirostat_tau: float | None = Field(
        None, description="The surprise that mirostat aims at; default 5."
    )
    mirostat_eta: float | None = Field(None, description="How fast mirostat adapts; default 0.1.")
    logit_bias: LogitBias = Field(
        None,
        description="Token id to bias, -100 to 100, or false for never; or a list of such pairs.",
    )

    cache_prompt: bool | None = Field(None, description="Default true: reuse computed prefixes.")
    return_token_ids: bool | None = Field(
        None, description="Send the ids of prompt and answer, too."
    )
    timings: bool | None = Field(None, description="Default true: where the time went.")
    skip_special_tokens: bool | None = Field(
        None, description="Default true; false shows control tokens as text."
    )

    user: Name | None = Field(
        None, description="Who asks: those who wait share what is served by it, or by address."
    )
    metadata: ObjectHint = Field(None, description="A hint.")
    store: SwitchHint = Field(None, description="A hint: nothing is stored.")
    service_tier: TextHint = Field(None, description="A hint.")
    safety_identifier: TextHint = Field(None, description="A hint.")
    prompt_cache_key: TextHint = Field(None, description="A hint: every prefix is cached.")
    prompt_cache_options: ObjectHint = Field(None, description="A hint.")
    prompt_cache_retention: TextHint = Field(None, description="A hint.")
    priority: Whole | None = Field(
        None, ge=-1_000_000, le=1_000_000, description="Default 0; lower goes first."
    )
    max_wait: float | None = Field(
        None, ge=0, description="Seconds to wait for a turn, 0 for any time; then 503."
    )
    keep_alive: Duration = Field(None, description="A hint.")
    ttl: Duration = Field(None, description="A hint.")
    return_progress: bool | None = Field(
        None, description="In a stream, chunks with prompt_progress while the prompt is computed."
    )
    timings_per_token: SwitchHint = Field(None, description="A hint.")

    response_format: JsonObject | None = Field(
        None, description="text, json_object or json_schema: what the answer is held to."
    )
    grammar: StringOrObject = Field(None, description="A GBNF or Lark grammar for the answer.")
    json_schema: JsonObject | None = Field(None, description="A schema for the answer.")
    structured_outputs: JsonObject | None = Field(
        None, description="One of json, regex, choice, grammar, json_object."
    )
    lora: Items[JsonObject] | None = Field(None, description="Refused, unless empty.")
    cache_salt: str | None = Field(
        None, max_length=256, description="Cached prefixes are shared where this is the same."
    )


@with_config(strict=True, extra="allow")
class ContentPart(TypedDict):
    """A piece of a message's content: of type text, or in an assistant's message refusal.

    The Responses API's input_text and output_text are text.
    """

    type: Required[str]
    text: NotRequired[str]
    refusal: NotRequired[str]


Content = Annotated[
    Annotated[str, Tag("#text")] | Annotated[Items[ContentPart], Tag("#parts")],
    Discriminator(
        lambda value: {str: "#text", list: "#parts"}.get(type(value)),
        custom_error_type=SHAPE,
        custom_error_message="must be a string or a list of parts",
    ),
]


@with_config(strict=True, extra="allow")
class Message(TypedDict):
    """One message. The model's template gets it as it is, fields that it alone knows included."""

    role: Required[Literal["system", "developer", "user", "assistant", "tool", "function"]]
    content: NotRequired[Content | None]
    name: NotRequired[str | None]
    tool_calls: NotRequired[Items[JsonObject] | None]
    tool_call_id: NotRequired[str | None]
    function_call: NotRequired[JsonObject | None]
    refusal: NotRequired[str | None]
    reasoning_content: NotRequired[str | None]
    reasoning: NotRequired[str | None]
    audio: NotRequired[JsonObject | None]


class ChatBody(GenerationBody):
    """POST /v1/chat/completions"""

    messages: Items[Message] = Field(description="The conversation so far, oldest first.")
    max_completion_tokens: CountOrMinus1 | None = Field(
        None, description="The same as max_tokens; of several limits the least holds."
    )
    logprobs: bool | None = Field(
        None, description="Send each token's log-probability, before sampling."
    )
    top_logprobs: Annotated[Whole, Field(ge=0, le=20)] | None = Field(
        None, description="How many likely tokens to list beside each chosen one; needs logprobs."
    )
    chat_template_kwargs: JsonObject | None = Field(
        None, description="Variables for the model's template, such as enable_thinking."
    )
    add_generation_prompt: bool | None = Field(None, description="Default true.")
    continue_final_message: bool | None = Field(
        None, description="Continue the last message instead of answering it."
    )

    tools: Items[JsonObject] | None = Field(
        None, description="Functions that the model may call, with names and parameters."
    )
    tool_choice: StringOrObject = Field(
        None, description="auto (default), none, required, one function, or allowed_tools."
    )
    parallel_tool_calls: bool | None = Field(
        None,
        description="Default true, false where one function is named: one call an answer at most.",
    )
    functions: Items[JsonObject] | None = Field(
        None, description="The old form of tools; calls come in the old form, too."
    )
    function_call: StringOrObject = Field(
        None, description="For functions: auto, none, or one by name."
    )
    reasoning_effort: Effort | None = Field(
        None, description="How hard to think; none: not at all."
    )
    enable_thinking: bool | None = Field(
        None, description="Whether to think, where the model's template leaves it open."
    )
    reasoning_format: Literal["auto", "deepseek", "none"] | None = Field(
        None, description="auto (default): thoughts come apart; none: in the content, with marks."
    )
    thinking_budget_tokens: CountOrMinus1 | None = Field(
        None, description="Most tokens of thoughts; 0: no thought; -1 or none: no limit."
    )
    thinking_budget: CountOrMinus1 | None = Field(
        None, description="The same as thinking_budget_tokens."
    )
    thinking_token_budget: CountOrMinus1 | None = Field(
        None, description="The same as thinking_budget_tokens."
    )
    reasoning_budget: CountOrMinus1 | None = Field(
        None, description="The same as thinking_budget_tokens."
    )
    reasoning_budget_tokens: CountOrMinus1 | None = Field(
        None, description="The same as thinking_budget_tokens."
    )
    reasoning_budget_message: str | None = Field(
        None, max_length=4096, description="Written where the budget closes a thought."
    )
    reasoning: JsonObject | None = Field(
        None, description="effort, max_tokens (the budget), enabled, exclude."
    )
    thinking: BoolOrObject = Field(
        None, description="Whether to think; or type (enabled, disabled, adaptive), budget_tokens."
    )
    think: BoolOrString = Field(None, description="Whether to think, or an effort.")
    include_reasoning: bool | None = Field(
        None, description="Default true; false: thoughts are not sent."
    )
    verbosity: Literal["low", "medium", "high"] | None = Field(
        None, description="How much to say, where the model's template knows it; else a hint."
    )
    modalities: Items[str] | None = Field(None, description="Only text.")
    audio: JsonObject | None = Field(None, description="Refused.")
    prediction: ObjectHint = Field(
        None, description="A hint: drafts are looked up in the conversation."
    )
    moderation: JsonObject | None = Field(None, description="Refused.")
    web_search_options: JsonObject | None = Field(None, description="Refused.")


class CompletionBody(GenerationBody):
    """POST /v1/completions"""

    prompt: Texts = Field(description="One prompt or several, as text or token ids.")
    suffix: str | None = Field(
        None, description="Text after the answer: the model fills in the middle."
    )
    echo: bool | None = Field(None, description="Begin the answer with the prompt.")
    logprobs: Annotated[Whole, Field(ge=0)] | None = Field(
        None, description="How many likely tokens to list beside each chosen one."
    )
    best_of: Annotated[Whole, Field(ge=1, le=MAX_N)] | None = Field(
        None, description="Sample so many answers and return the n most likely."
    )


class EmbeddingBody(Body):
    """POST /v1/embeddings"""

    model: str | None = Field(
        None, description='A name from /v1/models; none, or "default", means the default model.'
    )
    input: Texts = Field(description="One input or several, as text or token ids.")
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="Default float; base64 is little-endian float32."
    )
    dimensions: Annotated[Whole, Field(ge=1, le=MAX_TOKEN)] | None = Field(
        None, description="Keep the first so many components, scaled to unit length."
    )
    normalize: bool | None = Field(None, description="Default true: vectors have unit length.")
    truncate: bool | None = Field(
        None, description="Cut inputs that don't fit into the context; default: an error."
    )
    truncate_prompt_tokens: CountOrMinus1 | None = Field(
        None, description="Cut inputs that have more tokens; -1: as many as fit."
    )
    user: Name | None = Field(
        None, description="Who asks: those who wait share what is served by it, or by address."
    )
