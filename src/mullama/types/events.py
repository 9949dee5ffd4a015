"""What comes back of a generation, in this order: Started, Deltas, a Finished an answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mullama.errors import ErrorInfo
from mullama.types.sampling import Token


class FinishReason(StrEnum):
    """Why an answer ended."""

    STOP = "stop"  # the model ended it, or a stop string or token did
    LENGTH = "length"  # max_tokens, or the context is full
    CANCELLED = "cancelled"  # the client no longer wants it


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A token, its bytes, its log-probability, and the most likely ones in its place."""

    token: Token
    piece: bytes
    logprob: float
    top: tuple[tuple[Token, bytes, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Timings:
    """Where a sequence's time went, in seconds."""

    queued: float = 0.0  # from arrival to the first computed row
    prompt: float = 0.0  # from there to the first token
    predicted: float = 0.0  # from the first token to the last


@dataclass(frozen=True, slots=True)
class Started:
    """The request was accepted: its prompt fits, and it waits for its turn."""

    id: int
    n_prompt: int
    prompt: tuple[Token, ...] = ()  # with return_tokens
    prompt_text: str = ""  # with echo of a prompt given in tokens
    opened: str = ""  # with marks: what a chat's prompt has of the answer already


@dataclass(frozen=True, slots=True)
class Progress:
    """So much of the prompt is there: `n_cached` tokens were, `n_computed` includes them."""

    id: int
    n_prompt: int
    n_cached: int
    n_computed: int
    seconds: float  # since the request's first row


@dataclass(frozen=True, slots=True)
class PromptScored:
    """The prompt's own log-probabilities; the first token has none."""

    id: int
    logprobs: tuple[TokenLogprob | None, ...]


@dataclass(frozen=True, slots=True)
class Delta:
    """New text of answer `index`, with the tokens that became final with it."""

    id: int
    index: int
    text: str
    n_tokens: int
    tokens: tuple[Token, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Finished:
    """Answer `index` has ended. `stop` is the stop string that ended it, if one did."""

    id: int
    index: int
    reason: FinishReason
    stop: str | None
    n_prompt: int
    n_cached: int  # prompt tokens that were not computed again
    n_restored: int  # of these, from outside the KV cache
    n_from_disk: int  # of these, from disk
    n_generated: int
    timings: Timings


@dataclass(frozen=True, slots=True)
class Failed:
    """The whole request ended with an error; no event of it follows."""

    id: int
    error: ErrorInfo


Event = Started | Progress | PromptScored | Delta | Finished | Failed
