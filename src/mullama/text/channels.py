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

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from mullama.text.fence import Fence
from mullama.text.pieces import NO_THOUGHT
from mullama.text.responses.reader import Stated
from mullama.text.source import Reader, Source, Triggers
from mullama.text.spans import Collector, Span, SpanKind
from mullama.text.syntax import CallSyntax, Format, Protocol, first_mark
from mullama.text.toolcalls.common import FORMS
from mullama.text.toolcalls.harmony import Harmony
from mullama.text.toolcalls.kinds import Schema
from mullama.text.toolcalls.reader import CallReader, entrances


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


class Marked:
    """Reads an answer of text with marked thoughts and calls in it."""

    def __init__(
        self,
        format: Format,
        source: Source,
        out: Collector,
        tools: Mapping[str, Schema],
        start: int,
    ) -> None:
        """`start`: how much of the source's text belongs to the prompt."""
        self._source, self._out, self._start = source, out, start
        self._reasoning = reasoning = format.reasoning
        self._open = reasoning.open.strip() if reasoning else ""
        self._close = reasoning.close.strip() if reasoning else ""
        self._content_begin = format.content_begin.strip()
        self._head = format.head.strip() if format.messages else ""
        ends = (mark.strip() for mark in (format.content_end, *format.dropped))
        self._dropped = _longest_first((*ends, self._head))
        self._waiting: list[Callable[[], None]] | None = None  # a call that may be none
        self._entrances = (
            self._find_entrances(format.calls, tools) if format.calls and tools else {}
        )
        self._by_length = _longest_first(self._entrances)
        self._in_content = Triggers(
            [
                *map(first_mark, (self._content_begin, *self._dropped)),
                *([first_mark(self._open)] if reasoning and reasoning.anywhere else []),
                *self._entrances,
            ]
        )
        self._calls_end_thoughts = reasoning is not None and reasoning.ended_by_call
        ends_thought = self._entrances if self._calls_end_thoughts else ()
        # A token, which nobody thinks of, but for the beginning of what follows a thought.
        speaks = first_mark(self._content_begin) if self._content_begin[:2] == "<|" else ""
        self._in_thought = Triggers([self._close, speaks, *ends_thought])
        self._begun = False

    def _find_entrances(
        self, calls: CallSyntax, tools: Mapping[str, Schema]
    ) -> dict[str, list[tuple[CallReader, str]]]:
        """The marks that may open a call: who reads it, and from which text on.

        Beside its own form a model may know common ones, from other training: marks and a tool's
        name together can hardly be anything but a call.
        """
        found: dict[str, list[tuple[CallReader, str]]] = {}
        for syntax in (calls, *(form for form in FORMS if form != calls)):
            reader = CallReader(self._source, syntax, tools, self)
            for mark, text in entrances(syntax).items():
                found.setdefault(mark, []).append((reader, text))
        return found

    @property
    def settled(self) -> bool:
        """Whether content has begun that nothing can end."""
        return self._begun and not self._in_content.texts and self._out.speaking

    def run(self) -> Reader[None]:
        yield from self._beginning()
        self._begun = True
        while (yield from self._source.at(0)):
            trigger = yield from self._source.up_to(self._in_content, self._out.say)
            if trigger:
                yield from self._at_mark(trigger)

    def _beginning(self) -> Reader[None]:
        """A thought at the very beginning, or the end of one that the prompt left out."""
        source, out = self._source, self._out
        if not self._reasoning:
            return
        out.say((yield from source.space()))
        if not self._open:
            yield from self._thought("")
        elif (yield from source.stands(self._open)):
            yield from self._thought(source.take(len(self._open)))
        else:
            yield from self._over()

    def _over(self) -> Reader[None]:
        """Take a mark that closes a thought where none is open."""
        if self._close and (yield from self._source.stands(self._close)):
            self._source.take(len(self._close))
            self._out.content_begins()

    def _at_mark(self, trigger: str) -> Reader[None]:
        source, out = self._source, self._out
        if self._content_begin and (yield from source.stands(self._content_begin)):
            source.take(len(self._content_begin))
            out.content_begins()
        elif self._anywhere and (yield from source.stands(self._open)):
            yield from self._thought(source.take(len(self._open)))
        elif dropped := (yield from self._standing(self._dropped)):
            source.take(len(dropped))
            if dropped == self._head:
                out.content_begins()
        elif not (yield from self._section(trigger)):
            out.say(source.release() or source.take(1))

    @property
    def _anywhere(self) -> bool:
        return bool(self._reasoning and self._reasoning.anywhere and self._open)

    def _section(self, trigger: str) -> Reader[bool]:
        """Read calls; False, with what was taken held, if there are none."""
        marks = [mark for mark in self._by_length if mark.startswith(trigger)]
        mark = yield from self._standing(marks)
        for number, (calls, text) in enumerate(self._entrances.get(mark, ())):
            if number:
                self._source.give_back()
            self._source.hold()
            if (yield from calls.section(text)):
                self._do(partial(self._out.say, self._source.release()))
                return True
        return False

    def _standing(self, marks: Iterable[str]) -> Reader[str]:
        """The first of the marks that stands here, "" if none does."""
        for mark in marks:
            if (yield from self._source.stands(mark)):
                return mark
        return ""

    def _thought(self, mark: str) -> Reader[None]:
        source, out = self._source, self._out
        out.thought_begins(max(0, self._offset), mark)
        while trigger := (yield from source.up_to(self._in_thought, out.think)):
            if self._close and (yield from source.stands(self._close)):
                source.take(len(self._close))
                out.thought_ends(max(0, self._offset), self._close)
                if not out.verbatim:
                    yield from self._over_again()
                return
            if self._content_begin and (yield from source.stands(self._content_begin)):
                out.thought_ends(max(0, self._offset), "")
                return
            if not self._calls_end_thoughts:
                out.think(source.take(1))
            elif (yield from self._call_in_thought(trigger)):
                return

    def _over_again(self) -> Reader[None]:
        """Take a mark that closes the thought once more, as some models write it."""
        self._source.hold()
        yield from self._source.space()
        if (yield from self._source.stands(self._close)):
            self._source.release()
            yield from self._over()
        else:
            self._source.give_back()

    def _call_in_thought(self, trigger: str) -> Reader[bool]:
        """Read calls where an answer ends, which end its thought; others are a part of it."""
        source, out, place = self._source, self._out, self._offset
        self._waiting = []
        source.doubt()
        found = (yield from self._section(trigger)) and (yield from self._ends())
        waiting, self._waiting = self._waiting, None
        source.release()
        written = source.decide()
        if not found:
            out.think(written or source.take(1))
            return False
        out.thought_ends(max(0, place), "")
        for event in waiting:
            event()
        return True

    def _ends(self) -> Reader[bool]:
        """Whether nothing but white space and marks follows; takes that."""
        while True:
            yield from self._source.space()
            mark = yield from self._standing(self._dropped)
            if not mark:
                break
            self._source.take(len(mark))
        return not (yield from self._source.at(0))

    @property
    def _offset(self) -> int:
        return self._source.offset - self._start

    # ------------------------------------------------------------------ as the calls' sink

    def call_begins(self, name: str, id: str) -> None:
        self._do(partial(self._out.call_begins, name, id))

    def call_goes_on(self, text: str) -> None:
        self._do(partial(self._out.call_goes_on, text))

    def call_ends(self, complete: bool, id: str = "") -> None:
        self._do(partial(self._out.call_ends, complete, id))

    def _do(self, event: Callable[[], None]) -> None:
        """Now, or when it is certain that it is a call."""
        if self._waiting is None:
            event()
        else:
            self._waiting.append(event)


def _longest_first(texts: Iterable[str]) -> list[str]:
    """As one may be the beginning of another."""
    return sorted(filter(None, texts), key=len, reverse=True)


def _schemas(tools: Iterable[Mapping[str, Any]]) -> dict[str, Schema]:
    """Names and parameters of tools, wrapped as OpenAI's chat wraps them or flat."""
    schemas = {}
    for tool in tools:
        function = tool.get("function", tool)
        parameters = function.get("parameters")
        schemas[str(function["name"])] = parameters if isinstance(parameters, Mapping) else {}
    return schemas
