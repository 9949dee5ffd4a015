"""Events become a whole answer: the same events that a stream would send, folded. No I/O.

`Collected` takes the events of one prompt as they come, as `Chunks` does; `chat_completion` and
`text_completion` put what was collected into OpenAI's shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from mullama.api.openai.answers import (
    AnswerMessage,
    CalledFunction,
    ChatChoice,
    ChatCompletion,
    TextChoice,
    TextCompletion,
)
from mullama.api.openai.logprobs import TextScores, chat_scores, joined
from mullama.api.openai.shape import (
    FINGERPRINT,
    Head,
    Shape,
    chat_reason,
    finish_reason,
    timings,
    usage,
)
from mullama.text.reading import Channels, Reading, Scores
from mullama.text.spans import Call, Span, SpanKind, fold
from mullama.types import Delta, Event, Finished, PromptScored, Started, Token, TokenLogprob


@dataclass(slots=True)
class Collected:
    """One prompt's answers, `n` of them. `prompt` is its text, None until the backend tells."""

    n: int
    prompt: str | None = None
    pieces: list[list[str]] = field(init=False)
    tokens: list[list[Token]] = field(init=False)
    logprobs: list[list[TokenLogprob]] = field(init=False)
    ended: dict[int, Finished] = field(default_factory=dict)
    prompt_tokens: tuple[Token, ...] = ()
    prompt_logprobs: Sequence[TokenLogprob | None] = ()

    def __post_init__(self) -> None:
        self.pieces = [[] for _ in range(self.n)]
        self.tokens = [[] for _ in range(self.n)]
        self.logprobs = [[] for _ in range(self.n)]

    def feed(self, event: Event) -> bytes:
        """Remembers an event; a fold has nothing to send before its end."""
        if isinstance(event, Delta):
            self.pieces[event.index].append(event.text)
            self.tokens[event.index] += event.tokens
            self.logprobs[event.index] += event.logprobs
        elif isinstance(event, Finished):
            self.ended[event.index] = event
        elif isinstance(event, Started):
            self.prompt_tokens = event.prompt
            if self.prompt is None:
                self.prompt = event.prompt_text
        elif isinstance(event, PromptScored):
            self.prompt_logprobs = event.logprobs
        return b""

    def text(self, index: int) -> str:
        """One answer's text."""
        return "".join(self.pieces[index])

    @property
    def finished(self) -> list[Finished]:
        """How the answers ended, in order. All have."""
        return [self.ended[index] for index in range(self.n)]

    def best(self, n: int) -> list[int]:
        """The `n` answers with the likeliest tokens, best first; all of them as they are."""
        if n == self.n:
            return list(range(n))
        return sorted(range(self.n), key=self._mean_logprob, reverse=True)[:n]

    def _mean_logprob(self, index: int) -> float:
        scored = self.logprobs[index]
        return sum(one.logprob for one in scored) / len(scored) if scored else -inf


class ChatCollected(Collected):
    """A conversation's answers, told apart. Without `channels` all text is content."""

    def __init__(self, n: int, channels: Channels | None = None) -> None:
        super().__init__(n)
        self.spans: list[list[Span]] = [[] for _ in range(n)]
        self._channels = channels
        self._readings: list[Reading] = []

    @property
    def n_thought(self) -> int:
        """Tokens of all thoughts."""
        return sum(reading.n_thought for reading in self._readings)

    def n_calls(self, index: int) -> int:
        """Calls of one answer."""
        return self._readings[index].n_calls if self._readings else 0

    def scores(self, index: int) -> Scores:
        """One answer's log-probabilities. To be asked for once."""
        if not self._readings:
            return Scores(self.logprobs[index], [])
        return self._readings[index].scores()

    def feed(self, event: Event) -> bytes:
        super().feed(event)
        if isinstance(event, Started) and self._channels:
            self._readings = [self._channels.reading(event.opened) for _ in self.spans]
            self.spans = [list(reading.prefilled) for reading in self._readings]
        elif isinstance(event, Delta):
            self.spans[event.index] += self._read(event)
        elif isinstance(event, Finished) and self._readings:
            self.spans[event.index] += self._readings[event.index].finish()
        return b""

    def _read(self, event: Delta) -> list[Span]:
        if not self._readings:
            return [Span(SpanKind.CONTENT, event.text)]
        return self._readings[event.index].feed(event)


def chat_completion(head: Head, shape: Shape, collected: ChatCollected) -> ChatCompletion:
    """A whole chat completion. Raises Overloaded for an answer that was cancelled."""
    answer: ChatCompletion = {
        "id": head.id,
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "system_fingerprint": FINGERPRINT,
        "choices": [_chat_choice(shape, collected, index) for index in range(shape.n)],
        "usage": usage([collected.finished], collected.n_thought),
    }
    if shape.timings:
        answer["timings"] = timings(collected.finished)
    if shape.token_ids:
        answer["prompt_token_ids"] = list(collected.prompt_tokens)
    return answer


def _chat_choice(shape: Shape, collected: ChatCollected, index: int) -> ChatChoice:
    logprobs = None
    if shape.logprobs:
        logprobs = chat_scores(collected.scores(index), thoughts=bool(shape.thought_fields))
    choice: ChatChoice = {
        "index": index,
        "message": _message(shape, collected.spans[index]),
        "logprobs": logprobs,
        "finish_reason": chat_reason(collected.ended[index], collected.n_calls(index), shape),
    }
    if shape.token_ids:
        choice["token_ids"] = collected.tokens[index]
    return choice


def _message(shape: Shape, spans: Sequence[Span]) -> AnswerMessage:
    answer = fold(spans)
    content = answer.content or (None if answer.calls else "")
    message: AnswerMessage = {"role": "assistant", "content": content, "refusal": None}
    if answer.reasoning:
        message.update(dict.fromkeys(shape.thought_fields, answer.reasoning))  # type: ignore[typeddict-item]
    if answer.calls and shape.legacy_calls:
        message["function_call"] = _function(answer.calls[0])
    elif answer.calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": _function(call)}
            for call in answer.calls
        ]
    return message


def _function(call: Call) -> CalledFunction:
    return {"name": call.name, "arguments": call.arguments}


def text_completion(head: Head, shape: Shape, prompts: Sequence[Collected]) -> TextCompletion:
    """A whole completion of one or more prompts. Raises Overloaded where one was cancelled."""
    answer: TextCompletion = {
        "id": head.id,
        "object": "text_completion",
        "created": head.created,
        "model": head.model,
        "system_fingerprint": FINGERPRINT,
        "choices": [
            _text_choice(shape, collected, answer, number * shape.n + place)
            for number, collected in enumerate(prompts)
            for place, answer in enumerate(collected.best(shape.n))
        ],
        "usage": usage(collected.finished for collected in prompts),
    }
    if shape.timings and len(prompts) == 1:
        answer["timings"] = timings(prompts[0].finished)
    return answer


def _text_choice(shape: Shape, collected: Collected, answer: int, index: int) -> TextChoice:
    prompt = (collected.prompt or "") if shape.echo else ""
    choice: TextChoice = {
        "index": index,
        "text": prompt + collected.text(answer),
        "logprobs": None,
        "finish_reason": finish_reason(collected.ended[answer]),
    }
    if shape.logprobs:
        scores = TextScores()
        parts = [scores.prompt(collected.prompt_logprobs, prompt)] if shape.echo else []
        choice["logprobs"] = joined([*parts, scores.answer(collected.logprobs[answer])])
    if shape.token_ids:
        choice["token_ids"] = collected.tokens[answer]
        choice["prompt_token_ids"] = list(collected.prompt_tokens)
    return choice
