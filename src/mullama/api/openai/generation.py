"""A request's way through the backend: its events fed to sinks, streamed or collected.

A sink takes events one by one and gives the frames that they make: `Chunks` for a stream,
`Collected`, which makes none, for a whole answer. Both are fed by the same generator, so that the
two deliveries can't drift apart. Closing it closes the backend's iterator, and that cancels.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Protocol

from mullama.api.merge import merged
from mullama.api.openai.chunks import Chunks, stream_end
from mullama.api.openai.shape import Head, Shape
from mullama.errors import ContextLengthExceeded
from mullama.types import Backend, ChatRequest, CompletionRequest, Event

# Answers of one request that are made at a time, so that a long list of prompts doesn't fill the
# queue. One prompt's answers are always made together.
ANSWERS_AT_ONCE = 32


class Sink(Protocol):
    """Where a prompt's events go."""

    def feed(self, event: Event) -> bytes: ...


async def streamed(
    backend: Backend,
    model: str,
    requests: Sequence[ChatRequest | CompletionRequest],
    chunks: Sequence[Chunks],
    head: Head,
    shape: Shape,
) -> AsyncGenerator[bytes, None]:
    """The frames of all answers as they come, then the last ones."""
    async with aclosing(_frames(backend, model, requests, chunks)) as frames:
        async for frame in frames:
            yield frame
    yield stream_end(head, shape, chunks)


async def collect(
    backend: Backend,
    model: str,
    requests: Sequence[ChatRequest | CompletionRequest],
    sinks: Sequence[Sink],
) -> None:
    """Feeds all events to the sinks."""
    async with aclosing(_frames(backend, model, requests, sinks)) as frames:
        async for _ in frames:
            pass


def _frames(
    backend: Backend,
    model: str,
    requests: Sequence[ChatRequest | CompletionRequest],
    sinks: Sequence[Sink],
) -> AsyncGenerator[bytes, None]:
    return merged(
        [
            _feed(backend, model, request, sink)
            for request, sink in zip(requests, sinks, strict=True)
        ],
        max(1, ANSWERS_AT_ONCE // requests[0].options.n),
    )


async def _feed(
    backend: Backend, model: str, request: ChatRequest | CompletionRequest, sink: Sink
) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(backend.generate(model, request)) as events:
            async for event in events:
                yield sink.feed(event)
    except ContextLengthExceeded as error:
        # Whoever counts the tokens does not know what the client calls them.
        error.param = "messages" if isinstance(request, ChatRequest) else "prompt"
        raise
