"""What recordings say: when text came, how many tokens, what went wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
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
    """A streamed completion. `times` is when each piece of text came; seconds of one clock."""

    start: float
    times: tuple[float, ...]
    n_tokens: int
    status: int
    error: str | None

    @property
    def ttft(self) -> float | None:
        return self.times[0] - self.start if self.times else None

    @property
    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.times)]


class _Choice(msgspec.Struct):
    text: str | None = None


class _Usage(msgspec.Struct):
    completion_tokens: int = 0


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
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
    first: float | None = None
    n_tokens, error = 0, reply.error
    try:
        for at, event in _read_events(reply):
            if event.error is not None:
                error = error or f"error in the stream: {event.error}"[:_SHOWN]
            if event.usage is not None:
                n_tokens = event.usage.completion_tokens
            if event.choices:
                first = at if first is None else first
                if event.choices[0].text:
                    times.append(at)
    except msgspec.MsgspecError as bad:
        error = error or f"an event can't be read: {bad}"
    if not times and first is not None:
        times = [first]
    if not times:
        error = error or "no token came"
    return Answer(recording.start, tuple(times), n_tokens or len(times), reply.status, error)


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
