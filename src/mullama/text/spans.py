"""What an answer consists of, as it arrives: `Span`s, and `fold`, which makes one answer of them.

A `Collector` is where parsers put what they read. It numbers the calls, strips the white space
around thoughts, and knows where in the text the thoughts were. White space at the beginning of the
words for the user is kept only if neither a thought nor a call came before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby


class SpanKind(StrEnum):
    CONTENT = "content"
    REASONING = "reasoning"
    CALL = "call"  # a tool call begins: `name`, and `id` if the text has one
    ARGUMENTS = "arguments"  # more of its arguments, JSON text
    CALL_END = "call_end"  # `complete` or broken off; `id`, if the text has one, even a late one


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of an answer. `index` is the number of the call, from 0."""

    kind: SpanKind
    text: str = ""
    index: int = -1
    name: str = ""
    id: str = ""
    complete: bool = True


@dataclass(slots=True)
class Call:
    """A tool call; `arguments` is JSON text, unfinished where the call is not `complete`."""

    name: str
    arguments: str = ""
    id: str = ""
    complete: bool = False


@dataclass(slots=True)
class Answer:
    """All spans of an answer, put together."""

    content: str = ""
    reasoning: str = ""
    calls: list[Call] = field(default_factory=list)


def fold(spans: Iterable[Span]) -> Answer:
    """One answer of its spans."""
    answer, content, reasoning = Answer(), [], []
    arguments: list[list[str]] = []
    for span in spans:
        match span.kind:
            case SpanKind.CONTENT:
                content.append(span.text)
            case SpanKind.REASONING:
                reasoning.append(span.text)
            case SpanKind.CALL:
                answer.calls.append(Call(span.name, id=span.id))
                arguments.append([])
            case SpanKind.ARGUMENTS:
                arguments[span.index].append(span.text)
            case SpanKind.CALL_END:
                call = answer.calls[span.index]
                call.complete, call.id = span.complete, call.id or span.id
    answer.content, answer.reasoning = "".join(content), "".join(reasoning)
    for call, pieces in zip(answer.calls, arguments, strict=True):
        call.arguments = "".join(pieces)
    return answer


class Collector:
    """Takes what a parser reads and keeps it as spans until `take`.

    With `verbatim`, thoughts and their marks are a part of the content, as they were written.
    """

    def __init__(self, *, verbatim: bool) -> None:
        self.thoughts: list[tuple[int, int | None]] = []
        self.n_words = 0  # characters of content and thoughts, without marks and white space
        self.verbatim = verbatim
        self._spans: list[Span] = []
        self._n_calls = 0
        self._blank: list[str] = []  # white space that counts only if more follows
        self._fresh = True  # no content since the beginning, the last thought or call
        self._pending = ""  # a mark that counts only if there is a thought behind it
        self._gap = ""  # between two parts of a thought, if there are words in the second
        self._bare = True  # neither content nor thought nor call yet
        self._kept = True  # white space before the next content is content

    @property
    def thinking(self) -> bool:
        return bool(self.thoughts) and self.thoughts[-1][1] is None

    @property
    def speaking(self) -> bool:
        """Whether words for the user have begun, so that white space counts, too."""
        return not self._fresh and not self.thinking

    def take(self) -> list[Span]:
        """The spans since the last time; what arrived in pieces of one kind is one span."""
        spans, self._spans = self._spans, []
        if len(spans) < 2:
            return spans
        merged: list[Span] = []
        for (kind, index), group in groupby(spans, lambda span: (span.kind, span.index)):
            if kind in (SpanKind.CALL, SpanKind.CALL_END):
                merged += group
            else:
                merged.append(Span(kind, "".join(span.text for span in group), index))
        return merged

    # ------------------------------------------------------------------ words

    def say(self, text: str) -> None:
        """Words for the user."""
        if self._fresh:
            if not text.strip():
                self._blank.append(text)
                return
            text = self._after_blank(text)
            text = text if self._kept else text.lstrip()
        self._write(text)

    def think(self, text: str) -> None:
        """Words of a thought."""
        if self.verbatim:
            if text:
                self.flush()
            self._write(text)
            return
        words = text.rstrip()
        if not words:
            self._blank.append(text)
            return
        blank = text[len(words) :]
        words = self._after_blank(words)
        self._blank = [blank]
        gap, self._gap = self._gap, ""
        self._put(SpanKind.REASONING, gap + words.lstrip() if self._fresh else words)
        self._fresh = False

    def thought_begins(self, offset: int, mark: str, *, again: bool = False) -> None:
        """`again`: as another part of the thought before."""
        self.thoughts.append((offset, None))
        self._gap = "\n\n" if again and self.n_words else ""
        if self.verbatim:
            self._pending = self._after_blank(mark)
        else:
            self._refresh()

    def thought_ends(self, offset: int, mark: str) -> None:
        self.thoughts[-1] = (self.thoughts[-1][0], offset)
        if not mark and self._pending:  # there was none
            self._pending = ""
            self._refresh()
        elif self.verbatim:
            self.flush()
            self._marked(mark)
        else:
            self._refresh()

    def flush(self) -> None:
        """The mark of a thought counts, whatever is behind it."""
        if self._pending:
            pending, self._pending = self._pending, ""
            self._marked(pending)

    def content_begins(self) -> None:
        """The marks say that words for the user begin here."""
        self._refresh()

    def _marked(self, mark: str) -> None:
        """A mark as a part of the content."""
        self._spans.append(Span(SpanKind.CONTENT, self._after_blank(mark)))
        self._fresh, self._bare, self._kept = False, False, True

    def _refresh(self) -> None:
        """What follows begins anew; white space before it counts only between words."""
        self._kept = self._kept and not self._bare
        self._blank, self._fresh, self._bare = [], True, False

    def _after_blank(self, text: str) -> str:
        blank, self._blank = self._blank, []
        return "".join(blank) + text

    def _write(self, text: str) -> None:
        if text:
            self._put(SpanKind.CONTENT, text)
            self._fresh, self._bare, self._kept = False, False, True

    def _put(self, kind: SpanKind, text: str) -> None:
        self._spans.append(Span(kind, text))
        self.n_words += len(text) - text.count("\n") - text.count(" ")

    # ------------------------------------------------------------------ calls

    def call_begins(self, name: str, id: str) -> None:
        self._refresh()
        self._spans.append(Span(SpanKind.CALL, index=self._n_calls, name=name, id=id))
        self._n_calls += 1

    def call_goes_on(self, text: str) -> None:
        if text:
            self._spans.append(Span(SpanKind.ARGUMENTS, text, self._n_calls - 1))

    def call_ends(self, complete: bool, id: str = "") -> None:
        self._spans.append(
            Span(SpanKind.CALL_END, index=self._n_calls - 1, id=id, complete=complete)
        )
