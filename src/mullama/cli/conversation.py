"""A conversation with a model: what was said so far, and the next answer as a stream of text.

Knows the library's `Model` and `Context` by what it needs of them, and no terminal.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from mullama.types import SamplerParams

Message = dict[str, str]


class Template(Protocol):
    """The side of a model that turns messages into a prompt."""

    def apply_chat_template(self, messages: list[Message]) -> str: ...


class Generates(Protocol):
    """The side of a context that continues a prompt; closing the stream ends the answer."""

    def generate_stream(
        self,
        prompt: str,
        max_tokens: int | None,
        params: SamplerParams,
        stop: tuple[str, ...],
    ) -> Generator[str, None, None]: ...


@dataclass(frozen=True)
class Wish:
    """How answers are to be made."""

    params: SamplerParams
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    system: str | None = None


class Conversation:
    """Turns of user and assistant. Without a template, each text is continued by itself."""

    def __init__(self, template: Template | None, context: Generates, wish: Wish) -> None:
        self._template = template
        self._context = context
        self._wish = wish
        self.clear()

    def clear(self) -> None:
        """Forgets all turns."""
        system = self._wish.system
        self.messages: list[Message] = [{"role": "system", "content": system}] if system else []

    def ask(self, text: str) -> Iterator[str]:
        """The answer to `text`, piece by piece. What was answered counts, even when cut short.

        Raises ContextLengthExceeded when the conversation no longer fits.
        """
        if self._template is None:
            yield from self._answer(text)
            return
        messages = [*self.messages, {"role": "user", "content": text}]
        prompt = self._template.apply_chat_template(messages)
        said: list[str] = []
        try:
            for piece in self._answer(prompt):
                said.append(piece)
                yield piece
        finally:
            if said:
                self.messages = [*messages, {"role": "assistant", "content": "".join(said)}]

    def _answer(self, prompt: str) -> Iterator[str]:
        wish = self._wish
        with closing(
            self._context.generate_stream(
                prompt, max_tokens=wish.max_tokens, params=wish.params, stop=wish.stop
            )
        ) as pieces:
            yield from pieces
