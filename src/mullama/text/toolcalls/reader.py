"""Tool calls, as a `CallSyntax` says, out of text that is still arriving.

A section has one call or several, and the marks around each and around all. Before a call has begun
(`reading`) whatever does not fit makes it no call, and the caller gives the text back as content.
After that, arguments that break off make a call that is not complete, and the text after the break
is content. Models are not careful with what stands around calls: marks may be missing at either
end, and another separator stand between.

Where an output is cut, a call whose name is complete is begun, with the arguments so far.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from mullama.text.source import Reader, Source
from mullama.text.syntax import CallSyntax, Slot, first_mark, marks
from mullama.text.toolcalls import arguments
from mullama.text.toolcalls.json_call import JsonCallReader
from mullama.text.toolcalls.kinds import Schema
from mullama.text.toolcalls.reading import Reading, Sink

_DIGITS = re.compile(r"\d+", re.ASCII)
_SPACE = re.compile(r"\s+")
_BRACES = re.compile(r"[\s}]+")
_ID = re.compile(r"[\w.:\-]*\Z")


def entrances(syntax: CallSyntax, names: Iterable[str]) -> dict[str, str]:
    """The marks that may open calls -> the literal text that must follow, the mark included.

    Models leave out what stands around the first call, or around each, so every beginning of a
    word that is a mark will do. Where nothing stands in front of them, it is the tools' names.
    """
    if not syntax.opening.strip():
        return dict.fromkeys(names, "")
    opening = syntax.opening.partition("{")[0] if syntax.json else syntax.opening
    starts = {0, len(syntax.begin)} | {found.end() for found in re.finditer(r"\s+", opening)}
    found: dict[str, str] = {}
    for start in sorted(start for start in starts if start < len(opening.rstrip())):
        rest = opening[start:]
        mark = first_mark(rest)
        if start == 0 or mark[:1] in "<[":
            found.setdefault(mark, rest)
    if syntax.json and not found:
        found["{"] = ""
    return found


class CallReader:
    """Reads the calls that stand at the source's position; `in_own_line`: they must begin one."""

    def __init__(
        self, source: Source, syntax: CallSyntax, tools: Mapping[str, Schema], sink: Sink
    ) -> None:
        self._source = source
        self._syntax = syntax
        self._tools = tools
        self._sink = sink
        self.in_own_line = not syntax.opening.strip()  # as a name alone may be any word
        place = syntax.call.index(Slot.ARGUMENTS)
        self._header = syntax.call[:place]
        self._trailer = syntax.call[place + 1 :]
        self._prefix = self._header[0] if not isinstance(self._header[0], Slot) else ""
        self._objects: JsonCallReader | None = None
        self._wrapped = False  # whether each call is an object with marks around it
        if syntax.json:
            self._prefix = self._prefix.partition("{")[0]
            last = "".join(part for part in self._trailer if isinstance(part, str))
            closing = last.rpartition("}")[2]
            self._trailer = (closing,)
            self._wrapped = bool(self._prefix.strip() and closing.strip())
            self._objects = JsonCallReader(
                source,
                syntax.json,
                tools,
                marked=bool(syntax.opening.partition("{")[0].strip()),
                closing=first_mark(closing) if self._wrapped else "",
            )
        # Enough of the section's end to know it by, as an answer may break off in it.
        piece = next(iter(marks(syntax.end)), "")
        others = (self._prefix.lstrip(), syntax.between.lstrip())
        alike = any(other.startswith(piece) for other in others)
        self._end = first_mark(syntax.end) if alike else piece
        stop = next((part for part in self._trailer if isinstance(part, str)), "")
        self._stop = stop and stop + syntax.end

    def section(self, entrance: str) -> Reader[bool]:
        """Read calls, from the text of an entrance on; False, with nothing begun, if there is none.

        What was taken and belongs to no call is held by the source.
        """
        if not (yield from self._source.literal(entrance)):
            return False
        if not (yield from self._call(entered=True)):
            return False
        while (yield from self._another()) and (yield from self._call(entered=False)):
            pass
        return True

    def _another(self) -> Reader[bool]:
        """Whether one more call of this section follows; takes the section's end if it stands."""
        source, syntax = self._source, self._syntax
        yield from source.space()
        if self._end and (yield from source.stands(self._end)):
            yield from source.literal(syntax.end)
            source.hold()
            return False
        between = first_mark(syntax.between)
        if between and (yield from source.stands(between)):
            return (yield from source.literal(syntax.between))
        if (yield from self._separator()):
            yield from source.space()
        first = first_mark(self._prefix) or ("{" if syntax.json else "")
        if first:
            return (yield from source.stands(first))
        letter = yield from source.at(0)
        named = bool(letter) and any(name.startswith(letter) for name in self._tools)
        return named and self._header[0] is Slot.NAME

    def _call(self, *, entered: bool) -> Reader[bool]:
        """Read one call; False if nothing was begun. `entered`: its first text is taken already."""
        reading = Reading(self._source, self._sink, self._prefix)
        if not entered and not (yield from self._source.literal(self._prefix)):
            return False
        listed = self._wrapped and (yield from self._bracket("["))
        objects = self._objects
        read = objects.read if objects else self._in_parts
        complete = yield from read(reading)
        if not reading.begun:
            return False
        identified = Slot.ID in self._trailer  # so that it ends when its id is known
        if not identified:
            reading.end(complete)
        self._source.hold()
        while complete and self._wrapped and objects and (yield from self._next_object()):
            reading = Reading(self._source, self._sink)
            complete = yield from objects.read(reading)
            if not reading.begun:
                return True
            reading.end(complete)
            self._source.hold()
        if listed and (yield from self._bracket("]")):
            self._source.hold()
        if complete and (yield from self._trail(reading)):
            self._source.hold()
        if identified:
            reading.end(complete)
        return True

    def _bracket(self, bracket: str) -> Reader[bool]:
        """Take a bracket that models write around several calls between one pair of marks."""
        yield from self._source.space()
        return (yield from self._source.mark(bracket))

    def _separator(self) -> Reader[bool]:
        """Take what models write between calls, whatever their template has there."""
        comma = yield from self._source.mark(",")
        return comma or (yield from self._source.mark(";"))

    def _next_object(self) -> Reader[bool]:
        """Whether one more call follows between the same marks; takes what is between them."""
        yield from self._source.space()
        yield from self._separator()
        yield from self._source.space()
        return (yield from self._source.stands("{"))

    def _trail(self, reading: Reading) -> Reader[bool]:
        """Read what stands behind a call's arguments; its name may stand there again."""
        for part in self._trailer:
            if part is Slot.NAME:
                found = yield from self._source.mark(reading.name)
            elif isinstance(part, str):
                reading.literal += part
                found = yield from self._closing(part)
            else:
                found = yield from self._part(reading, part)
            if not found:
                return False
        return True

    def _closing(self, text: str) -> Reader[bool]:
        """Take literal text behind arguments; models leave out marks at either end of it."""
        source, pieces = self._source, marks(text)
        if pieces:
            yield from source.run(_BRACES if self._wrapped else _SPACE)
        for later in (piece for piece in pieces[1:] if _is_mark(piece)):
            if (yield from source.stands(later)):
                pieces = pieces[pieces.index(later) :]
                break
        for number, piece in enumerate(pieces):
            yield from source.space()
            if not (yield from source.mark(piece)):
                return number > 0 and not (yield from source.at(0))
            if _is_mark(piece):
                source.hold()  # what was taken is the call's
        return True

    # ------------------------------------------------------------------ literal text and slots

    def _in_parts(self, reading: Reading) -> Reader[bool]:
        """Read the slots and the arguments; whether the call is complete."""
        header = self._header[1:] if self._prefix else self._header
        for part, following in zip(header, [*header[1:], Slot.ARGUMENTS], strict=True):
            found = yield from self._part(reading, part)
            if not found and following not in (Slot.ID, Slot.INDEX):  # which models leave out
                return False
        syntax = self._syntax.arguments
        if not (yield from arguments.begin(self._source, syntax, self._stop)):
            # A name alone tells nothing.
            if self._syntax.opening.strip() or reading.literal.strip() != reading.name:
                reading.begin_cut()
            return False
        reading.begin()
        schema = self._tools[reading.name]
        return (yield from arguments.read(self._source, syntax, schema, reading.argue, self._stop))

    def _part(self, reading: Reading, part: str | Slot) -> Reader[bool]:
        match part:
            case Slot.NAME:
                yield from self._source.space()
                names = [reading.name] if reading.name else self._tools
                reading.name = yield from self._source.one_of(names)
                reading.literal += reading.name
                return bool(reading.name)
            case Slot.ID:
                reading.id = yield from self._source.word()
            case Slot.INDEX:
                digits = yield from self._source.run(_DIGITS)
                counted = reading.literal.rstrip(":_-#").endswith(reading.name)
                reading.id = _id(reading.literal + digits) if digits and counted else ""
            case str():
                reading.literal += part
                return (yield from self._source.literal(part))
        return True


def _is_mark(piece: str) -> bool:
    """Whether a piece of literal text is a whole mark, which no words are."""
    return len(piece) > 3 and piece[0] in "<[" and piece[-1] in ">]"


def _id(text: str) -> str:
    """The id at the end of a call's text: all that is neither white space nor a mark."""
    found = _ID.search(text)
    return found.group() if found else ""
