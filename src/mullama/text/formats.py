"""How a model writes its answers, found by rendering known conversations with its template.

A template says in no place which marks its model was trained to write. But it prints the model's
earlier answers as they were written, so: render a known thought, a known call, two known calls, and
look at what stands around them. A model nobody has seen needs no code for that, and new spellings
are found like old ones. What can't be seen so has a file in `toolcalls`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol

from mullama.errors import MullamaError
from mullama.text import thoughts
from mullama.text.channels import Parser, begun
from mullama.text.pieces import TAG, after_common, common_suffix, common_words, pair, pieces
from mullama.text.spans import fold
from mullama.text.syntax import CallSyntax, Format, Reasoning
from mullama.text.toolcalls import hermes, known, told
from mullama.text.toolcalls.derive import ARGUMENTS, IDS, NAMES, NUMBER_KEY, TEXT_KEY, derive

_ASKED, _SAID, _THOUGHT = "zqasked", "zqsaid", "zqthought"
_USER = {"role": "user", "content": _ASKED}
_ANSWER = {"role": "assistant", "content": _SAID}
_THINKING: dict[str, Any] = {"enable_thinking": True, "thinking": True}
_NOT_THINKING: dict[str, Any] = {"enable_thinking": False, "thinking": False}
_NO_WORDS = re.compile(rf"\s*({TAG.pattern})({TAG.pattern})")  # marks with nothing between
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": "A tool.",
            "parameters": {
                "type": "object",
                "properties": {
                    TEXT_KEY: {"type": "string", "description": "A text."},
                    NUMBER_KEY: {"type": "integer", "description": "A number."},
                },
                "required": [TEXT_KEY, NUMBER_KEY],
            },
        },
    }
    for name in NAMES
]
_CALLS = [
    {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}
    for id, name, arguments in zip(IDS, NAMES, ARGUMENTS, strict=True)
]


class Template(Protocol):
    """What is asked of a template; `ChatTemplate` is one."""

    @property
    def source(self) -> str: ...

    @property
    def takes_tools(self) -> bool: ...

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = (),
        add_generation_prompt: bool = True,
        **kwargs: Any,
    ) -> str: ...


def find_format(template: Template) -> Format:
    """The format of a template's model. Costs about ten renderings: find it once.

    A template that refuses to render, or knows neither thoughts nor calls, has the format that
    models are told of which know none: Hermes, and `<think>` if an answer begins so.
    """
    return _Finder(template).find()


def with_response(format: Format, source: str) -> Format:
    """The same, with answers read by this response schema, which is JSON text.

    Calls that the schema can't read are left out, so that no grammar makes a model write them.
    Raises InvalidRequest for a schema that is none.
    """
    from mullama.text.responses.schema import ResponseSchema

    stated = replace(format, response=ResponseSchema(source))
    if stated.calls is None:
        return stated
    written = stated.calls.write([(NAMES[0], ARGUMENTS[0])])
    parser = Parser(stated, tools=_TOOLS)
    read = fold([*parser.feed(written), *parser.finish()]).calls
    found = [json.loads(call.arguments) for call in read if call.complete]
    return stated if found == [ARGUMENTS[0]] else replace(stated, calls=None)


class _Finder:
    """The renderings, and what they say. Texts begin after the words of the user."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._source = template.source
        self._history = self._after(self._render([_USER]))
        self._told = self._answer(content=_SAID)
        self._plain, _, self._turn_end = self._told.partition(_SAID)
        # Where the last message is left open, the end of a turn is seen before the next.
        going_on = self._render([_USER, _ANSWER, _USER]).partition(_SAID)[2].partition(_ASKED)[0]
        self._ends = self._turn_end if TAG.search(self._turn_end) else going_on
        # The same where tools are given, which some templates print behind the user's words.
        told = self._after(self._render([_USER, _ANSWER], tools=_TOOLS))
        self._plain_beside = told.partition(_SAID)[0] if _SAID in told else self._plain
        self._ends_calls: tuple[str, ...] = ()  # marks that end messages with calls only

    def find(self) -> Format:
        format = known(self._source) or Format(name="probed")
        thought = format.reasoning or self._thought()
        reasoning = format.reasoning or self._placed(thought or Reasoning())
        calls = format.calls or self._calls(reasoning) or told(self._source) or hermes.CALLS
        format = replace(format, reasoning=reasoning, calls=calls, thinks=thought is not None)
        format = format if format.head else self._with_head(format)
        dropped = (*format.dropped, *sorted(thoughts.switches(self._source)), *self._ends_calls)
        return replace(
            format,
            dropped=tuple(dict.fromkeys(dropped)),
            calls_tools=self._template.takes_tools,
        )

    # ------------------------------------------------------------------ thoughts

    @cached_property
    def _thinking(self) -> str:
        """An answer with a thought."""
        return self._answer(content=_SAID, reasoning_content=_THOUGHT)

    def _thought(self) -> Reasoning | None:
        """The marks around thoughts, if the template shows any."""
        alone = self._thinking.partition(_SAID)[0]
        return (
            thoughts.printed(alone, _THOUGHT, self._plain)
            or thoughts.printed(self._before_call(), _THOUGHT, self._plain_beside)
            or thoughts.prompted(self._openings, self._begun(), self._plain, self._source)
            or thoughts.named(self._source)
        )

    def _placed(self, found: Reasoning) -> Reasoning:
        """These marks, with what they mean where the template puts them."""
        found = replace(found, then=thoughts.second(self._source, found))
        begun = self._in_head(found.open)
        mark = found.open[begun:].strip()
        return replace(
            found,
            open=found.open[begun:],
            anywhere=bool(mark) and not begun and not re.fullmatch(r"<[\w:]+>", mark),
            ended_by_call=any(
                bool(mark) and opening.rstrip().endswith(mark) for opening in self._openings
            ),
        )

    def _before_call(self) -> str:
        """What an answer with a thought and a call has before what opens the call; "" where either
        is not printed."""
        beside = self._answer(content="", reasoning_content=_THOUGHT, tool_calls=_CALLS[:1])
        before = beside[: max(beside.find(NAMES[0], max(beside.find(_THOUGHT), 0)), 0)]
        opening = self._called.partition(NAMES[0])[0]
        opening = opening[len(common_words(opening, self._plain_beside)) :].lstrip()
        return before.removesuffix(opening)

    @cached_property
    def _called(self) -> str:
        """An answer with a call and nothing else."""
        return self._answer(content="", tool_calls=_CALLS[:1])

    def _in_head(self, mark: str) -> int:
        """How much of a mark is the last word of a message's head, which the prompt has already.

        So it is where the head of an answer goes on in a word: `assistant`, `assistant/think`.
        """
        head = next(iter(self._openings), "")
        if not self._begun().startswith(head):
            return 0
        word = re.match(r"\w+", mark)
        if not word or word.end() == len(mark):
            return 0
        return word.end() if re.search(rf"\b{word.group()}\Z", head) else 0

    @cached_property
    def _openings(self) -> list[str]:
        """What prompts have of the answer, for models that think, may think, do not think."""
        return [
            begun(self._after(prompt), self._history)
            for given in (_THINKING, {}, _NOT_THINKING)
            if (prompt := self._render([_USER], add_generation_prompt=True, **given))
        ]

    # ------------------------------------------------------------------ calls

    def _calls(self, reasoning: Reasoning) -> CallSyntax | None:
        one, two = (self._written(_CALLS[:count], reasoning) for count in (1, 2))
        if (end := self._turn_mark(reasoning)) and end in two.partition(NAMES[1])[0]:
            two = ""  # two messages: this model makes one call at a time
        found = derive(one, two)
        if found:
            found = self._apart_from_end(found, one)
        if found and "<![CDATA[" in self._source:
            found = replace(found, arguments=replace(found.arguments, cdata=True))
        if found and found.trigger in self._turn_end:  # which must not open a call
            told_by = found.opening.partition("{")[0] if found.json else found.opening
            found = replace(found, told_by=told_by.strip())
        return found

    def _apart_from_end(self, found: CallSyntax, written: str) -> CallSyntax:
        """The syntax without the marks that end a message with calls and no other, as one that
        hands over to the tools does; they are kept."""
        begun, ended = TAG.findall(found.begin), TAG.findall(found.end)
        while len(ended) > len(begun) and not any(pair(mark, ended[-1]) for mark in begun):
            found = replace(found, end=found.end[: found.end.rindex(ended.pop())].rstrip())
        arguments = found.arguments
        texts = (*found.call, found.end, arguments.begin, arguments.key_end, arguments.end)
        own = "".join(text for text in texts if isinstance(text, str))
        behind = written[written.rindex(str(ARGUMENTS[0][NUMBER_KEY])) :]
        self._ends_calls = tuple(mark for mark in TAG.findall(behind) if mark not in own)
        return found

    def _written(self, calls: list[dict[str, Any]], reasoning: Reasoning) -> str:
        """What a message has for these calls, from the end of its head to the end of its turn."""
        text = self._answer(content="", tool_calls=calls)
        text = text[len(common_words(text, self._plain_beside)) :]
        name = text.find(NAMES[0])
        close = reasoning.close.strip()
        if close and (thought := text.rfind(close, 0, max(name, 0))) >= 0:
            text = text[thought + len(close) :]
        text = text.removeprefix(self._content_marks(reasoning)[1])  # of no words
        around = _NO_WORDS.match(text)
        if around and pair(around.group(1), around.group(2)):
            text = text[around.end() :]
        known_until = max(
            text.rfind(str(call["function"]["arguments"][NUMBER_KEY])) for call in calls
        )
        mark = self._turn_mark(reasoning)
        end = text.find(mark, known_until) if mark else -1
        if end < 0:
            end = len(text) - len(common_suffix(text, self._turn_end))
        return text[:end]

    # ------------------------------------------------------------------ head and content

    def _with_head(self, format: Format) -> Format:
        opening = next(iter(self._openings), "")
        plain = self._begun()
        reasoning = format.reasoning or Reasoning()
        marks = [reasoning.open.strip(), reasoning.close.strip(), format.content_begin.strip()]
        if format.calls:
            first = TAG.match(format.calls.opening.strip())
            marks.append(first.group() if first else format.calls.trigger)
        for mark in (mark for mark in marks if len(mark) > 1):
            opening = opening.partition(mark)[0]
        head = common_words(opening, plain) or opening
        said = format.said if any(format.said) else thoughts.cut_around(self._source, reasoning)
        format = replace(format, head=head, said=said)
        if format.content_begin or not self._plain:
            return format
        if self._in_messages(head):
            return self._with_messages(format, plain[len(head) :], reasoning)
        begin, end = self._content_marks(reasoning)
        dropped = TAG.findall(self._turn_end.removeprefix(end)) if end else ()
        format = replace(format, content_begin=begin, content_end=end, dropped=tuple(dropped))
        return format if begin else replace(format, lead=self._lead(marks))

    def _lead(self, marks: Collection[str]) -> str:
        """The word that stands between the head of a message and its words, for some models only
        where they have tools; "" if none does. It is none of the `marks` of other things."""
        plain, opening = self._begun(), next(iter(self._openings), "")
        alike = common_words(plain, opening)
        found = [plain[len(alike) :].strip()] if alike.strip() == opening.strip() else []
        if self._plain_beside.startswith(self._plain):
            found.append(self._plain_beside[len(self._plain) :].strip())
        words = (word for word in found if len(pieces(word)) == 1 and word not in marks)
        return next(words, "")

    def _content_marks(self, reasoning: Reasoning) -> tuple[str, str]:
        """Marks around words for the user: one in front of them, and its pair."""
        opening = next(iter(self._openings), "")
        marks = (reasoning.open.strip(), reasoning.close.strip())
        last = next(iter(TAG.findall(self._turn_end)), "")
        for first in TAG.findall(self._begun()) if last else ():
            if first not in marks and first not in opening and pair(first, last):
                return first, last
        return "", ""

    def _turn_mark(self, reasoning: Reasoning) -> str:
        """The mark that ends a turn, "" where there is none."""
        found = TAG.search(self._ends.removeprefix(self._content_marks(reasoning)[1]))
        return found.group() if found else ""

    def _in_messages(self, head: str) -> bool:
        """Whether the words behind a thought are a message of their own."""
        behind = self._thinking.partition(_THOUGHT)[2].partition(_SAID)[0]
        return bool(TAG.search(head)) and head.strip() in behind

    def _with_messages(self, format: Format, before: str, reasoning: Reasoning) -> Format:
        """With what stands between a message's head and its words; white space is the head's."""
        begin = before.lstrip()
        called = self._called
        calls, opening = format.calls, called.partition(NAMES[0])[0].rpartition(format.head)[2]
        blank = opening[: len(opening) - len(opening.lstrip())]
        if calls and calls.begin and not before.startswith(blank):  # they go on in its line
            calls = replace(calls, begin=blank + calls.begin)
        called = called[called.rfind(str(ARGUMENTS[0][NUMBER_KEY])) :]
        close = reasoning.close.strip()
        lasts = {mark for end in (self._turn_end, called) for mark in TAG.findall(end)[-1:]}
        ends = tuple(sorted(lasts - {close}))
        return replace(
            format,
            head=format.head + before[: len(before) - len(begin)],
            calls=calls,
            content_begin=begin,
            content_end=self._turn_mark(reasoning),
            dropped=(close, *ends),
            messages=True,
            ends=ends,
        )

    # ------------------------------------------------------------------ renderings

    def _answer(self, **message: Any) -> str:
        """What a conversation with this answer has after the words of the user."""
        answer = {"role": "assistant", **message}
        tools = _TOOLS if message.get("tool_calls") else ()
        return self._after(self._render([_USER, answer], tools=tools))

    def _begun(self) -> str:
        """An answer's text before its words, without the end of the user's turn."""
        return after_common(self._plain, self._history)

    def _after(self, text: str) -> str:
        return text.rpartition(_ASKED)[2] if _ASKED in text else ""

    def _render(self, messages: list[dict[str, Any]], **given: Any) -> str:
        """The prompt; "" where the template refuses."""
        given = {"add_generation_prompt": False, **_THINKING, **given}
        try:
            return self._template.render(messages, **given)
        except MullamaError:
            return ""
