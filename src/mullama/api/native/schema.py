"""What comes in and what goes out.

Several servers taught their clients different names for these, so a body takes all of them, and an
answer has the fields of all, where they don't contradict each other.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, Required

from pydantic import Discriminator, Field, Tag, with_config
from typing_extensions import TypedDict

from mullama.api.errors import SHAPE
from mullama.api.openai.schema import (
    MAX_TEXTS,
    MAX_TOKEN,
    Body,
    Count,
    CountOrMinus1,
    Items,
    JsonObject,
    Token,
)

_MODEL = 'A name from /v1/models; none, or "default", means the default model.'

# ------------------------------------------------------------------------------ reranking


@with_config(strict=True, extra="allow")
class DocumentObject(TypedDict):
    """A document with its text; whatever else it has comes back with it."""

    text: Required[str]


Document = Annotated[
    Annotated[str, Tag("#text")] | Annotated[DocumentObject, Tag("#object")],
    Discriminator(
        lambda value: {str: "#text", dict: "#object"}.get(type(value)),
        custom_error_type=SHAPE,
        custom_error_message="must be a string or an object with a text",
    ),
]


class RerankBody(Body):
    """POST /v1/rerank"""

    model: str | None = Field(None, description=_MODEL)
    query: str = Field(description="What the documents are to answer.")
    documents: Annotated[Items[Document], Field(max_length=MAX_TEXTS)] | None = Field(
        None, description="Texts, or objects with a text."
    )
    texts: Annotated[Items[str], Field(max_length=MAX_TEXTS)] | None = Field(
        None, description="The same as documents; the answer is then a bare list."
    )
    top_n: Count | None = Field(None, description="Only the best so many; 0 or none: all.")
    return_documents: bool | None = Field(
        None, description="Send each document back with its score. Default: not for texts."
    )
    return_text: bool | None = Field(None, description="The same as return_documents.")
    raw_scores: bool | None = Field(
        None, description="Default false: scores are probabilities; true: their log-odds."
    )
    truncate: bool | None = Field(
        None, description="Cut documents that don't fit into the context; default: an error."
    )
    truncate_prompt_tokens: CountOrMinus1 | None = Field(
        None,
        description="Cut documents so that a pair has at most so many tokens; -1: as many fit.",
    )
    max_tokens_per_doc: Annotated[int, Field(ge=1, le=MAX_TOKEN)] | None = Field(
        None, description="Cut documents that have more tokens."
    )
    user: str | None = Field(None, description="A hint.")
    priority: int | None = Field(None, description="A hint.")


class TokenUsage(TypedDict):
    prompt_tokens: int
    total_tokens: int


class Ranked(TypedDict):
    index: int
    relevance_score: float
    document: NotRequired[dict[str, Any]]


class Ranking(TypedDict):
    """Best first. `meta` has the tokens once more, where Cohere's clients look for them."""

    id: str
    object: Literal["list"]
    model: str
    results: list[Ranked]
    usage: TokenUsage
    meta: dict[str, Any]


class ScoredText(TypedDict):
    """What `texts` are answered with: a list of these, best first."""

    index: int
    score: float
    text: NotRequired[str]


# ------------------------------------------------------------------------------ tokens


class TokenizeBody(Body):
    """POST /tokenize"""

    model: str | None = Field(None, description=_MODEL)
    content: str | None = Field(
        None, description="The text. Under this name add_special is false by default."
    )
    prompt: str | None = Field(
        None, description="The text. Under this name add_special is true by default."
    )
    text: str | None = Field(None, description="The same as prompt.")
    messages: Items[JsonObject] | None = Field(
        None,
        description="Instead of a text: a conversation, with the fields of /v1/chat/completions "
        "that shape its prompt.",
    )
    add_special: bool | None = Field(
        None, description="Put BOS and EOS where the model wants them."
    )
    add_special_tokens: bool | None = Field(None, description="The same as add_special.")
    parse_special: bool | None = Field(
        None, description="Default true: text that names a control token becomes that token."
    )
    with_pieces: bool | None = Field(
        None, description="Send each token's piece beside its id: text, or bytes if it is none."
    )
    return_token_strs: bool | None = Field(
        None, description="Send the pieces as a list of their own, token_strs."
    )


class TokenPiece(TypedDict):
    """`piece` is a list of bytes where they are not whole characters."""

    id: int
    piece: str | list[int]


class Tokens(TypedDict):
    """`max_model_len` is the model's context."""

    tokens: list[int] | list[TokenPiece]
    count: int
    max_model_len: int
    token_strs: NotRequired[list[str]]


class DetokenizeBody(Body):
    """POST /detokenize"""

    model: str | None = Field(None, description=_MODEL)
    tokens: Items[Token] = Field(description="Token ids.")


class Text(TypedDict):
    """The text, by the two names that clients look for."""

    content: str
    prompt: str


class Prompt(TypedDict):
    """The conversation as the model is given it."""

    prompt: str
