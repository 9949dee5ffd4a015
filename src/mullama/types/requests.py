"""What a caller asks: text as a client sent it, then tokens as the engine takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from mullama.errors import InvalidRequest
from mullama.types.constraints import Constraint, Matcher
from mullama.types.sampling import SamplerParams, Token


@dataclass(frozen=True, slots=True)
class GenerateOptions:
    """What holds for a generation, whatever its prompt is made from.

    `max_tokens` None means as many as the context has room for. `logprobs` None means none, 0 the
    chosen tokens' only, k the k most likely beside them; they are of the model's distribution
    before sampling. `n` answers are sampled from one prompt, the i-th with `seed + i`.
    `prompt_logprobs` scores the prompt's own tokens too (never from the cache).
    `return_tokens` asks for token ids in the events even where their text is still held back.
    Requests share cached prefixes where their `cache_salt` is the same. Of those that wait, lower
    `priority` goes first, and callers of one priority share what is served; `max_wait` is how many
    seconds a request may wait to begin, 0 for any time. `progress` asks for events while the prompt
    is computed. An answer is held to its `constraint`. `special` renders all control tokens in the
    answer's text, `shown` just these, one that ends the answer included. Text is handed out as it
    comes, or every `delta_interval` seconds at most: each time costs its reader, and the processor
    that computes, more than a token of a small model.
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
    special: bool = False
    shown: tuple[Token, ...] = ()
    cache_salt: str = ""
    priority: int = 0
    caller: str = ""
    max_wait: float | None = None
    progress: bool = False
    constraint: Constraint | None = None
    delta_interval: float = 0.0

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
        if not self.delta_interval >= 0:  # also for NaN
            raise InvalidRequest(
                f"delta_interval is {self.delta_interval}; it must be seconds, 0 or more.",
                param="delta_interval",
            )
        if "" in self.stop:
            raise InvalidRequest("stop holds an empty string.", param="stop")
        if self.max_wait is not None and not self.max_wait >= 0:  # also for NaN
            raise InvalidRequest(
                f"max_wait is {self.max_wait}; it must be seconds, 0 or more.", param="max_wait"
            )


MAX_LOGPROBS = 100
# Seconds between two deltas of an answer that is wanted whole.
WHOLE_INTERVAL = 0.2
# How hard to think, from not at all; and what an effort may take of the room for an answer where a
# model's template knows none: those that are missing may take all of it.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
THINKING_SHARES: Mapping[str, float] = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8}


class ToolMode(StrEnum):
    """Whether an answer calls tools."""

    NONE = "none"
    AUTO = "auto"  # as the model likes
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Which calls an answer may have: of these tools, or of any. `parallel`: several at once."""

    mode: ToolMode = ToolMode.AUTO
    names: tuple[str, ...] = ()
    parallel: bool = True


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A conversation to be continued, as plain JSON-like messages for the model's template.

    Messages and `tools` have OpenAI's form, as they were given. `template_kwargs` are variables of
    the template's own. `marks` are the texts by which a reader tells the answer's channels apart:
    they are written even where they are control tokens, and Started says what the prompt has
    `opened`. Only of an answer that is read so can thoughts and calls be told from its words: then
    a constraint holds for the words, calls are held to the tools, and thoughts to a
    `thinking_budget` of so many tokens. Otherwise a constraint holds for the answer as a whole.

    Without a budget, `thinking_share` gives one to a model that thinks and whose template knows no
    efforts: that share of the tokens that there is room for. `last_words` are written where a
    thought is closed because its budget is spent.
    """

    messages: tuple[dict[str, Any], ...]
    options: GenerateOptions = field(default_factory=GenerateOptions)
    add_generation_prompt: bool = True
    continue_final_message: bool = False
    template_kwargs: dict[str, Any] = field(default_factory=dict)
    tools: tuple[dict[str, Any], ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    marks: tuple[str, ...] = ()
    thinking_budget: int | None = None
    thinking_share: float | None = None
    last_words: str = ""

    @property
    def offered(self) -> tuple[dict[str, Any], ...]:
        """The tools that the answer may call, which are all that the model is told of."""
        if self.tool_choice.mode is ToolMode.NONE:
            return ()
        names = self.tool_choice.names
        return tuple(tool for tool in self.tools if not names or tool["function"]["name"] in names)


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A prompt to be continued: text, or token ids. With `suffix`, the middle is filled in.

    The control tokens in `marks` are written.
    """

    prompt: str | tuple[Token, ...]
    options: GenerateOptions = field(default_factory=GenerateOptions)
    suffix: str | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts, or token lists, to be turned into vectors.

    `normalize` scales each vector to unit length. `dimensions` keeps the first so many components
    and normalizes again. `truncate` None cuts nothing: an input that is longer than the model's
    context is an error. Otherwise inputs end after so many tokens, 0 means as many as fit.
    """

    inputs: tuple[str | tuple[Token, ...], ...]
    dimensions: int | None = None
    normalize: bool = True
    truncate: int | None = None


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """`vectors[i]` holds `n_embd` little-endian float32 values for `inputs[i]`."""

    vectors: tuple[bytes, ...]
    n_embd: int
    n_tokens: int  # of all inputs together


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """Documents to be scored by how well each answers the query.

    A score is a probability, or with `raw` its log-odds. Query and document go into the model
    together; where they are too long `truncate` is as in EmbedRequest, and cuts the document.
    `max_document` cuts every document that has more tokens.
    """

    query: str
    documents: tuple[str, ...]
    raw: bool = False
    truncate: int | None = None
    max_document: int | None = None


@dataclass(frozen=True, slots=True)
class RerankResult:
    """`scores[i]` is that of `documents[i]`."""

    scores: tuple[float, ...]
    n_tokens: int  # of all pairs together


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """Text, or a conversation as the model is given it, to be turned into tokens.

    `add_special` puts BOS and EOS where the model wants them, and with `parse_special` text that
    names a control token becomes it; a conversation's template decides both.
    """

    source: str | ChatRequest
    add_special: bool = True
    parse_special: bool = True
    with_pieces: bool = False


@dataclass(frozen=True, slots=True)
class TokenizeResult:
    """The tokens; each one's bytes, if they were asked for; the text of a conversation."""

    tokens: tuple[Token, ...]
    pieces: tuple[bytes, ...] = ()
    prompt: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A query and a document in tokens, as one input. The document's are [start, end)."""

    tokens: Sequence[Token]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """A prompt in tokens, as the engine takes it. `id` is unique within one engine.

    With `constraint`, each answer follows a matcher that it makes.
    """

    id: int
    prompt: tuple[Token, ...]
    options: GenerateOptions
    constraint: Callable[[], Matcher] | None = None
