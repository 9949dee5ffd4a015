"""How a model writes its answer, as plain data: thoughts, words for the user, tool calls.

A `Format` is found for each template (`text.formats`) and says nothing about parsing or grammars;
both read it. `CallSyntax` is the literal text around a call, in order:

    begin  call  between  call  …  end

and a call is literal text with slots: `("<function=", NAME, ">", ARGUMENTS, "</function>")`. A
grammar is made of it by putting rules in the slots. Only an ID may stand before NAME; where NAME
comes once more (`("<", NAME, ">", ARGUMENTS, "</", NAME, ">")`) it is the same name. A parser takes
the same text with any white space between its marks (`marks`), as models are not careful there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mullama.text.responses.schema import ResponseSchema

_TAG = re.compile(r"<\w+>")
_MARKS = re.compile(r"<[^<>\s]*>?|\[[^\[\]\s]+\]|[^\s<\[]+|\S")


def marks(text: str) -> list[str]:
    """The pieces of literal text between which a model may put white space or none."""
    return _MARKS.findall(text)


def is_label(pieces: Sequence[str], number: int) -> bool:
    """Whether a piece of literal text is a word between a tag and the one that closes it, such as
    the name of a server: the template has to put some word there, and a model may put another."""
    if not 0 < number < len(pieces) - 1:
        return False
    opening, closing = pieces[number - 1], pieces[number + 1]
    return bool(_TAG.fullmatch(opening)) and closing == "</" + opening[1:]


def first_mark(text: str) -> str:
    """The beginning of literal text that is enough to know it by; "" for white space."""
    word = next(iter(text.split()), "")
    piece = next(iter(marks(word)), "")
    return piece if len(piece) > 2 and piece[0] in "<[" and piece[-1] in ">]" else word


class Slot(Enum):
    """What stands between the literal texts of a call."""

    NAME = "name"
    ARGUMENTS = "arguments"
    ID = "id"  # letters, digits, - and _; the model makes it up
    INDEX = "index"  # the number of the call in this conversation; the id is name and number


class Style(StrEnum):
    """How arguments are written."""

    JSON = "json"  # {"key": "value"}
    BRACED = "braced"  # {key:<quote>value<quote>}: bare keys, and text between quotes of its own
    KEYWORDS = "keywords"  # key="value", flag=True: Python, without the parentheses
    TAGGED = "tagged"  # <parameter=key>value</parameter>: text bare, everything else JSON
    NESTED = "nested"  # <key>value</key>, objects and lists as elements inside of elements


@dataclass(frozen=True, slots=True)
class Arguments:
    """How arguments are written. Beyond the style, for BRACED: `quote`; for TAGGED and NESTED:

        begin KEY key_end VALUE end   begin KEY key_end VALUE end   …

    `key_end_json`, where there is one, takes the place of `key_end` before a value that is not
    text; TYPE in it stands for the value's JSON type, that of integers being called `integer`. With
    `cdata` a text may stand in `<![CDATA[…]]>`, which is no part of it. An `end` of white space
    alone (one argument a line) is known by what follows it. NESTED closes with `end KEY key_end`,
    and `item` is the key of a list's elements. One newline at the end of `key_end` or the beginning
    of `end` is no part of the value.
    """

    style: Style = Style.JSON
    quote: str = '"'
    begin: str = ""
    key_end: str = ""
    key_end_json: str = ""
    end: str = ""
    item: str = "item"
    integer: str = "number"
    cdata: bool = False

    @property
    def next(self) -> str:
        """Where a value of TAGGED was not closed: what begins the next argument; "" if nothing
        tells that from text."""
        mark = first_mark(self.begin)
        if self.style is not Style.TAGGED or not self.end.strip() or mark[:1] not in ("<", "["):
            return ""
        return "\n" + mark if self.end.startswith("\n") else mark

    def before(self, value: Any) -> str:
        """What stands between the key and this value."""
        if isinstance(value, str) or not self.key_end_json:
            return self.key_end
        return self.key_end_json.replace(TYPE, type_name(value, self.integer))


TYPE = "\0"


def type_name(value: Any, integer: str = "integer") -> str:
    """The JSON type of a value."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return integer
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


JSON_ARGUMENTS = Arguments()


@dataclass(frozen=True, slots=True)
class JsonCall:
    """A call that is one JSON object: under which keys it has what. The keys come in any order."""

    name: str = "name"
    arguments: str = "arguments"
    id: str = ""


@dataclass(frozen=True, slots=True)
class CallSyntax:
    """The literal text around calls; see the module's first words.

    `json` is set where a call is one JSON object, as such a one need not be written exactly as
    `call` says. `many` is whether several calls can follow each other. `told_by` is the text in
    `opening` that tells a call from everything else, where its first mark does not.
    """

    call: tuple[str | Slot, ...]
    begin: str = ""
    between: str = ""
    end: str = ""
    arguments: Arguments = JSON_ARGUMENTS
    json: JsonCall | None = None
    many: bool = True
    told_by: str = ""

    @property
    def opening(self) -> str:
        """The literal text from the beginning up to the first call's first slot."""
        return self.begin + (self.call[0] if isinstance(self.call[0], str) else "")

    @property
    def trigger(self) -> str:
        """A text in `opening` that can be nothing but a call's; the rest of it must follow."""
        mark = first_mark(self.opening.partition("{")[0] if self.json else self.opening)
        return self.told_by or mark or self.opening.strip()

    def write(self, calls: Sequence[tuple[str, Mapping[str, Any]]], first_id: int = 0) -> str:
        """The text of calls (name and arguments), as the model is to write it."""
        written = [
            self._call(name, arguments, first_id + index)
            for index, (name, arguments) in enumerate(calls)
        ]
        return self.begin + self.between.join(written) + self.end

    def _call(self, name: str, arguments: Mapping[str, Any], index: int) -> str:
        values = {
            Slot.NAME: name,
            Slot.ARGUMENTS: write_arguments(self.arguments, arguments),
            Slot.ID: f"call{index:05d}",
            Slot.INDEX: str(index),
        }
        return "".join(values[part] if isinstance(part, Slot) else part for part in self.call)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The texts around a thought, with the white space that the template puts there.

    `open` is empty where an answer begins with a thought and no mark says so. `anywhere`: a thought
    may begin in the middle of an answer. `ended_by_call`: the beginning of a call ends a thought
    that was not closed; otherwise a call inside a thought is a part of it. `then` is a second part
    of the thought, which may follow the first and has marks of its own.
    """

    open: str = "<think>"
    close: str = "</think>"
    anywhere: bool = False
    ended_by_call: bool = False
    then: Reasoning | None = None

    @property
    def parts(self) -> tuple[Reasoning, ...]:
        return (self, *(self.then.parts if self.then else ()))


class Protocol(StrEnum):
    """How the parts of an answer follow each other."""

    MARKED = "marked"  # text, with marked thoughts and calls in it
    HARMONY = "harmony"  # messages with headers, each on a channel


@dataclass(frozen=True, slots=True)
class Format:
    """How a model writes.

    `head` opens the assistant's message in the prompt. `content_begin` and `content_end` are marks
    around words for the user, where there are any; they are no part of the words, and neither are
    the `dropped` marks, which stand between the parts of an answer. With `messages` each part is a
    message of its own: `head` stands before every one but the first, and where such an answer is
    over, one of the marks in `ends` follows, if there are any. `said` are marks that may
    stand around words for the user behind a thought, and mean nothing elsewhere. `lead` is a word
    with which an answer to the user begins (`<plain>`), and no part of it. `response` is a
    schema that its owner gave: then answers are read by that alone, and the rest is what a grammar
    is made of, and a thought closed with. `thinks`, `calls_tools`: the template knows thoughts, and
    calls; where it does not, `reasoning` and `calls` are the forms that models are told to use.
    """

    name: str
    head: str = ""
    reasoning: Reasoning | None = None
    calls: CallSyntax | None = None
    content_begin: str = ""
    content_end: str = ""
    dropped: tuple[str, ...] = ()
    messages: bool = False
    ends: tuple[str, ...] = ()
    said: tuple[str, str] = ("", "")
    lead: str = ""
    protocol: Protocol = Protocol.MARKED
    response: ResponseSchema | None = None
    thinks: bool = False
    calls_tools: bool = False

    @property
    def marks(self) -> frozenset[str]:
        """Pieces of markup that may be single tokens; the parser must get their text."""
        texts = [self.content_begin, self.content_end, *self.dropped, *self.said, self.lead]
        if self.messages:
            texts.append(self.head)
        for thought in self.reasoning.parts if self.reasoning else ():
            texts += [thought.open, thought.close]
        if self.calls:
            syntax, arguments = self.calls, self.calls.arguments
            texts += [syntax.begin, syntax.between, syntax.end, arguments.begin, arguments.quote]
            texts += [arguments.key_end, *arguments.key_end_json.split(TYPE), arguments.end]
            texts += [part for part in syntax.call if not isinstance(part, Slot)]
        if self.response:
            texts += self.response.marks
        return frozenset(mark for text in texts for mark in [text.strip(), *marks(text)] if mark)


def write_arguments(syntax: Arguments, arguments: Mapping[str, Any]) -> str:
    """The text of arguments in this syntax."""
    match syntax.style:
        case Style.JSON:
            return _json(arguments)
        case Style.BRACED:
            return _braced(syntax.quote, arguments)
        case Style.KEYWORDS:
            return ", ".join(f"{key}={_python(value)}" for key, value in arguments.items())
        case Style.TAGGED:
            return "".join(_tagged(syntax, key, value) for key, value in arguments.items())
        case Style.NESTED:
            return _nested(syntax, arguments)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _braced(quote: str, value: Any) -> str:
    if isinstance(value, str):
        return quote + value + quote
    if isinstance(value, Mapping):
        members = (f"{key}:{_braced(quote, item)}" for key, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_braced(quote, item) for item in value) + "]"
    return _json(value)


def _python(value: Any) -> str:
    if isinstance(value, Mapping):
        members = (f"{_json(key)}: {_python(item)}" for key, item in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_python, value)) + "]"
    return _json(value) if isinstance(value, str) else repr(value)


def _tagged(syntax: Arguments, key: str, value: Any) -> str:
    text = value if isinstance(value, str) else _json(value)
    return syntax.begin + key + syntax.before(value) + text + syntax.end


def _nested(syntax: Arguments, value: Any) -> str:
    if isinstance(value, Mapping):
        members: Sequence[tuple[str, Any]] = list(value.items())
    elif isinstance(value, list):
        members = [(syntax.item, item) for item in value]
    else:
        return value if isinstance(value, str) else _json(value)
    return "".join(
        syntax.begin + key + syntax.key_end + _nested(syntax, item)
        + syntax.end + key + syntax.key_end
        for key, item in members
    )  # fmt: skip
