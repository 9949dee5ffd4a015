"""Conversations: what is asked of one, and what its answer comes to.

A chat is a completion whose prompt the model's template writes and whose text is read by channel:
thoughts, words, calls. `chat_request` is what the arguments mean, a `Reader` makes spans of an
engine's events, and a stream hands them out, to a thread or to a task.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self, TypedDict

from mullama.errors import InvalidRequest
from mullama.library.model import Message, as_dict
from mullama.text import tools as text_tools
from mullama.text.reading import Channels, Reading
from mullama.text.spans import Call, Span, fold
from mullama.types import (
    EFFORTS,
    THINKING_SHARES,
    ChatRequest,
    Constraint,
    Delta,
    Event,
    Finished,
    FinishReason,
    GenerateOptions,
    Started,
)
from mullama.types.sampling import whole_number


class Wishes(TypedDict, total=False):
    """What may be asked of a chat by keyword.

    `tools` are functions that the model may call, as OpenAI writes them, and `tool_choice` is
    "auto", "none", "required", or names one. Arguments are held to their schemas.
    `constraint` is what the words of an answer must be. `thinking` is a yes or a no, or an effort,
    "none" to "max"; `thinking_budget` the most tokens of thoughts. `template_kwargs` are variables
    of the model's template.
    """

    tools: Sequence[Mapping[str, Any]]
    tool_choice: str | Mapping[str, Any]
    constraint: Constraint | None
    thinking: bool | str | None
    thinking_budget: int | None
    template_kwargs: Mapping[str, Any] | None


class _Thinking(TypedDict):
    """What of a ChatRequest is about thoughts."""

    template_kwargs: dict[str, Any]
    thinking_budget: int | None
    thinking_share: float | None


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """An answer of a chat. `finish_reason` is "stop", "length" or "tool_calls", and None while it
    is still written; then a call may be broken off (`complete` False).

    Of the `n_prompt` tokens of the prompt `n_cached` were not computed again, and of the
    `n_generated` tokens of the answer `n_thought` are thoughts.
    """

    content: str = ""
    reasoning: str = ""
    tool_calls: list[Call] = field(default_factory=list)
    finish_reason: str | None = None
    n_prompt: int = 0
    n_cached: int = 0
    n_generated: int = 0
    n_thought: int = 0

    @property
    def message(self) -> dict[str, Any]:
        """The answer as a message of the conversation, for its next turn."""
        message: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments},
                }
                for call in self.tool_calls
            ]
        return message


def chat_request(
    messages: Sequence[Message],
    options: GenerateOptions,
    *,
    tools: Sequence[Mapping[str, Any]] = (),
    tool_choice: str | Mapping[str, Any] = "auto",
    constraint: Constraint | None = None,
    thinking: bool | str | None = None,
    thinking_budget: int | None = None,
    template_kwargs: Mapping[str, Any] | None = None,
) -> ChatRequest:
    """A conversation as the engine takes it. Raises InvalidRequest, naming the argument."""
    if not messages:
        raise InvalidRequest("messages is empty; give at least one.", param="messages")
    offered = text_tools.checked([_plain(tool) for tool in tools])
    return ChatRequest(
        tuple(as_dict(message) for message in messages),
        replace(options, constraint=constraint),
        tools=offered,
        tool_choice=text_tools.choice(_plain(tool_choice), offered),
        **_thinking(thinking, thinking_budget, dict(template_kwargs or {})),
    )


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def _thinking(wish: bool | str | None, budget: int | None, variables: dict[str, Any]) -> _Thinking:
    """Whether, how hard and how long to think, in the words of requests. A no is a budget of 0:
    it holds for a model whose template knows no switch, too."""
    if not (wish is None or isinstance(wish, bool) or wish in EFFORTS):
        raise InvalidRequest(
            f"thinking is {wish!r}; it must be True, False, or one of {', '.join(EFFORTS)}.",
            param="thinking",
        )
    if budget is not None and whole_number(budget, "thinking_budget") < 0:
        raise InvalidRequest(
            f"thinking_budget is {budget}; it must be a number of tokens.", param="thinking_budget"
        )
    if wish == "none" or (wish is None and budget == 0):
        wish = False
    if wish and budget == 0:
        raise InvalidRequest(
            "thinking_budget is 0, which is no thought, and thinking asks for one.",
            param="thinking_budget",
        )
    if wish is False:
        budget = 0
    share = None
    if wish is not None:
        variables.setdefault("enable_thinking", bool(wish))
    if isinstance(wish, str):
        variables.setdefault("reasoning_effort", wish)
        share = THINKING_SHARES.get(wish) if budget is None else None
    return {
        "template_kwargs": variables,
        "thinking_budget": budget,
        "thinking_share": share,
    }


class Reader:
    """The events of one answer become spans; `answer` is what they have come to."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._spans: list[Span] = []
        self._reading: Reading | None = None
        self._finished: Finished | None = None

    def feed(self, event: Event) -> list[Span]:
        """The spans that are certain with this event."""
        spans: list[Span] = []
        if isinstance(event, Started):
            self._reading = self._channels.reading(event.opened)
            spans = self._reading.prefilled
        elif self._reading is not None:
            if isinstance(event, Delta):
                spans = self._reading.feed(event)
            elif isinstance(event, Finished):
                spans = self._reading.finish()
                self._finished = event
        self._spans += spans
        return spans

    def answer(self) -> ChatAnswer:
        """The answer so far."""
        said, end = fold(self._spans), self._finished
        if end is None or self._reading is None:
            return ChatAnswer(said.content, said.reasoning, said.calls)
        reason: str = end.reason
        if end.reason is FinishReason.STOP and said.calls:
            reason = "tool_calls"
        return ChatAnswer(
            said.content,
            said.reasoning,
            said.calls,
            str(reason),
            end.n_prompt,
            end.n_cached,
            end.n_generated,
            self._reading.n_thought,
        )


class _Stream:
    """What both kinds of stream have in common."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._ready: deque[Span] = deque()

    @property
    def answer(self) -> ChatAnswer:
        """What has arrived, put together; all of it once the stream has ended."""
        return self._reader.answer()


class ChatStream(_Stream):
    """The spans of an answer as they arrive. Nothing is computed before the first is asked for;
    `close`, leaving its `with`, or dropping it ends the answer."""

    def __init__(self, events: Generator[Event, None, None], reader: Reader) -> None:
        super().__init__(reader)
        self._events = events

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Span:
        while not self._ready:
            self._ready += self._reader.feed(next(self._events))
        return self._ready.popleft()

    def close(self) -> None:
        """End the answer. Closing again does nothing."""
        self._events.close()
        self._ready.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncChatStream(_Stream):
    """`ChatStream` for `async for`: other tasks run while it waits."""

    def __init__(self, events: AsyncGenerator[Event, None], reader: Reader) -> None:
        super().__init__(reader)
        self._events = events

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Span:
        while not self._ready:
            self._ready += self._reader.feed(await anext(self._events))
        return self._ready.popleft()

    async def aclose(self) -> None:
        """End the answer. Closing again does nothing."""
        await self._events.aclose()
        self._ready.clear()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
