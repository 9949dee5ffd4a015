"""A value that stands bare between marks, and what ends it.

The mark that closes a value ends it, whatever is in it. Models forget that mark; then the value
ends where the next argument begins or the call does:

    <function=look>
    <parameter=city>
    Paris
    <parameter=days>     in its place, of a name that the tool has and the call has not yet
    3
    </function>          and no mark that closes a value comes before yet another argument

So a text about such marks stays a text. What is behind the end of a call in one is held back until
that is certain. A value that is no text is not ended within its brackets or quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from mullama.text.source import Reader, Source, Triggers
from mullama.text.syntax import Arguments, first_mark, marks
from mullama.text.toolcalls.kinds import json_of
from mullama.text.toolcalls.values import Emit, escaped, skip

STRING = frozenset({"string"})
_TELLING = re.compile(r'\\.|["{}\[\]]', re.DOTALL)


class End(Enum):
    """How a value ends. What ends it is left where it stands."""

    CLOSED = "by its mark"
    FOLLOWED = "by what follows it, as its mark is missing"
    CUT = "by the end of the text"


@dataclass(frozen=True, slots=True)
class Ends:
    """`close` ends a value, but for one `drop` in front of it; see the module's first words.

    `begin` begins an argument up to its name, `key_end` ends that. `stops` are the marks with which
    a call may end.
    """

    close: str
    drop: str = ""
    begin: str = ""
    key_end: str = ""
    stops: tuple[str, ...] = ()


def ends_of(syntax: Arguments, end: str, stop: str) -> Ends:
    """What ends a value before `end`, in a call that ends with `stop`."""
    close, drop = first_mark(end), "\n" if end.startswith("\n") else ""
    stops = (mark for mark in marks(stop) if mark[0] in "<[" and len(mark) > 3)
    return Ends(
        close,
        drop,
        syntax.begin.lstrip() if _apart(syntax.next.strip(), close) else "",
        first_mark(syntax.key_end),
        tuple(mark for mark in stops if _apart(mark, close) and _apart(mark, syntax.next.strip())),
    )


def _apart(mark: str, other: str) -> bool:
    return bool(mark) and not (other and (mark.startswith(other) or other.startswith(mark)))


@lru_cache(256)
def _triggers(ends: Ends) -> Triggers:
    """All that may end a value, with a line's end in front of it where it is none of the value."""
    begin = first_mark(ends.begin)
    if ends.drop:
        within, at_line = [ends.close, *ends.stops], [ends.close, *ends.stops, begin]
    else:
        within, at_line = [ends.close, *ends.stops, begin], [*ends.stops, begin]
    return Triggers([*within, *("\n" + mark for mark in at_line if mark)])


def value(
    source: Source, ends: Ends, names: Collection[str], allowed: frozenset[str], emit: Emit
) -> Reader[End]:
    """Read a value and emit it as JSON of an allowed kind; `names` may begin another argument."""
    if allowed == STRING:
        emit('"')
        found = yield from _read(source, ends, names, lambda text: emit(escaped(text)), _always)
        if found is not End.CUT:
            emit('"')
        return found
    pieces = _Pieces()
    found = yield from _read(source, ends, names, pieces.put, pieces.is_whole)
    emit(pieces.text if found is End.CUT else json_of(pieces.text, allowed))
    return found


def _read(
    source: Source, ends: Ends, names: Collection[str], put: Emit, is_whole: Callable[[], bool]
) -> Reader[End]:
    """Take a value up to what ends it, piece by piece."""
    if ends.drop and (yield from _is_argument(source, ends, names, 0)):
        return End.FOLLOWED  # there is no value
    while trigger := (yield from source.up_to(_triggers(ends), put)):
        mark = trigger.removeprefix("\n")
        blank = len(trigger) - len(mark)
        if mark == ends.close:
            source.take(blank)
            return End.CLOSED
        if not is_whole():
            put(source.take(len(trigger)))
        elif mark not in ends.stops:
            if (yield from _is_argument(source, ends, names, blank)):
                source.take(blank)
                return End.FOLLOWED
            put(source.take(len(trigger)))
        elif (yield from _is_over(source, ends, trigger, put)):
            source.take(blank)
            return End.FOLLOWED
    return End.CUT


def _is_argument(source: Source, ends: Ends, names: Collection[str], ahead: int) -> Reader[bool]:
    """Whether an argument of one of these names begins so many places ahead."""
    if not ends.begin or not (yield from source.stands(ends.begin, ahead)):
        return False
    longest, name = max(map(len, names), default=-1), ""
    while len(name) <= longest:
        place = ahead + len(ends.begin) + len(name)
        if name in names and (yield from source.stands(ends.key_end, place)):
            return True
        letter = yield from source.at(place)
        if not letter:
            break
        name += letter
    return False


def _is_over(source: Source, ends: Ends, stop: str, put: Emit) -> Reader[bool]:
    """Whether nothing closes the value behind this stop, which then comes again; else it is text,
    and put up to the mark that closes it."""
    triggers, begin = _triggers(ends), first_mark(ends.begin)
    source.hold()
    source.take(len(stop))
    while trigger := (yield from source.up_to(triggers, skip)):
        mark = trigger.removeprefix("\n")
        if mark == ends.close:
            put(source.release())
            return False
        if mark == begin:
            break
        source.take(len(trigger))
    source.give_back()
    return True


def _always() -> bool:
    return True


class _Pieces:
    """A value that may be JSON, put together."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._n_seen = 0
        self._rest = ""  # a backslash whose letter is not seen yet
        self._depth = 0
        self._quoted = False

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def put(self, text: str) -> None:
        self._pieces.append(text)

    def is_whole(self) -> bool:
        """Whether its brackets and quotes are closed, if it begins with one. Looks at each piece
        once."""
        text = self._rest + "".join(self._pieces[self._n_seen :])
        self._n_seen = len(self._pieces)
        self._rest = "\\" if len(text) - len(text.rstrip("\\")) & 1 else ""
        for mark in _TELLING.findall(text):
            if mark == '"':
                self._quoted = not self._quoted
            elif not self._quoted:
                self._depth += 1 if mark in "{[" else -1 if mark in "}]" else 0
        first = next((piece for piece in map(str.strip, self._pieces) if piece), "")
        return first[:1] not in ("{", "[", '"') or (not self._quoted and self._depth <= 0)
