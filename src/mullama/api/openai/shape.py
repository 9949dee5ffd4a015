"""What chunks and whole answers have in common: the head, usage, timings, reasons to end."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from mullama import __version__
from mullama.api.openai.answers import ChatReason, TextReason, TimingsAnswer, Usage
from mullama.errors import Overloaded
from mullama.types import Finished, FinishReason, Progress

FINGERPRINT = f"mullama-{__version__}"

encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Head:
    """What every chunk and answer of one request repeats."""

    id: str
    created: int  # seconds since the epoch
    model: str

    @classmethod
    def new(cls, prefix: str, model: str) -> Head:
        """A head for a request that begins now."""
        return cls(f"{prefix}-{secrets.token_hex(12)}", int(time.time()), model)

    def json(self, kind: str) -> bytes:
        """The head's fields without braces; `kind` is the object's name."""
        fields = {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": FINGERPRINT,
        }
        return encode(fields)[1:-1]


@dataclass(frozen=True, slots=True)
class Shape:
    """What the client wants to see. `n`: answers to each prompt. `echo`: the prompt, where wanted.

    `logprobs` is whether they are shown, however many were asked for. Thoughts go into all of
    `thought_fields`, and nowhere if there are none. With `legacy_calls` a call has the form that it
    had with `functions`.
    """

    n: int = 1
    logprobs: bool = False
    token_ids: bool = False
    timings: bool = True
    include_usage: bool = False
    echo: bool = False
    thought_fields: tuple[str, ...] = ("reasoning_content",)
    legacy_calls: bool = False


def finish_reason(finished: Finished) -> TextReason:
    """OpenAI's word. Raises Overloaded for an answer that was cancelled, since it is incomplete."""
    if finished.reason is FinishReason.CANCELLED:
        raise Overloaded("The answer was cancelled before it was complete.", code="cancelled")
    return "length" if finished.reason is FinishReason.LENGTH else "stop"


def chat_reason(finished: Finished, n_calls: int, shape: Shape) -> ChatReason:
    """The same of a chat's answer, which may have ended so that its calls are made."""
    reason = finish_reason(finished)
    if not n_calls or reason == "length":
        return reason
    return "function_call" if shape.legacy_calls else "tool_calls"


def usage(prompts: Iterable[Iterable[Finished]], n_thought: int = 0) -> Usage:
    """The tokens of a request: of each prompt once, and of all its answers."""
    n_prompt = n_cached = n_restored = n_from_disk = n_generated = 0
    for answers in prompts:
        ended = list(answers)
        n_prompt += ended[0].n_prompt
        # Only one answer computed what was not cached; the others share its prompt.
        first = min(ended, key=lambda finished: finished.n_cached)
        n_cached += first.n_cached
        n_restored += first.n_restored
        n_from_disk += first.n_from_disk
        n_generated += sum(finished.n_generated for finished in ended)
    return {
        "prompt_tokens": n_prompt,
        "completion_tokens": n_generated,
        "total_tokens": n_prompt + n_generated,
        "prompt_tokens_details": {
            "cached_tokens": n_cached,
            "restored_tokens": n_restored,
            "disk_tokens": n_from_disk,
        },
        "completion_tokens_details": {
            "reasoning_tokens": n_thought,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def prompt_progress(event: Progress) -> dict[str, float]:
    """llama-server's `prompt_progress`; what was cached counts as processed."""
    return {
        "total": event.n_prompt,
        "cache": event.n_cached,
        "processed": event.n_computed,
        "time_ms": _ms(event.seconds),
    }


def timings(answers: Iterable[Finished]) -> TimingsAnswer:
    """llama-server's `timings`, of one answer or of several that were computed side by side."""
    ended = list(answers)
    n_cached = min(finished.n_cached for finished in ended)
    n_prompt = ended[0].n_prompt - n_cached
    n_predicted = sum(finished.n_generated for finished in ended)
    prompt = max(finished.timings.prompt for finished in ended)
    predicted = max(finished.timings.predicted for finished in ended)
    return {
        "cache_n": n_cached,
        "prompt_n": n_prompt,
        "prompt_ms": _ms(prompt),
        "prompt_per_second": _rate(n_prompt, prompt),
        "predicted_n": n_predicted,
        "predicted_ms": _ms(predicted),
        "predicted_per_second": _rate(n_predicted, predicted),
        "queued_ms": _ms(max(finished.timings.queued for finished in ended)),
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


def _rate(n: int, seconds: float) -> float:
    return round(n / seconds, 2) if seconds > 0 else 0.0
