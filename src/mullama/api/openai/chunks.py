"""Events become chunks: one prompt's answers as server-sent frames. No I/O.

`feed(event)` gives the frames that an event makes, possibly none, joined; `stream_end` gives the
last frames of a request. A request with several prompts has a `Chunks` for each.

A streamed token must cost next to nothing, so a chunk is never built as an object: it is

    data: {<head>,"choices":[{"index":0,"delta":{"content":  "text"  },"logprobs":null,…}]}
    |---------------------- opening -----------------------| |----| |------ closing ------|

whose ends are made once for each answer, and only the text is encoded anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from mullama.api.openai.deltas import delta
from mullama.api.openai.logprobs import TextScores, chat_scores
from mullama.api.openai.shape import (
    Head,
    Shape,
    chat_reason,
    encode,
    finish_reason,
    prompt_progress,
    timings,
    usage,
)
from mullama.api.sse import DONE, frame
from mullama.text.reading import Channels, Reading, Scores
from mullama.text.spans import Span, SpanKind
from mullama.types import (
    Delta,
    Event,
    Finished,
    Progress,
    PromptScored,
    Started,
    Token,
    TokenLogprob,
)


class Chunks(ABC):
    """What chat and completion chunks have in common; `first` is the first answer's index."""

    kind: str
    _before: bytes  # stands before a text
    _after: bytes
    _no_text: bytes  # a chunk's content where there is no text

    def __init__(self, head: Head, shape: Shape, first: int = 0) -> None:
        self._shape = shape
        self._tail = (b',"usage":null' if shape.include_usage else b"") + b"}"
        opening = b"{" + head.json(self.kind) + b',"choices":[{"index":'
        self._starts = [opening + b"%d," % i for i in range(first, first + shape.n)]
        self._openings = [b"data: " + start + self._before for start in self._starts]
        self._closing = (
            self._after + b',"logprobs":null,"finish_reason":null}]' + self._tail + b"\n\n"
        )
        self._plain = not (shape.logprobs or shape.token_ids)
        self.finished: list[Finished] = []

    @property
    def n_thought(self) -> int:
        """Tokens of thoughts so far."""
        return 0

    def feed(self, event: Event) -> bytes:
        """The frames of one event. Raises Overloaded for an answer that was cancelled."""
        if isinstance(event, Delta):
            return self._delta(event)
        if isinstance(event, Finished):
            self.finished.append(event)
            return self._finish(event)
        if isinstance(event, Started):
            return self._start(event)
        if isinstance(event, Progress):
            progress = encode(prompt_progress(event))
            return self._chunk(0, self._no_text, extra=b',"prompt_progress":' + progress)
        if isinstance(event, PromptScored):
            return self._scored(event)
        raise TypeError(f"{event} is not an event of a stream; failures are raised")

    def _delta(self, event: Delta) -> bytes:
        if self._plain:
            if not event.text:
                return b""
            return self._openings[event.index] + encode(event.text) + self._closing
        if not (event.text or event.tokens or event.logprobs):
            return b""
        return self._chunk(
            event.index,
            self._before + encode(event.text) + self._after,
            logprobs=self._logprobs(event.index, event.logprobs),
            tokens=event.tokens,
        )

    def _finish(self, event: Finished) -> bytes:
        reason = encode(self._reason(event))
        extra = b',"timings":' + encode(timings([event])) if self._shape.timings else b""
        return self._chunk(event.index, self._no_text, reason=reason, extra=extra)

    def _chunk(
        self,
        index: int,
        content: bytes,
        *,
        logprobs: bytes = b"null",
        reason: bytes = b"null",
        tokens: Sequence[Token] = (),
        in_choice: bytes = b"",
        extra: bytes = b"",
    ) -> bytes:
        if tokens:
            in_choice += b',"token_ids":' + encode(tokens)
        choice = content + b',"logprobs":' + logprobs + b',"finish_reason":' + reason + in_choice
        return frame(self._starts[index] + choice + b"}]" + extra + self._tail)

    def _reason(self, event: Finished) -> str:
        return finish_reason(event)

    @abstractmethod
    def _start(self, event: Started) -> bytes:
        """What comes before the first token."""

    @abstractmethod
    def _scored(self, event: PromptScored) -> bytes:
        """The prompt's own log-probabilities, where they were asked for."""

    @abstractmethod
    def _logprobs(self, index: int, scored: Sequence[TokenLogprob]) -> bytes:
        """Of a chunk's tokens, as JSON."""


class ChatChunks(Chunks):
    """Chunks of a chat: a role, deltas, a reason to end.

    Without `channels` all text is content.
    """

    kind = "chat.completion.chunk"
    _before = b'"delta":{"content":'
    _after = b"}"
    _no_text = b'"delta":{}'

    def __init__(self, head: Head, shape: Shape, channels: Channels | None = None) -> None:
        super().__init__(head, shape)
        self._channels = channels
        self._readings: list[Reading] = []

    @property
    def n_thought(self) -> int:
        return sum(reading.n_thought for reading in self._readings)

    def _start(self, event: Started) -> bytes:
        extra = b',"prompt_token_ids":' + encode(event.prompt) if self._shape.token_ids else b""
        role = b'"delta":{"role":"assistant","content":""}'
        roles = [self._chunk(i, role, extra=extra) for i in range(self._shape.n)]
        if self._channels:
            self._readings = [self._channels.reading(event.opened) for _ in roles]
        begun = [self._said(i, one, one.prefilled) for i, one in enumerate(self._readings)]
        return b"".join(roles + begun)

    def _delta(self, event: Delta) -> bytes:
        reading = self._readings[event.index] if self._readings else None
        if not reading or reading.settled:
            return super()._delta(event)
        return self._said(event.index, reading, reading.feed(event), event.tokens)

    def _finish(self, event: Finished) -> bytes:
        if not self._readings:
            return super()._finish(event)
        reading = self._readings[event.index]
        return self._said(event.index, reading, reading.finish()) + super()._finish(event)

    def _reason(self, event: Finished) -> str:
        n_calls = self._readings[event.index].n_calls if self._readings else 0
        return chat_reason(event, n_calls, self._shape)

    def _said(
        self, index: int, reading: Reading, spans: Sequence[Span], tokens: Sequence[Token] = ()
    ) -> bytes:
        """The chunks of spans; what belongs to their tokens is in the first one."""
        if self._plain:
            return b"".join([self._span(index, span) for span in spans])
        scores = reading.scores()
        scored = bool(scores.content or scores.thoughts) and self._shape.logprobs
        contents = [content for span in spans if (content := delta(span, self._shape))]
        if not contents and (tokens or scored):
            contents = [self._before + b'""' + self._after]
        shown = bool(self._shape.thought_fields)
        logprobs = encode(chat_scores(scores, thoughts=shown)) if scored else b"null"
        first = [self._chunk(index, one, logprobs=logprobs, tokens=tokens) for one in contents[:1]]
        return b"".join(first + [self._chunk(index, one) for one in contents[1:]])

    def _span(self, index: int, span: Span) -> bytes:
        """A chunk without logprobs and tokens."""
        if span.kind is SpanKind.CONTENT:
            return self._openings[index] + encode(span.text) + self._closing
        content = delta(span, self._shape)
        return self._chunk(index, content) if content else b""

    def _scored(self, event: PromptScored) -> bytes:
        return b""

    def _logprobs(self, index: int, scored: Sequence[TokenLogprob]) -> bytes:
        if not self._shape.logprobs:
            return b"null"
        return encode(chat_scores(Scores(list(scored), [])))


class TextChunks(Chunks):
    """Chunks of a completion: the prompt where it is echoed, then pieces of text.

    `prompt` is its text, or None where only the backend knows it.
    """

    kind = "text_completion"
    _before = b'"text":'
    _after = b""
    _no_text = b'"text":""'

    def __init__(self, head: Head, shape: Shape, first: int, prompt: str | None) -> None:
        super().__init__(head, shape, first)
        self._prompt = prompt
        self._scores = [TextScores() for _ in range(shape.n)]

    def _start(self, event: Started) -> bytes:
        if self._prompt is None:
            self._prompt = event.prompt_text
        ids = b',"prompt_token_ids":' + encode(event.prompt) if self._shape.token_ids else b""
        if self._shape.echo and not self._shape.logprobs:
            content = self._before + encode(self._prompt)
        elif ids:
            content = self._no_text
        else:
            return b""
        return b"".join(self._chunk(i, content, in_choice=ids) for i in range(self._shape.n))

    def _scored(self, event: PromptScored) -> bytes:
        text = self._prompt or ""
        content = self._before + encode(text)
        return b"".join(
            self._chunk(i, content, logprobs=encode(scores.prompt(event.logprobs, text)))
            for i, scores in enumerate(self._scores)
        )

    def _logprobs(self, index: int, scored: Sequence[TokenLogprob]) -> bytes:
        if not self._shape.logprobs:
            return b"null"
        return encode(self._scores[index].answer(scored))


def stream_end(head: Head, shape: Shape, prompts: Sequence[Chunks]) -> bytes:
    """The last frames of a stream: its usage where it is wanted, and the word that it is done."""
    if not shape.include_usage:
        return DONE
    n_thought = sum(chunks.n_thought for chunks in prompts)
    total = encode(usage((chunks.finished for chunks in prompts), n_thought))
    opening = b"{" + head.json(prompts[0].kind)
    return frame(opening + b',"choices":[],"usage":' + total + b"}") + DONE
