"""A call that is one JSON object: name and arguments under keys, in any order.

    {"name": "get_time", "arguments": {"city": "Paris"}}
    {"type": "function", "function": {"name": "get_time", "parameters": "{\"city\": \"Paris\"}"}}

The keys are those that models write, whatever their template's are. What else a call has beside its
arguments (`"thought": …`) is left out; an object without marks must have nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Container

from mullama.text.source import Reader, Source
from mullama.text.syntax import JsonCall
from mullama.text.toolcalls import values
from mullama.text.toolcalls.reading import Reading

_DEEPEST_WRAPPER = 4  # {"function": {"name": …}} is seen, and one deep


class JsonCallReader:
    """Reads such an object at the source's position."""

    def __init__(
        self, source: Source, keys: JsonCall, tools: Container[str], *, marked: bool, closing: str
    ) -> None:
        """`marked`: a mark stands in front of calls. `closing`: the mark behind each, if any."""
        self._source = source
        self._tools = tools
        self._marked = marked
        self._closing = closing
        self._dialect = values.RELAXED if marked else values.JSON
        self._name_keys = frozenset({"name", "tool_name", "function", keys.name})
        self._arguments_keys = frozenset({"arguments", "parameters", keys.arguments})
        self._id_keys = frozenset({"id", "tool_call_id", keys.id})
        self._other_keys = frozenset({"type", "index"})
        self._strange = False  # whether the object has something that calls do not have

    def read(self, reading: Reading) -> Reader[bool]:
        """Read a call; whether it is complete."""
        self._strange = False
        complete = yield from self._object(reading, 0)
        if reading.begun:
            return complete
        if not complete:
            if not self._strange:
                reading.begin_cut()
            return False
        if not reading.name or (self._strange and not reading.waiting):
            return False
        reading.begin()
        if not reading.waiting:
            reading.argue("{}")
        return True

    def _object(self, reading: Reading, depth: int) -> Reader[bool]:
        """Read an object that has the call's parts; whether it is complete."""
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
        """Whether the mark that closes a call stands here, as models forget a brace."""
        return bool(self._closing) and (yield from self._source.stands(self._closing))

    def _member(self, reading: Reading, key: str, depth: int) -> Reader[bool]:
        """Read the value of one key; False if it is none, or the call is none of the tools'."""
        first = yield from self._source.at(0)
        if not first:
            return False
        if reading.begun:
            return (yield from self._rest(reading, key))
        if key in self._name_keys and first in self._dialect.quotes:
            reading.name = yield from self._string()
            return reading.name in self._tools
        if key in self._arguments_keys:
            if first in ("{", *self._dialect.quotes):
                return (yield from self._arguments(reading, first != "{"))
            if (yield from self._source.mark("null")):
                return True
        if key == "function" and first == "{" and depth < _DEEPEST_WRAPPER:
            return (yield from self._object(reading, depth + 1))
        return (yield from self._rest(reading, key))

    def _rest(self, reading: Reading, key: str) -> Reader[bool]:
        """Read a value that is neither name nor arguments; it may be the id."""
        if key not in self._id_keys | self._other_keys:
            self._strange = True
            if not self._marked:
                return False
        text: list[str] = []
        found = yield from values.value(self._source, self._dialect, text.append)
        if found and key in self._id_keys:
            reading.id = "".join(text).strip('"')
        return found

    def _arguments(self, reading: Reading, quoted: bool) -> Reader[bool]:
        """Read the arguments, which some models write as a string with JSON in it."""
        if quoted:
            written = _object_in((yield from self._string()))
            reading.argue(written)
            return bool(written)
        if reading.name:
            reading.begin()
        return (yield from values.value(self._source, self._dialect, reading.argue))

    def _string(self) -> Reader[str]:
        """The text of a JSON string; "" where there is none."""
        text: list[str] = []
        found = yield from values.string(self._source, self._dialect, text.append)
        return str(json.loads("".join(text))) if found else ""


def _object_in(text: str) -> str:
    """The JSON object that a string holds; "" where it holds none; an empty one is `{}`."""
    text = text.strip() or "{}"
    return values.whole(text, values.RELAXED) if text.startswith("{") else ""
