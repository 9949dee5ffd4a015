"""What recordings say: when text came, how many tokens, what went wrong. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import msgspec

from benchmarks.client import Recording
from benchmarks.response import BadResponse, Response

_SHOWN = 300  # characters of a server's message


@dataclass(frozen=True, slots=True)
class Reply:
    """A response and the time at which each line of its body was there. `status` 0: none came."""

    status: int
    lines: tuple[tuple[float, bytes], ...]
    error: str | None

    @property
    def body(self) -> bytes:
        return b"\n".join(line for _, line in self.lines)


@dataclass(frozen=True, slots=True)
class Answer:
    """A streamed completion. `times` is when each piece of text came; seconds of one clock.

    `n_computed` is how many tokens of the prompt were not cached; None where the server won't say.
    """

    start: float
    times: tuple[float, ...]
    n_tokens: int
    status: int
    error: str | None
    n_computed: int | None = None
    text: str = ""

    @property
    def ttft(self) -> float | None:
        return self.times[0] - self.start if self.times else None

    @property
    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.times)]


class _ChatDelta(msgspec.Struct):
    content: str | None = None


class Logprobs(msgspec.Struct):
    """The tokens of an event, and for each the log-probabilities of the likeliest in its place."""

    tokens: list[str]
    top_logprobs: list[dict[str, float]]


class _Choice(msgspec.Struct):
    text: str | None = None
    delta: _ChatDelta | None = None
    logprobs: Logprobs | None = None

    @property
    def new_text(self) -> str:
        return self.text or (self.delta and self.delta.content) or ""


class _Usage(msgspec.Struct):
    completion_tokens: int = 0


class _Timings(msgspec.Struct):
    prompt_n: int | None = None  # tokens of the prompt that were computed


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    timings: _Timings | None = None
    error: Any = None


class _Vectors(msgspec.Struct):
    data: list[msgspec.Raw]


_events = msgspec.json.Decoder(_Event)
_vectors = msgspec.json.Decoder(_Vectors)


def read_reply(recording: Recording) -> Reply:
    """The response in a recording. A status other than 200 is an error."""
    response = Response()
    lines: list[tuple[float, bytes]] = []
    error = recording.error
    try:
        for at, data in recording.pieces:
            lines += ((at, line) for line in response.feed(data))
        lines += ((recording.end, line) for line in response.finish())
    except BadResponse as bad:
        error = error or str(bad)
    if response.status not in (0, 200):
        text = b" ".join(line for _, line in lines).decode(errors="replace")
        error = f"HTTP {response.status}: {text[:_SHOWN]}"
    return Reply(response.status, tuple(lines), error)


def read_answer(recording: Recording) -> Answer:
    """The completion that was streamed.

    Times are those of events with text. Where the whole answer has none (control tokens, half a
    character), the first event with a choice stands for the first token.
    """
    reply = read_reply(recording)
    times: list[float] = []
    texts: list[str] = []
    first: float | None = None
    n_tokens, n_computed, error = 0, None, reply.error
    try:
        for at, event in _read_events(reply):
            if event.error is not None:
                error = error or f"error in the stream: {event.error}"[:_SHOWN]
            if event.usage is not None:
                n_tokens = event.usage.completion_tokens
            if event.timings is not None:
                n_computed = event.timings.prompt_n
            if event.choices:
                first = at if first is None else first
                text = event.choices[0].new_text
                if text:
                    times.append(at)
                    texts.append(text)
    except msgspec.MsgspecError as bad:
        error = error or f"an event can't be read: {bad}"
    if not times and first is not None:
        times = [first]
    if not times:
        error = error or "no token came"
    return Answer(
        recording.start,
        tuple(times),
        n_tokens or len(times),
        reply.status,
        error,
        n_computed,
        "".join(texts),
    )


def calm_gap(streams: Sequence[Recording], end: float) -> float | None:
    """The median gap in seconds of what the streams had until `end`; None if they had too little.

    Tokens that came together have no gap, and are no measure of what the next one would take.
    """
    gaps = [
        later - earlier
        for stream in streams
        for earlier, later in pairwise(read_answer(stream).times)
        if later <= end and later > earlier
    ]
    return median(gaps) if gaps else None


def longest_gap(streams: Sequence[Recording], begin: float, end: float) -> float:
    """The longest wait in seconds for a token, of all waits that touch the time from `begin` to
    `end`; 0 where there are none."""
    return max(
        (
            later - earlier
            for stream in streams
            for earlier, later in pairwise(read_answer(stream).times)
            if later > begin and earlier < end
        ),
        default=0.0,
    )


def shortfall(recording: Recording, text: str) -> float:
    """How much less likely (in nats) `text` is, where it leaves the answer recorded, than that.

    The answer must be of a completion with log-probabilities. 0 where they are the same, infinite
    where none of the likely tokens there begins what `text` has.
    """
    same = ""
    for token, top in _likeliest(recording):
        if text.startswith(same + token):
            same += token
            continue
        others = [value for other, value in top.items() if other and text.startswith(same + other)]
        return max(top.values()) - max(others) if others else math.inf
    return 0.0 if same == text else math.inf


def _likeliest(recording: Recording) -> Iterator[tuple[str, dict[str, float]]]:
    for _, event in _read_events(read_reply(recording)):
        for choice in event.choices:
            if choice.logprobs is not None:
                found = choice.logprobs
                yield from zip(found.tokens, found.top_logprobs, strict=True)


def _read_events(reply: Reply) -> Iterator[tuple[float, _Event]]:
    for at, line in reply.lines:
        if line.startswith(b"data:") and not line.endswith(b"[DONE]"):
            yield at, _events.decode(line[5:])


def vector_error(recording: Recording, n_texts: int) -> str | None:
    """Why a recording is no answer with a vector for each of `n_texts`; None if it is one."""
    reply = read_reply(recording)
    if reply.error is not None:
        return reply.error
    try:
        n_vectors = len(_vectors.decode(reply.body).data)
    except msgspec.MsgspecError as bad:
        return f"the embeddings can't be read: {bad}"
    return None if n_vectors == n_texts else f"{n_vectors} vectors came for {n_texts} texts"
