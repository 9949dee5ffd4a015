"""The text of an answer -> its channels: thoughts, words for the user, tool calls.

`Parser.feed(text)` gives the `Span`s that are certain by now, `finish()` the rest. Rules:

1. It never raises, and drops no words: what does not parse is content.
2. The spans put together are the same however the text was cut (`fold` puts them together).
3. Only a suffix that may still become a mark is held back, and the beginning of a call until its
   name is known. Everything is linear in the length of the text.
4. The prompt may have begun the answer (`<think>\\n`); the parser reads on from there.

It knows nothing of tokens, tools' meaning, or HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mullama.text.fence import Fence
from mullama.text.marked import Marked
from mullama.text.pieces import NO_THOUGHT
from mullama.text.responses.reader import Stated
from mullama.text.source import Source
from mullama.text.spans import Collector, Span, SpanKind
from mullama.text.syntax import Format, Protocol
from mullama.text.toolcalls.harmony import Harmony
from mullama.text.toolcalls.kinds import Schema


class Parser:
    """Reads one answer.

    `prefilled` is what the prompt had of the answer already, as spans; a caller that puts an
    answer together begins with them. `thoughts` are the places of the thoughts in the text that
    was fed, begin and end with the mark that closes it, in characters; the end of one that is not
    closed is None. Give each a token count by adding up pieces.
    """

    def __init__(
        self,
        format: Format,
        *,
        opened: str = "",
        tools: Sequence[Mapping[str, Any]] = (),
        reasoning: bool = True,
        fenced: bool = False,
    ) -> None:
        """`opened`: what the prompt has of the answer, see `begun`. `tools`: those that may be
        called, as OpenAI writes them; with none, calls are content. `reasoning` False leaves
        thoughts in the content, with their marks. `fenced`: the content is to be JSON, so a
        Markdown fence around it is taken off.
        """
        self._source = Source()
        self._out = Collector(verbatim=not reasoning)
        self._fence = Fence() if fenced else None
        self._verbatim = not reasoning
        head = format.head.rstrip()
        text = opened.partition(head)[2] if head and head in opened else opened
        text = text.removeprefix(format.head[len(head) :])
        if wish := NO_THOUGHT.match(text):  # which is the prompt's, and no part of an answer
            text = text[wish.end() :]
        self._n_opened = len(text)
        self._kind = self._readers(format, _schemas(tools), text)
        self._reader = self._kind.run()
        self.prefilled = self._prefill(text)

    def _readers(
        self, format: Format, tools: Mapping[str, Schema], opened: str
    ) -> Marked | Harmony | Stated:
        start = len(opened)
        if format.response:
            marks = (format.reasoning.open, format.reasoning.close) if format.reasoning else ()
            return Stated(
                format.response,
                self._source,
                self._out,
                tools,
                opened=opened,
                marks=marks,
                verbatim=self._verbatim,
            )
        if format.protocol is Protocol.HARMONY:
            return Harmony(self._source, self._out, tools, start)
        return Marked(format, self._source, self._out, tools, start)

    @property
    def thoughts(self) -> Sequence[tuple[int, int | None]]:
        return self._out.thoughts

    @property
    def thinking(self) -> bool:
        """Whether a thought is open."""
        return self._out.thinking

    @property
    def n_read(self) -> int:
        """Characters of the text that was fed, up to the first that is not understood yet."""
        return max(0, self._source.offset - self._source.n_aside - self._n_opened)

    @property
    def settled(self) -> bool:
        """Whether all that may still come is content, as it stands: nothing need be fed."""
        return self._kind.settled and not self._fence

    def feed(self, text: str) -> list[Span]:
        """The spans that are certain with this text."""
        if text:
            self._source.feed(text)
            next(self._reader, None)
        return self._unfenced(self._out.take())

    def finish(self) -> list[Span]:
        """The rest: the text is over."""
        self._source.ended = True
        next(self._reader, None)
        self._out.flush()
        spans = self._unfenced(self._out.take())
        rest = self._fence.finish() if self._fence else ""
        return [*spans, Span(SpanKind.CONTENT, rest)] if rest else spans

    def _prefill(self, text: str) -> list[Span]:
        spans = self.feed(text)
        if self._verbatim and not self.thinking and not self._out.n_words:
            return []  # marks around no thought
        return spans

    def _unfenced(self, spans: list[Span]) -> list[Span]:
        if not self._fence:
            return spans
        unfenced = []
        for span in spans:
            if span.kind is SpanKind.CONTENT:
                span = Span(SpanKind.CONTENT, self._fence.feed(span.text))
                if not span.text:
                    continue
            unfenced.append(span)
        return unfenced


def begun(prompt: str, history: str) -> str:
    """What a prompt has of the answer: all that `history`, rendered without it, has not.

    `history` is the same conversation without a generation prompt; without the last message, if
    that one is to be continued.
    """
    alike, most = 0, min(len(prompt), len(history))
    while alike < most:  # by halves: prompts are long, and comparing slices is fast
        middle = (alike + most + 1) // 2
        if prompt[alike:middle] == history[alike:middle]:
            alike = middle
        else:
            most = middle - 1
    return prompt[alike:]


def _schemas(tools: Iterable[Mapping[str, Any]]) -> dict[str, Schema]:
    """Names and parameters of tools, wrapped as OpenAI's chat wraps them or flat."""
    schemas = {}
    for tool in tools:
        function = tool.get("function", tool)
        parameters = function.get("parameters")
        schemas[str(function["name"])] = parameters if isinstance(parameters, Mapping) else {}
    return schemas
