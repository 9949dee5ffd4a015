"""Harmony, the format of gpt-oss: messages with headers, each on a channel.

    <|channel|>analysis<|message|>Thinking…<|end|>
    <|start|>assistant<|channel|>commentary to=functions.get_time <|constrain|>json<|message|>
    {"city": "Paris"}<|call|>
    <|start|>assistant<|channel|>final<|message|>It is noon.<|return|>

(without the line breaks). Thoughts are on the channel `analysis`, words for the user on `final`,
and on `commentary` where they have no recipient. The recipient `to=functions.NAME` of a call stands
in either half of the header. https://cookbook.openai.com/articles/openai-harmony

A message to a recipient that nobody offered is content, as nothing is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mullama.text.source import Reader, Source, Triggers
from mullama.text.spans import Collector
from mullama.text.syntax import CallSyntax, Format, Protocol, Reasoning, Slot
from mullama.text.toolcalls import values
from mullama.text.toolcalls.kinds import Schema

FORMAT = Format(
    name="harmony",
    protocol=Protocol.HARMONY,
    messages=True,
    head="<|start|>assistant",
    reasoning=Reasoning("<|channel|>analysis<|message|>", "<|end|>", anywhere=True),
    content_begin="<|channel|>final<|message|>",
    calls=CallSyntax(
        call=(
            "<|channel|>commentary to=functions.",
            Slot.NAME,
            " <|constrain|>json<|message|>",
            Slot.ARGUMENTS,
            "<|call|>",
        ),
        many=False,
        told_by=" to=functions.",
    ),
)

_START, _CHANNEL, _CONSTRAIN, _MESSAGE = "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>"
_IN_HEADER = (_START, _CHANNEL, _CONSTRAIN)
_ENDS = ("<|end|>", "<|call|>", "<|return|>")
_BODY_ENDS = Triggers((*_ENDS, _START, _CHANNEL))
_TEXT_ENDS = Triggers((_START, _CHANNEL))
_WORDS = re.compile(r"[\w.=/\-]+")
_BRACES = re.compile(r"[\s}]+")
_RECIPIENT = re.compile(r"\bto=([\w.\-]+)")
_ON_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")


class Harmony:
    """Reads one answer of harmony messages."""

    settled = False  # another message may always follow

    def __init__(
        self, source: Source, out: Collector, tools: Mapping[str, Schema], start: int
    ) -> None:
        """`start`: how much of the source's text belongs to the prompt."""
        self._source = source
        self._out = out
        self._tools = tools
        self._start = start

    def run(self) -> Reader[None]:
        source = self._source
        while (yield from source.at(0)):
            source.hold()
            header = yield from self._header()
            held = source.release()
            if header:
                yield from self._message(header)
                continue
            self._out.say(held)
            yield from source.up_to(_TEXT_ENDS, self._out.say)

    def _header(self) -> Reader[str]:
        """Take a header up to its end; "" where there is none, whatever was taken."""
        source = self._source
        yield from source.space()
        if not (yield from source.stands("<|")) and not (yield from source.stands("to=")):
            return ""
        parts: list[str] = []
        while not (yield from source.stands(_MESSAGE)):
            part = yield from self._part_of_header()
            if not part:
                return ""
            parts.append(part)
        return "".join(parts) + source.take(len(_MESSAGE))

    def _part_of_header(self) -> Reader[str]:
        """Take a mark or words, and the white space after it; "" where there is neither."""
        for mark in _IN_HEADER:
            if (yield from self._source.stands(mark)):
                part = self._source.take(len(mark))
                break
        else:
            part = yield from self._source.run(_WORDS)
        return part + (yield from self._source.space()) if part else ""

    def _message(self, header: str) -> Reader[None]:
        channels, recipient = _ON_CHANNEL.findall(header), _RECIPIENT.search(header)
        name = recipient.group(1).removeprefix("functions.") if recipient else ""
        if channels[-1:] == ["analysis"] and not name:
            yield from self._thought(header)
            return
        yield from self._source.space()
        if name in self._tools and (
            (yield from self._source.at(0)) in ("{", "") or (yield from self._over())
        ):
            yield from self._call(name)
        else:
            self._out.content_begins()
            yield from self._source.up_to(_BODY_ENDS, self._out.say)
            yield from self._end()

    def _call(self, name: str) -> Reader[None]:
        out, source = self._out, self._source
        out.call_begins(name, "")
        if (yield from self._over()):
            out.call_goes_on("{}")
            complete = True
        else:
            complete = yield from values.value(source, values.RELAXED, out.call_goes_on)
        out.call_ends(complete)
        source.hold()
        if complete:
            yield from source.run(_BRACES)
        if (yield from self._over()):  # braces too many are no words
            source.release()
        out.say(source.release())
        yield from source.up_to(_BODY_ENDS, out.say)
        yield from self._end()

    def _over(self) -> Reader[bool]:
        """Whether a mark that ends a message stands here."""
        for mark in _ENDS:
            if (yield from self._source.stands(mark)):
                return True
        return False

    def _thought(self, header: str) -> Reader[None]:
        out, source = self._out, self._source
        mark = header[header.rindex(_CHANNEL) :]
        out.thought_begins(max(0, source.offset - self._start), mark)
        found = yield from source.up_to(_BODY_ENDS, out.think)
        if found:
            end = yield from self._end()
            out.thought_ends(max(0, source.offset - self._start), end)

    def _end(self) -> Reader[str]:
        """Take the mark that ends a message, if it stands here."""
        for mark in _ENDS:
            if (yield from self._source.stands(mark)):
                return self._source.take(len(mark))
        return ""
