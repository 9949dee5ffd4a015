"""Spans of an answer whose format is a response schema.

An expression says nothing of half a text: a word more can make a thought of what was content. So
an answer is read once, when it is whole, and a stream has its deltas at its end; the cost is that
of one reading, however it was cut.

What the schema makes nothing of is content, as it was written: the whole text where it does not
match, and all after the thought where a call is none of the tools'.

A schema is written for what a model writes with or without what the prompt has begun for it (an
open `<think>`). The latter is put in front if the schema names it, or if it has words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mullama.text.arguments import as_object
from mullama.text.responses import THOUGHTS
from mullama.text.source import Reader, Source
from mullama.text.spans import Collector
from mullama.text.toolcalls.kinds import Schema, json_of, kinds, property_schema

if TYPE_CHECKING:
    from mullama.text.responses.schema import ResponseSchema


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: str
    id: str
    complete: bool


@dataclass(frozen=True, slots=True)
class _Parts:
    """What an answer consists of; `thought` stands in the text from `begin` to `end`."""

    content: str
    thought: str = ""
    calls: list[_Call] = field(default_factory=list)
    begin: int = 0
    end: int = 0


class Stated:
    """Reads an answer by a response schema."""

    settled = False  # all of it is known at the end only

    def __init__(
        self,
        schema: ResponseSchema,
        source: Source,
        out: Collector,
        tools: Mapping[str, Schema],
        *,
        opened: str,
        marks: tuple[str, ...],
        verbatim: bool,
    ) -> None:
        """`opened` is the source's first text, which the prompt has; `marks` those that it may
        have beside words."""
        self._schema, self._source, self._out, self._tools = schema, source, out, tools
        self._verbatim = verbatim
        words = opened
        for mark in marks:
            words = words.replace(mark.strip(), "") if mark.strip() else words
        self._n_opened = len(opened)
        self._prefix = opened if words.strip() or schema.names(opened.strip()) else ""
        self._said = self._parts(opened).content if words.strip() else ""

    def run(self) -> Reader[None]:
        """Take all text, and make spans of it when it is over."""
        pieces: list[str] = []
        self._out.say(self._said)
        while (yield from self._source.at(0)):
            piece = self._source.take(self._source.n_here)
            self._source.n_aside += len(piece)
            pieces.append(piece)
        self._source.n_aside = 0
        written = "".join(pieces)[self._n_opened :]
        self._emit(self._parts(self._prefix + written), self._prefix + written)

    def _emit(self, parts: _Parts, text: str) -> None:
        out, shift = self._out, len(self._prefix)
        if parts.thought:
            out.thought_begins(max(0, parts.begin - shift), "")
            out.think("" if self._verbatim else parts.thought)
            out.thought_ends(max(0, parts.end - shift), "")
        content = parts.content
        if self._verbatim and parts.thought:
            place = text.rfind(content) if content else parts.end
            content = text[: max(place, parts.end)] + content
        out.say(content.removeprefix(self._said))
        for call in parts.calls:
            out.call_begins(call.name, call.id)
            out.call_goes_on(call.arguments)
            out.call_ends(call.complete)

    # ------------------------------------------------------------------ what the schema says

    def _parts(self, text: str) -> _Parts:
        """The parts of an answer; all of it is content if the schema makes nothing of it."""
        read = self._schema.read(text)
        if read is None:
            return _Parts(text)
        thought = next((read[key] for key in THOUGHTS if isinstance(read.get(key), str)), "")
        begin = max(0, text.find(thought))
        end = begin + len(thought) if text.startswith(thought, begin) else begin
        content = read.get("content")
        said = content if isinstance(content, str) else ""
        calls = self._calls(read.get("tool_calls"))
        if calls is None:
            return _Parts(text[end:], thought, [], begin, end)
        if not (said.strip() or thought.strip() or calls):
            return _Parts(text)
        return _Parts(said, thought, calls, begin, end)

    def _calls(self, found: Any) -> list[_Call] | None:
        """The calls; None where one is no call, or none of the tools'."""
        if found is None:
            return []
        calls = [self._call(one) for one in (found if isinstance(found, list) else [found])]
        return [call for call in calls if call] if all(calls) else None

    def _call(self, found: Any) -> _Call | None:
        if not isinstance(found, dict):
            return None
        function = found.get("function", found)
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(name, str) or name not in self._tools:
            return None
        id = found.get("id")
        arguments = function.get("arguments", {})
        if isinstance(arguments, str):
            whole = as_object(arguments) != {"arguments": arguments}
            return _Call(name, arguments, str(id or ""), complete=whole)
        if not isinstance(arguments, dict):
            return None
        return _Call(name, _written(arguments, self._tools[name]), str(id or ""), complete=True)


def _written(arguments: dict[str, Any], schema: Schema) -> str:
    """Arguments as JSON; a text that the tool's schema has no place for is what it spells."""
    members = []
    for key, value in arguments.items():
        allowed = kinds(property_schema(schema, key, schema), schema)
        if isinstance(value, str) and "string" not in allowed:
            text = json_of(value, allowed)
        elif allowed == {"string"} and not isinstance(value, str):
            text = json.dumps(json.dumps(value, ensure_ascii=False), ensure_ascii=False)
        else:
            text = json.dumps(value, ensure_ascii=False)
        members.append(f"{json.dumps(key, ensure_ascii=False)}: {text}")
    return "{" + ", ".join(members) + "}"
