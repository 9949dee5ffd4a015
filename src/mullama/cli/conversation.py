"""A conversation with a model: what was said so far, and the next answer as a stream of spans.

Knows the library's `Model` and `Context` by what it needs of them, and no terminal. Thoughts come
as spans of their own, and go back to the template as thoughts.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from mullama.text.channels import Parser, begun
from mullama.text.spans import Span, SpanKind, fold
from mullama.text.syntax import Format
from mullama.types import SamplerParams

Message = dict[str, str]


class Template(Protocol):
    """The side of a model that turns messages into a prompt."""

    def apply_chat_template(
        self, messages: list[Message], add_generation_prompt: bool = True
    ) -> str: ...


class Generates(Protocol):
    """The side of a context that continues a prompt; closing the stream ends the answer."""

    def generate_stream(
        self,
        prompt: str,
        max_tokens: int | None,
        params: SamplerParams,
        stop: tuple[str, ...],
        *,
        marks: Iterable[str],
    ) -> Generator[str, None, None]: ...


@dataclass(frozen=True)
class Wish:
    """How answers are to be made."""

    params: SamplerParams
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    system: str | None = None


@dataclass(frozen=True)
class Chat:
    """How a model converses: what writes its prompts, and how it writes its answers."""

    template: Template
    format: Format


class Conversation:
    """Turns of user and assistant. Without a `chat`, each text is continued by itself."""

    def __init__(self, chat: Chat | None, context: Generates, wish: Wish) -> None:
        self._chat = chat
        self._context = context
        self._wish = wish
        self.clear()

    def clear(self) -> None:
        """Forgets all turns."""
        system = self._wish.system
        self.messages: list[Message] = [{"role": "system", "content": system}] if system else []

    def ask(self, text: str) -> Iterator[Span]:
        """The answer to `text`, piece by piece. What was answered counts, even when cut short.

        Raises ContextLengthExceeded when the conversation no longer fits.
        """
        if self._chat is None:
            for piece in self._pieces(text):
                yield Span(SpanKind.CONTENT, piece)
            return
        messages = [*self.messages, {"role": "user", "content": text}]
        said: list[Span] = []
        try:
            for span in self._answer(self._chat, messages):
                said.append(span)
                yield span
        finally:
            if said:
                self.messages = [*messages, _message(said)]

    def _answer(self, chat: Chat, messages: list[Message]) -> Iterator[Span]:
        prompt = chat.template.apply_chat_template(messages)
        history = chat.template.apply_chat_template(messages, add_generation_prompt=False)
        parser = Parser(chat.format, opened=begun(prompt, history))
        for piece in self._pieces(prompt, chat.format.marks):
            yield from parser.feed(piece)
        yield from parser.finish()

    def _pieces(self, prompt: str, marks: Iterable[str] = ()) -> Iterator[str]:
        wish = self._wish
        with closing(
            self._context.generate_stream(
                prompt, max_tokens=wish.max_tokens, params=wish.params, stop=wish.stop, marks=marks
            )
        ) as pieces:
            yield from pieces


def _message(said: list[Span]) -> Message:
    """What the assistant said, as a message of its own."""
    answer = fold(said)
    message = {"role": "assistant", "content": answer.content}
    return message | ({"reasoning_content": answer.reasoning} if answer.reasoning else {})
