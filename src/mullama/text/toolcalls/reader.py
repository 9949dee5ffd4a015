"""Tool calls, as a `CallSyntax` says, out of text that is still arriving.

A call is *begun* when its name is known, is one of the tools', and its arguments begin; from then
on everything that arrives is passed on as soon as it is certain. Before that, whatever does not fit
makes it no call, and the caller gives the text back as content. After that, arguments that break
off make a call that is not complete, and the text after the break is content.

Where an output is cut, a call whose name is complete is begun, with the arguments so far.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from mullama.text.source import Reader, Source
from mullama.text.syntax import CallSyntax, JsonCall, Slot, first_mark, marks
from mullama.text.toolcalls import arguments, values
from mullama.text.toolcalls.kinds import Schema

_DIGITS = re.compile(r"\d+", re.ASCII)
_SPACE = re.compile(r"\s+")
_BRACES = re.compile(r"[\s}]+")
_ID = re.compile(r"[\w.:\-]*\Z")

# Keys under which models write a call's parts, whatever their template's are. What else a call has
# beside its arguments (`"thought": …`) is left out; an object without marks must have nothing else.
_NAME_KEYS = frozenset({"name", "tool_name", "function"})
_ARGUMENTS_KEYS = frozenset({"arguments", "parameters"})
_ID_KEYS = frozenset({"id", "tool_call_id"})
_OTHER_KEYS = frozenset({"type", "index"})
_DEEPEST_WRAPPER = 4  # {"function": {"name": …}} is seen, and one deep


class Sink(Protocol):
    """Who gets the calls."""

    def call_begins(self, name: str, id: str) -> None: ...
    def call_goes_on(self, text: str) -> None: ...
    def call_ends(self, complete: bool, id: str = "") -> None: ...


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


@dataclass(slots=True)
class Reading:
    """What is known of the call that is being read."""

    name: str = ""
    id: str = ""
    begun: bool = False
    literal: str = ""  # the text so far, for an id that is made of name and number
    waiting: list[str] = field(default_factory=list)  # arguments that came before the name
    strange: bool = False  # whether it has something that calls do not have


class CallReader:
    """Reads the calls that stand at the source's position."""

    def __init__(
        self, source: Source, syntax: CallSyntax, tools: Mapping[str, Schema], sink: Sink
    ) -> None:
        self._source = source
        self._syntax = syntax
        self._tools = tools
        self._sink = sink
        self._keys = syntax.json or JsonCall()
        self._marked = not syntax.json or bool(syntax.opening.partition("{")[0].strip())
        place = syntax.call.index(Slot.ARGUMENTS)
        self._header = syntax.call[:place]
        self._trailer = syntax.call[place + 1 :]
        self._prefix = self._header[0] if not isinstance(self._header[0], Slot) else ""
        self._wrapped = False  # whether each call has marks around it
        if syntax.json:
            self._prefix = self._prefix.partition("{")[0]
            last = "".join(part for part in self._trailer if isinstance(part, str))
            closing = last.rpartition("}")[2]
            self._trailer = (closing,)
            self._wrapped = bool(self._prefix.strip() and closing.strip())
        self._dialect = values.RELAXED if self._marked else values.JSON
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
        reading = Reading(literal=self._prefix)
        if not entered and not (yield from self._source.literal(self._prefix)):
            return False
        listed = self._wrapped and (yield from self._bracket("["))
        if self._syntax.json:
            complete = yield from self._object_call(reading)
        else:
            complete = yield from self._call_in_parts(reading)
        if not reading.begun:
            return False
        identified = Slot.ID in self._trailer  # so that it ends when its id is known
        if not identified:
            self._sink.call_ends(complete, reading.id)
        self._source.hold()
        while complete and self._wrapped and (yield from self._next_object()):
            reading = Reading()
            complete = yield from self._object_call(reading)
            if not reading.begun:
                return True
            self._sink.call_ends(complete, reading.id)
            self._source.hold()
        if listed and (yield from self._bracket("]")):
            self._source.hold()
        if complete and (yield from self._trail(reading)):
            self._source.hold()
        if identified:
            self._sink.call_ends(complete, reading.id)
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

    def _begin(self, reading: Reading) -> None:
        """From here on it is a call."""
        self._source.release()
        self._sink.call_begins(reading.name, reading.id)
        reading.begun = True
        for text in reading.waiting:
            self._sink.call_goes_on(text)

    def _begin_cut(self, reading: Reading) -> bool:
        """Begin a call whose name is known where the whole text ends; it is not complete."""
        cut = self._source.ended and not self._source.n_here
        # A name alone tells nothing.
        told = self._syntax.opening.strip() or reading.literal.strip() != reading.name
        if cut and told and reading.name and not reading.strange:
            self._begin(reading)
        return False

    # ------------------------------------------------------------------ literal text and slots

    def _call_in_parts(self, reading: Reading) -> Reader[bool]:
        """Read the slots and the arguments; whether the call is complete."""
        header = self._header[1:] if self._prefix else self._header
        for part, following in zip(header, [*header[1:], Slot.ARGUMENTS], strict=True):
            found = yield from self._part(reading, part)
            if not found and following not in (Slot.ID, Slot.INDEX):  # which models leave out
                return False
        syntax = self._syntax.arguments
        if not (yield from arguments.begin(self._source, syntax, self._stop)):
            return self._begin_cut(reading)
        self._begin(reading)
        schema, emit = self._tools[reading.name], self._sink.call_goes_on
        return (yield from arguments.read(self._source, syntax, schema, emit, self._stop))

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

    # ------------------------------------------------------------------ one JSON object

    def _object_call(self, reading: Reading) -> Reader[bool]:
        """Read a call that is a JSON object; whether it is complete."""
        complete = yield from self._object(reading, 0)
        if reading.begun:
            return complete
        if not complete:
            return self._begin_cut(reading)
        if not reading.name or (reading.strange and not reading.waiting):
            return False
        self._begin(reading)
        if not reading.waiting:
            self._sink.call_goes_on("{}")
        return True

    def _object(self, reading: Reading, depth: int) -> Reader[bool]:
        """Read an object that has the call's parts, in any order; whether it is complete."""
        source = self._source
        yield from source.space()
        more = yield from source.mark("{")
        while more:
            yield from source.space()
            if not (key := (yield from self._string())):
                break
            yield from source.space()
            if not (yield from source.mark(":")):
                return False
            yield from source.space()
            if not (yield from self._member(reading, key, depth)):
                return False
            yield from source.space()
            more = yield from source.mark(",")
        return (yield from source.mark("}")) or (yield from self._over())

    def _over(self) -> Reader[bool]:
        """Whether the mark that closes a call stands here: then it is over, as models forget a
        brace, and write one too many."""
        if not self._wrapped:
            return False
        return (yield from self._source.stands(first_mark(self._trailer[0])))

    def _member(self, reading: Reading, key: str, depth: int) -> Reader[bool]:
        """Read the value of one key; False if it is none, or the call is none of the tools'."""
        first = yield from self._source.at(0)
        if not first:
            return False
        if reading.begun:
            return (yield from self._rest(reading, key))
        if key in _NAME_KEYS | {self._keys.name} and first in self._dialect.quotes:
            reading.name = yield from self._string()
            return reading.name in self._tools
        if key in _ARGUMENTS_KEYS | {self._keys.arguments}:
            if first in ("{", *self._dialect.quotes):
                return (yield from self._arguments(reading, first != "{"))
            if (yield from self._source.mark("null")):
                return True
        if key == "function" and first == "{" and depth < _DEEPEST_WRAPPER:
            return (yield from self._object(reading, depth + 1))
        return (yield from self._rest(reading, key))

    def _rest(self, reading: Reading, key: str) -> Reader[bool]:
        """Read a value that is neither name nor arguments; it may be the id."""
        is_id = key in _ID_KEYS | {self._keys.id}
        if not is_id and key not in _OTHER_KEYS:
            reading.strange = True
            if not self._marked:
                return False
        text: list[str] = []
        found = yield from values.value(self._source, self._dialect, text.append)
        if found and is_id:
            reading.id = "".join(text).strip('"')
        return found

    def _arguments(self, reading: Reading, quoted: bool) -> Reader[bool]:
        """Read the arguments, which some models write as a string with JSON in it."""
        emit = reading.waiting.append
        if reading.name and not quoted:
            self._begin(reading)
            emit = self._sink.call_goes_on
        if not quoted:
            return (yield from values.value(self._source, self._dialect, emit))
        written = _object_in((yield from self._string()))
        emit(written)
        return bool(written)

    def _string(self) -> Reader[str]:
        """The text of a JSON string; "" where there is none."""
        text: list[str] = []
        found = yield from values.string(self._source, self._dialect, text.append)
        return str(json.loads("".join(text))) if found else ""


def _is_mark(piece: str) -> bool:
    """Whether a piece of literal text is a whole mark, which no words are."""
    return len(piece) > 3 and piece[0] in "<[" and piece[-1] in ">]"


def _id(text: str) -> str:
    """The id at the end of a call's text: all that is neither white space nor a mark."""
    found = _ID.search(text)
    return found.group() if found else ""


def _object_in(text: str) -> str:
    """The JSON object that a string holds; "" where it holds none; an empty one is `{}`."""
    text = text.strip() or "{}"
    return values.whole(text, values.RELAXED) if text.startswith("{") else ""
