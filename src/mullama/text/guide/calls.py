"""Tool calls as grammars, and the texts by which a call is known in free text.

What a format says of a call, in order, is

    begin  call  between  call  …  end

where a call is literal text with the name and the arguments in it. Its *opening* is all literal
text up to the first slot. A call that must come is written from there on; one that the model opens
by itself is held to the rest, from wherever in the opening the text told that it is a call: at a
mark, `<tool_call>`. Text that anybody may write (`{"name": "`, `[`) tells nothing until a tool's
name has followed. A call that begins with the name itself is told by a mark behind it; or, where
the name has a line for itself (GLM 4), by standing at the very beginning. Others of that kind are
held only if they must come.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text.constraint.grammar import Choice, Markup, Part, Regex, Repeat, Seq, Text
from mullama.text.guide.arguments import written
from mullama.text.syntax import CallSyntax, Slot, first_mark

_SLOTS: Mapping[Slot, Part] = {
    Slot.ID: Regex("[A-Za-z0-9]{9}"),  # the strictest form that is known: Mistral's
    Slot.INDEX: Regex("0|[1-9][0-9]?"),
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function by its name, and its arguments as this model writes them."""

    name: str
    arguments: Part
    loosened: tuple[str, ...] = ()  # what is not enforced, with the place in the request


def tools_of(
    syntax: CallSyntax,
    tools: Sequence[Mapping[str, Any]],
    names: Sequence[str] = (),
    *,
    place: str = "tools[{}].function.parameters",
) -> tuple[Tool, ...]:
    """The functions of `tools` that have these names, all of them if there are none.

    Raises InvalidRequest, naming the place, for parameters that can't be enforced where a function
    is strict, and for such as are no schema at all.
    """
    behind = syntax.call[syntax.call.index(Slot.ARGUMENTS) + 1 :]
    stop = next((part for part in behind if isinstance(part, str)), "")
    found = []
    for index, tool in enumerate(tools):
        function = tool.get("function", tool)
        if names and function["name"] not in names:
            continue
        where = place.format(index)
        strict = function.get("strict") is True
        try:
            made = written(syntax.arguments, function.get("parameters"), stop, strict=strict)
        except InvalidRequest as error:
            raise InvalidRequest(f"{where}: {error.message}", param=where) from None
        loosened = tuple(f"{where}: {one}" for one in made.loosened)
        found.append(Tool(function["name"], made.part, loosened))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls that an answer may have; `parallel`: several of them."""

    syntax: CallSyntax
    tools: tuple[Tool, ...]
    parallel: bool = True

    def from_opening(self, taken: int = 0, *, several: bool = True) -> Part:
        """Calls from so many characters of the opening on; `several`, if they may follow."""
        rest = Markup(self.syntax.opening[taken:])
        first = Seq((rest, *self._after_opening(self.tools)))
        return self._section(first, taken, several=several)

    def with_header(self, header: str) -> Part:
        """A call from its name on, with another text between that and the arguments."""
        call = self.syntax.call
        end = tuple(map(_part, call[call.index(Slot.ARGUMENTS) + 1 :]))
        heads = (Seq((Text(tool.name), Markup(header), tool.arguments)) for tool in self.tools)
        return Seq((Choice(tuple(heads)), *end))

    def triggers(self) -> Iterator[tuple[str, Part]]:
        """What tells a call in free text, and what must follow."""
        opening = self.syntax.opening
        marks = {start: _mark(self.syntax, opening, start) for start in _starts(self.syntax)}
        for start, mark in marks.items():
            if mark:
                end = _end_of(mark, opening, start, marks.values())
                text = opening[opening.index(mark, start) : end]
                yield text, self._rest(start, end)
            elif start in (0, len(self.syntax.begin)):
                yield from self._by_name(start)

    def first_lines(self, before: str) -> Iterator[tuple[str, Part]]:
        """What tells a call whose name has the first line for itself, behind this text."""
        call = self.syntax.call
        line = call[1] if call[0] is Slot.NAME else None
        if self.syntax.begin.strip() or not isinstance(line, str) or line.strip() or not before:
            return
        for tool in self.tools if "\n" in line else ():
            rest = Seq(tuple(self._slots(call[2:], tool)))
            part = self._section(rest, 0, several=False)  # another is told the same way
            for blank, end in product(("", "\n"), {line, "\n"}):
                yield before + blank + tool.name + end, part

    # ------------------------------------------------------------------

    def _rest(self, start: int, taken: int) -> Part:
        several = start < len(self.syntax.begin)
        return self.from_opening(taken, several=several)

    def _by_name(self, start: int) -> Iterator[tuple[str, Part]]:
        """Triggers that end with a tool's name and the first character after it."""
        opening = self.syntax.opening[start:]
        slots = (
            self.syntax.call[1:] if self.syntax.opening != self.syntax.begin else self.syntax.call
        )
        if slots[0] is not Slot.NAME:
            return
        after = slots[1] if isinstance(slots[1], str) else ""
        taken = 1 if opening.strip() else len(_marking(after))
        for tool in self.tools if taken else ():
            rest = Seq((Markup(after[taken:]), *self._slots(slots[2 if after else 1 :], tool)))
            part = self._section(rest, start, several=start < len(self.syntax.begin))
            spellings = {opening, opening.replace('": "', '":"')}
            for spelling in sorted(spellings):
                yield spelling + tool.name + after[:taken], part

    def _section(self, first: Part, start: int, *, several: bool) -> Part:
        """More calls after the first, and the end of them all."""
        syntax = self.syntax
        parts = [first]
        if several and self.parallel and syntax.many:
            literal = syntax.opening[len(syntax.begin) :]
            again = (Markup(syntax.between + literal), *self._after_opening(self.tools))
            parts.append(Repeat(Seq(again)))
        if start <= len(syntax.begin) and syntax.end and (several or start < len(syntax.begin)):
            parts.append(Markup(syntax.end))
        return Seq(tuple(parts))

    def _after_opening(self, tools: Sequence[Tool]) -> Iterator[Part]:
        """A call after its first literal text."""
        call = self.syntax.call
        slots = call[1:] if isinstance(call[0], str) else call
        places = [i for i, slot in enumerate(slots) if slot in (Slot.NAME, Slot.ARGUMENTS)]
        start, end = places[0], places[-1] + 1
        yield from map(_part, slots[:start])
        yield Choice(tuple(Seq(tuple(self._slots(slots[start:end], tool))) for tool in tools))
        yield from map(_part, slots[end:])

    def _slots(self, slots: Sequence[str | Slot], tool: Tool) -> Iterator[Part]:
        for slot in slots:
            match slot:
                case Slot.NAME:
                    yield Text(tool.name)
                case Slot.ARGUMENTS:
                    yield tool.arguments
                case _:
                    yield _part(slot)


def _part(slot: str | Slot) -> Part:
    return Markup(slot) if isinstance(slot, str) else _SLOTS[slot]


def _starts(syntax: CallSyntax) -> list[int]:
    """Where in the opening a model may begin: some leave out what stands around calls."""
    opening = syntax.opening
    if syntax.told_by:
        return [0]
    ended = opening.partition("{")[0] if syntax.json else opening
    found = {0, len(syntax.begin)} | {space.end() for space in re.finditer(r"\s+", ended)}
    return sorted(start for start in found if start < len(ended.rstrip()) or start == 0)


def _mark(syntax: CallSyntax, opening: str, start: int) -> str:
    """The mark that tells a call at this place; "" where there is none that nobody else writes."""
    if syntax.told_by:
        return syntax.told_by
    ended = opening.partition("{")[0] if syntax.json else opening
    return _marking(ended[start:])


def _marking(text: str) -> str:
    """The mark with which a text begins, "" where it is none that nobody else writes."""
    mark = first_mark(text)
    return mark if mark[:1] in ("<", "[") and len(mark) > 3 else ""


def _end_of(mark: str, opening: str, start: int, others: Iterable[str]) -> int:
    """Where a mark in the opening ends, with so much behind it that it begins none of the others:
    `<call name="` begins as `<calls>` does."""
    begin = opening.index(mark, start)
    end = begin + len(mark)
    longer = [other for other in others if other != mark and other.startswith(mark)]
    while end < len(opening) and any(other.startswith(opening[begin:end]) for other in longer):
        end += 1
    return end
