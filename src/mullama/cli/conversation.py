"""A conversation with a model: what was said so far, and the next answer as a stream of spans.

Knows the library's `Context` by what it needs of it, and no terminal. Thoughts come as spans of
their own, and go back to the template as thoughts.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

from mullama.text.spans import Span, SpanKind, fold
from mullama.types import Constraint, SamplerParams

Message = dict[str, Any]


class Spans(Protocol):
    """An answer as it arrives; closing it ends the answer."""

    def __iter__(self) -> Iterator[Span]: ...

    def close(self) -> None: ...


class Generates(Protocol):
    """The side of a context that continues a prompt, and answers a conversation."""

    def generate_stream(
        self,
        prompt: str,
        max_tokens: int | None,
        params: SamplerParams,
        stop: tuple[str, ...],
        *,
        constraint: Constraint | None,
    ) -> Generator[str, None, None]: ...

    def chat_stream(
        self,
        messages: Sequence[Message],
        max_tokens: int | None,
        params: SamplerParams,
        stop: tuple[str, ...],
        *,
        constraint: Constraint | None,
        thinking: bool | str | None,
    ) -> Spans: ...


@dataclass(frozen=True)
class Wish:
    """How answers are to be made."""

    params: SamplerParams
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    system: str | None = None
    constraint: Constraint | None = None
    thinking: bool | str | None = None


class Conversation:
    """Turns of user and assistant. Where nothing `chats`, each text is continued by itself."""

    def __init__(self, context: Generates, wish: Wish, *, chats: bool) -> None:
        self._context = context
        self._wish = wish
        self._chats = chats
        self.clear()

    def clear(self) -> None:
        """Forgets all turns."""
        system = self._wish.system
        self.messages: list[Message] = [{"role": "system", "content": system}] if system else []

    def ask(self, text: str) -> Iterator[Span]:
        """The answer to `text`, piece by piece. What was answered counts, even when cut short.

        Raises ContextLengthExceeded when the conversation no longer fits.
        """
        if not self._chats:
            yield from self._continued(text)
            return
        messages = [*self.messages, {"role": "user", "content": text}]
        said: list[Span] = []
        try:
            for span in self._answer(messages):
                said.append(span)
                yield span
        finally:
            if said:
                self.messages = [*messages, _message(said)]

    def _continued(self, text: str) -> Iterator[Span]:
        wish = self._wish
        with closing(
            self._context.generate_stream(
                text, wish.max_tokens, wish.params, wish.stop, constraint=wish.constraint
            )
        ) as pieces:
            for piece in pieces:
                yield Span(SpanKind.CONTENT, piece)

    def _answer(self, messages: list[Message]) -> Iterator[Span]:
        wish = self._wish
        with closing(
            self._context.chat_stream(
                messages,
                wish.max_tokens,
                wish.params,
                wish.stop,
                constraint=wish.constraint,
                thinking=wish.thinking,
            )
        ) as spans:
            yield from spans


def _message(said: list[Span]) -> Message:
    """What the assistant said, as a message of its own."""
    answer = fold(said)
    message = {"role": "assistant", "content": answer.content}
    return message | ({"reasoning_content": answer.reasoning} if answer.reasoning else {})
