"""An answer told apart as it arrives: what the model thinks, says, and calls. No wire format.

`answer_format` finds a model's format, `channels` says how the answers to a request are to be read,
and a `Reading` reads one of them, deltas in, spans out. What it adds to the parser:

1. Every call has an id: the model's own where it comes with the name, else one that is made up.
2. Tokens are placed: one belongs to a thought if its text begins there, or in the mark that closes
   it. So thoughts are counted in tokens, and log-probabilities go where their text goes.
3. Once nothing but content can follow, the reading is `settled`, and need not be fed.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text.channels import Parser
from mullama.text.spans import Span, SpanKind
from mullama.text.syntax import Format
from mullama.types import ChatRequest, Delta, ModelInfo, TokenLogprob, ToolMode


@dataclass(frozen=True, slots=True)
class Channels:
    """How the answers to one request are to be read.

    `thoughts` False leaves thoughts in the content, with their marks. An answer that is not
    `parallel` has one call at most. One that is `continued` begins in the client's own message,
    which is not repeated.
    """

    format: Format
    tools: Sequence[Mapping[str, Any]] = ()
    thoughts: bool = True
    parallel: bool = True
    continued: bool = False

    def reading(self, opened: str) -> Reading:
        """A reading of one answer; `opened` is what the prompt has of it."""
        return Reading(self, opened)


def conversations(info: ModelInfo, *, tools: bool) -> str | None:
    """The template of a model's conversations with or without tools; None where it has none."""
    return (info.tool_template if tools else None) or info.chat_template


def answer_format(template: str, schema: str | None) -> Format:
    """The format of the answers of a model with this template, tool calls included, or what its
    response schema says of them.

    It is found by rendering a dozen conversations, which takes 10 to 50 ms. Raises InvalidRequest
    for a response schema that is none.
    """
    # Not for a server without conversations: importing Jinja takes 14 MB.
    from mullama.text.formats import find_format, with_response
    from mullama.text.template import ChatTemplate

    format = find_format(ChatTemplate(template, bos="", eos=""))
    return with_response(format, schema) if schema else format


def channels(format: Format, asked: ChatRequest, *, thoughts: bool = True) -> Channels:
    """How the answers to a request are to be read.

    Raises InvalidRequest where a call is required, and the format has none.
    """
    if format.calls is None and asked.tool_choice.mode is ToolMode.REQUIRED:
        raise InvalidRequest(
            "This model's response schema reads no calls as its template writes them, so none can "
            "be required.",
            param="tool_choice",
        )
    return Channels(
        format,
        asked.offered,
        thoughts=thoughts,
        parallel=asked.tool_choice.parallel,
        continued=asked.continue_final_message,
    )


@dataclass(slots=True)
class Scores:
    """Log-probabilities of tokens, by where their text went."""

    content: list[TokenLogprob]
    thoughts: list[TokenLogprob]


class Reading:
    """Reads one answer. `n_thought` counts the tokens of its thoughts, `n_calls` its calls."""

    def __init__(self, channels: Channels, opened: str) -> None:
        self.n_thought = 0
        self.n_calls = 0
        self.settled = False
        self._channels = channels
        self._ids: set[str] = set()
        self._n_text = 0  # characters so far
        self._waiting: deque[tuple[int, int, TokenLogprob | None]] = deque()
        self._scores = Scores([], [])
        self._parser = Parser(
            channels.format, opened=opened, tools=channels.tools, reasoning=channels.thoughts
        )
        self.prefilled = [] if channels.continued else self._kept(self._parser.prefilled)

    def feed(self, delta: Delta) -> list[Span]:
        """The spans that are certain with this delta."""
        self._note(delta)
        spans = self._kept(self._parser.feed(delta.text))
        self.settled = self._parser.settled
        self._place(self._n_text + 1 if self.settled else self._parser.n_read)
        return spans

    def finish(self) -> list[Span]:
        """The rest: the answer is over."""
        spans = self._kept(self._parser.finish())
        self._place(self._n_text + 1)
        return spans

    def scores(self) -> Scores:
        """The log-probabilities that have found their place since the last time."""
        scores, self._scores = self._scores, Scores([], [])
        return scores

    # ------------------------------------------------------------------ tokens

    def _note(self, delta: Delta) -> None:
        """Remember where a delta's tokens begin."""
        place = self._n_text
        self._n_text += len(delta.text)
        if not delta.logprobs:
            self._waiting.append((place, delta.n_tokens, None))
        for scored in delta.logprobs:
            self._waiting.append((place, 1, scored))
            place = min(place + len(scored.piece.decode(errors="ignore")), self._n_text)

    def _place(self, n_read: int) -> None:
        """Sort the tokens that begin in the first `n_read` characters."""
        while self._waiting and self._waiting[0][0] < n_read:
            place, n_tokens, scored = self._waiting.popleft()
            in_thought = self._in_thought(place)
            if in_thought:
                self.n_thought += n_tokens
            if scored:
                apart = in_thought and self._channels.thoughts
                (self._scores.thoughts if apart else self._scores.content).append(scored)

    def _in_thought(self, place: int) -> bool:
        for begin, end in reversed(self._parser.thoughts):
            if begin <= place:
                return end is None or place < end
        return False

    # ------------------------------------------------------------------ calls

    def _kept(self, spans: list[Span]) -> list[Span]:
        if all(span.index < 0 for span in spans):
            return spans
        if not self._channels.parallel:
            spans = [span for span in spans if span.index < 1]
        return [self._with_id(span) for span in spans]

    def _with_id(self, span: Span) -> Span:
        """A call with its id; every other span as it is."""
        if span.kind is not SpanKind.CALL:
            return span
        id = span.id
        if not id or id in self._ids:
            id = f"call_{secrets.token_hex(12)}"
        self._ids.add(id)
        self.n_calls += 1
        return replace(span, id=id)
