"""An answer of text with marked thoughts and calls in it, read as it arrives.

    thought   from the mark that opens it, or from the beginning where none does, to the one that
              closes it, or to a call where the model leaves that out; a second part may follow
    call      what stands behind one of the entrances and reads as a call of one of the tools
    words     everything else, but for the marks around them, and a word that leads them

A call may stand in a Markdown fence of its own, as models write JSON; the fence goes with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from mullama.text.source import Reader, Source, Triggers
from mullama.text.spans import Collector
from mullama.text.syntax import CallSyntax, Format, Reasoning, first_mark
from mullama.text.toolcalls.common import FORMS
from mullama.text.toolcalls.kinds import Schema
from mullama.text.toolcalls.reader import CallReader, entrances

_FENCE = "```"
_LONGEST_FENCE = 32  # characters, with the language and white space
_TICKS = re.compile("`+")


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
        self._set_marks(reasoning)
        self._content_begin = format.content_begin.strip()
        self._head = format.head.strip() if format.messages else ""
        ends = (mark.strip() for mark in (format.content_end, *format.dropped))
        self._dropped = _longest_first((*ends, self._head))
        self._said_begin, self._said_end = format.said
        self._lead = format.lead
        self._in_said = False  # behind the mark that opens words
        self._waiting: list[Callable[[], None]] | None = None  # a call that may be none
        self._entrances = (
            self._find_entrances(format.calls, tools) if format.calls and tools else {}
        )
        self._by_length = _longest_first(self._entrances)
        opens = [self._open] if reasoning and reasoning.anywhere else []
        opens += [reasoning.then.open.strip()] if reasoning and reasoning.then else []
        self._in_content = Triggers(
            [
                *map(first_mark, (self._content_begin, *self._dropped, self._said_end, *opens)),
                *self._entrances,
                *([_FENCE] if self._entrances else []),
            ]
        )
        self._calls_end_thoughts = reasoning is not None and reasoning.ended_by_call
        self._in_thought = self._thought_triggers()
        self._begun = False
        self._in_block = False  # within a fence that is no call's

    def _set_marks(self, reasoning: Reasoning | None) -> None:
        """The marks around the thought, or the part of it, that may come next."""
        self._open = reasoning.open.strip() if reasoning else ""
        self._close = reasoning.close.strip() if reasoning else ""
        self._then = reasoning.then if reasoning else None

    def _thought_triggers(self) -> Triggers:
        ends_thought = self._entrances if self._calls_end_thoughts else ()
        # A token, which nobody thinks of, but for the beginning of what follows a thought.
        speaks = first_mark(self._content_begin) if self._content_begin[:2] == "<|" else ""
        return Triggers([self._close, speaks, *ends_thought])

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
            for mark, text in entrances(syntax, tools).items():
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
            yield from self._led_by(self._lead)
            return
        out.say((yield from source.space()))
        if not self._open:
            yield from self._thought("")
        elif (yield from source.stands(self._open)):
            yield from self._thought(source.take(len(self._open)))
        elif not (yield from self._over()):
            yield from self._led_by(self._lead)

    def _over(self) -> Reader[bool]:
        """Take a mark that closes a thought where none is open."""
        if not self._close or not (yield from self._source.stands(self._close)):
            return False
        self._source.take(len(self._close))
        self._out.content_begins()
        yield from self._words_begin()
        return True

    def _words_begin(self) -> Reader[None]:
        """Take what stands before words behind a thought, where the model writes it."""
        if self._out.verbatim:
            return
        if not self._in_said:
            self._in_said = yield from self._led_by(self._said_begin)
        yield from self._led_by(self._lead)

    def _led_by(self, mark: str) -> Reader[bool]:
        """Take this mark, and white space before it, if that is what comes next."""
        source = self._source
        if not mark:
            return False
        source.hold()
        yield from source.space()
        found = yield from source.stands(mark)
        if found:
            source.release()
            source.take(len(mark))
            self._out.content_begins()
        else:
            source.give_back()
        return found

    def _at_mark(self, trigger: str) -> Reader[None]:
        source, out = self._source, self._out
        if self._content_begin and (yield from source.stands(self._content_begin)):
            source.take(len(self._content_begin))
            out.content_begins()
        elif self._anywhere and (yield from source.stands(self._open)):
            yield from self._thought(source.take(len(self._open)))
        elif self._thinks_on and (yield from source.stands(self._then_open)):
            self._set_marks(self._then)
            self._in_thought = self._thought_triggers()
            yield from self._thought(source.take(len(self._open)), again=True)
        elif dropped := (yield from self._standing(self._dropped)):
            source.take(len(dropped))
            if dropped == self._head:
                out.content_begins()
            elif self._thinks_on:
                yield from self._words_begin()
        elif self._in_said and (yield from source.stands(self._said_end)):
            source.take(len(self._said_end))
            self._in_said = False
        elif not (yield from self._fenced(trigger)):
            if (yield from self._section(trigger)):
                out.say(source.release())
            elif trigger == _FENCE:  # a block of code begins here, or ends
                self._in_block = not self._in_block
                out.say(source.release() or (yield from source.run(_TICKS)))
            else:
                out.say(source.release() or source.take(1))

    @property
    def _anywhere(self) -> bool:
        return bool(self._reasoning and self._reasoning.anywhere and self._open)

    @property
    def _thinks_on(self) -> bool:
        """Whether the second part of a thought may come: there was the first, and no words yet."""
        return bool(self._then and self._out.thoughts) and not self._out.speaking

    @property
    def _then_open(self) -> str:
        return self._then.open.strip() if self._then else ""

    def _fenced(self, trigger: str) -> Reader[bool]:
        """Read calls that stand in a fence; False, and nothing taken, if none do.

        The fence is left out where nothing but calls is in it, or the text ends there; otherwise
        it is said after them.
        """
        source, out = self._source, self._out
        if trigger != _FENCE or self._in_block or not (size := (yield from self._fence())):
            return False
        mark = yield from self._standing(self._by_length, size)
        if not mark:
            return False
        opening = source.take(size)
        if not (yield from self._section(mark)):
            out.say(opening + (source.release() or source.take(1)))
            self._in_block = True
            return True
        blank = source.release() + (yield from source.space())
        if not (yield from source.mark(_FENCE)) and (yield from source.at(0)):
            out.say(opening + blank)
            self._in_block = True
        return True

    def _fence(self) -> Reader[int]:
        """How long a fence is with its language and white space; 0 if it is too long for one."""
        size, named = len(_FENCE), True
        while size < _LONGEST_FENCE:
            letter = yield from self._source.at(size)
            named = named and (letter.isalnum() or letter in ("_", "-", "+"))
            if not named and not letter.isspace():
                return size
            size += 1
        return 0

    def _section(self, trigger: str) -> Reader[bool]:
        """Read calls; False if there are none. What was taken and is none is held."""
        marks = [mark for mark in self._by_length if mark.startswith(trigger)]
        mark = yield from self._standing(marks)
        begins_line = not self._out.speaking or self._source.before == "\n"
        entrances = self._entrances.get(mark, ())
        readers = [one for one in entrances if begins_line or not one[0].in_own_line]
        for number, (calls, text) in enumerate(readers):
            if number:
                self._source.give_back()
            self._source.hold()
            if (yield from calls.section(text)):
                return True
        return False

    def _standing(self, marks: Iterable[str], ahead: int = 0) -> Reader[str]:
        """The first of the marks that stands so many places ahead, "" if none does."""
        for mark in marks:
            if (yield from self._source.stands(mark, ahead)):
                return mark
        return ""

    def _thought(self, mark: str, *, again: bool = False) -> Reader[None]:
        source, out = self._source, self._out
        out.thought_begins(max(0, self._offset), mark, again=again)
        while trigger := (yield from source.up_to(self._in_thought, out.think)):
            if self._close and (yield from source.stands(self._close)):
                source.take(len(self._close))
                out.thought_ends(max(0, self._offset), self._close)
                if not out.verbatim:
                    yield from self._over_again()
                    yield from self._words_begin()
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
        found = yield from self._section(trigger)
        if found:
            self._do(partial(out.say, source.release()))
            found = yield from self._ends()
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
