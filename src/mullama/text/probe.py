"""What a template takes, found out by rendering known conversations and looking at what came out.

A template says nowhere whether it knows system messages, tools or lists of parts: some refuse them,
some leave them out without a word, some print them as Python would. So each question is a
conversation with marked texts, asked with one trait after another, and the answer is the first
with which all marks are printed as they should be. A question is put in the form that the answers
before it found. No model is known by name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from itertools import product
from typing import Any

from mullama.text.messages import Message
from mullama.text.sandbox import TemplateLimit
from mullama.text.syntax import CallSyntax
from mullama.text.toolcalls import told
from mullama.text.traits import METADATA, REASONING_PART, ROLES, Traits

# Messages, a template's traits, tools, and further variables -> the prompt. May change its input.
Render = Callable[[list[Message], Traits, Sequence[dict[str, Any]], dict[str, Any]], str]

_TEXT: dict[str, Any] = {}
_PARTS_ONLY = {"text": frozenset[str](), "parts": ROLES}
_REASONING = ("reasoning_content", "reasoning", "thinking", REASONING_PART)
_RARE_REASONING = ("thought", "thoughts")  # asked only where the source has such a word
_TOOL_FIELDS = ("tools", "functions")  # of a system message, likewise
_RESULT_ROLES = ("observation", "environment", "ipython", "tool_response", "function")  # likewise

# What a template tells by a word alone: the role that says what tools answered.
_TOLD_ROLES = {"[gMASK]": "observation", "<|/tool|>": "tool_response"}

# Variables that let a model think. Few templates know more than one.
THINKING: dict[str, Any] = {"enable_thinking": True, "thinking": True}

_BARE_TOOL: dict[str, Any] = {"type": "function", "function": {"name": "@name@"}}
_PARAMETERS = {
    "type": "object",
    "properties": {"@key@": {"type": "string", "description": "@about@"}},
    "required": ["@key@"],
}
_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "@name@", "description": "@description@", "parameters": _PARAMETERS},
}
_ID = "abcde1234"  # the strictest form that is known
_IDS = ("call_0123456789abcdefABCDEF", "c1")  # what others send

_NEAR = 200  # characters around a mark that are looked at for markers
_LONGEST = 100_000  # characters of a prompt that is looked at; known ones have 5,000

_FUNCTIONS = re.compile(r"""(['"])functions\1""", re.IGNORECASE)
_MARK = re.compile(r"@\w+@")
# How a mark looks where content, parts or arguments were written as Python or JSON write them.
_QUOTED = re.compile(r"""(?P<quote>['"])@\w+@(?P=quote)""")
_PYTHON = re.compile(r"'@\w+@'")
_PART = re.compile(r"""(?:text|thinking)\\?['"]\s*:\s*\\?['"]@""")
_ESCAPED = re.compile(r"""\\['"]@value@|\{'@key@': '@value@""")
_MARKER = re.compile(r"\s*[<\[][^<>\[\]\s]+[>\]]")
_OPEN_THOUGHT = re.compile(r"[<\[](?!/)[^<>\[\]\s]*(?:think|thought)[^<>\[\]\s]*[>\]]\s*$", re.I)


def probe(render: Render, source: str) -> Traits:
    """The traits of the template with this source. Raises TemplateLimit, as any rendering would."""
    prober = _Prober(render, told(source))
    if _FUNCTIONS.search(source):
        prober.ask_functions()
    prober.ask_content()
    prober.ask_roles(names_developer="developer" in source)
    prober.ask_tools(_read_in(source, _TOOL_FIELDS))
    prober.ask_calls()
    prober.ask_calls_as_messages(_read_in(source, (METADATA,)))
    prober.ask_result_roles(
        [role for word, role in _TOLD_ROLES.items() if word in source],
        [role for role in _RESULT_ROLES if re.search(rf"(['\"]){role}\1", source)],
    )
    prober.ask_around_calls()
    prober.ask_reasoning(_read_in(source, _RARE_REASONING))
    prober.look_at_thoughts()
    prober.look_at_calls()
    return prober.traits


class _Prober:
    """The traits found so far, and ways to find the next."""

    def __init__(self, render: Render, told: CallSyntax | None) -> None:
        self._render = render
        self.traits = Traits(parts=frozenset(), tools=False, told=told)

    def ask_functions(self) -> None:
        """Whether tools are a message."""
        self._ask([USER], [{"functions": False}, {"functions": True}, {"functions": False}])

    def ask_content(self) -> None:
        """In which form each role's content is printed."""
        forms = product((True, False), (_TEXT, _PARTS_ONLY))
        options = [*({"no_tools": no_tools} | form for no_tools, form in forms), {}]
        self._ask([USER], options, wrong=[_QUOTED])
        for role, place, conversation in (
            ("user", 0, [USER]),
            ("assistant", 1, [USER, ANSWER]),
            ("system", 0, [SYSTEM, USER]),
        ):
            self._ask_forms(role, place, conversation)

    def _ask_forms(self, role: str, place: int, conversation: list[Message]) -> None:
        text, parts = self.traits.text, self.traits.parts
        text_or_not = [{"text": text | {role}}, {"text": text - {role}}]
        parts_or_not = [{"parts": parts | {role}}, {"parts": parts - {role}}]
        self._ask(conversation, text_or_not, wrong=[_QUOTED])
        self._ask(_in_parts(conversation, place), parts_or_not, wrong=[_QUOTED, _PART])

    def ask_roles(self, *, names_developer: bool) -> None:
        """Who may speak when."""
        said = [USER, ANSWER, _said("user", 2)]
        self._ask(said, [*_either("turns"), {"turns": True}])
        self._ask([SYSTEM, USER], _either("system"))
        if self.traits.system:
            self._ask([SYSTEM, USER, ANSWER], [*_either("system_ahead"), {"system_ahead": True}])
        late = [SYSTEM, _said("system", 2), USER, ANSWER, _said("system", 3), _said("user", 2)]
        self._ask(late, _either("systems"))
        # Many templates print any role that they are given; few know this one.
        self._ask([_said("developer"), USER], _either("developer")[not names_developer :])
        twice = [USER, _said("user", 2), ANSWER, _said("assistant", 2), _said("user", 3)]
        self._ask(twice, _either("repeats"))
        self._ask([ANSWER, USER], _either("assistant_first"))
        self._ask([SYSTEM], _either("userless"))
        silent = [USER, ANSWER | {"content": ""}, _said("user", 2)]
        self._ask(silent, _either("silence"), marks=())

    def ask_tools(self, fields: Sequence[str]) -> None:
        """Whether tools are printed, by themselves or as one of these fields."""
        if not self._ask([USER], _either("tools"), tools=[_TOOL], marks=["@name@"]):
            forms = [*product(fields, ("list", "text")), None]
            options = [{"tool_field": form} for form in forms]
            self._ask([USER], options, tools=[_TOOL], marks=["@name@", "@key@"], wrong=[_PYTHON])
        self._ask([USER], _either("bare_tools"), tools=[_BARE_TOOL], marks=["@name@"])

    def ask_calls(self) -> None:
        """Whether calls and their results are printed, and in which form they are wanted."""
        names = ("results", "no_content", "arguments")
        forms = product((True, False), ("", None, " "), ("object", "text"))
        self._ask(
            _calling(1),
            [
                *(dict(zip(names, form, strict=True)) for form in forms),
                {"results": True, "arguments": ""},
                {"results": False, "arguments": ""},
            ],
            tools=[_TOOL],
            wrong=[_ESCAPED],
        )
        if self.traits.no_content == "":
            self._ask_null()

    def ask_calls_as_messages(self, fields: Sequence[str]) -> None:
        """Whether calls are printed as messages with such a field, where they are not otherwise."""
        if fields and not self.traits.arguments:
            options = [{"arguments": METADATA}, {"arguments": ""}]
            self._ask(_calling(1), options, marks=["@name@", "@value@"])
        if self.traits.arguments:
            self.traits = replace(self.traits, told=None)  # it shows what others tell

    def ask_result_roles(self, told: Sequence[str], named: Sequence[str]) -> None:
        """Who says what tools answered, where that is not the role `tool`."""
        roles = [
            *([] if self.traits.tools else told),
            *([] if self.traits.results else named),
        ]
        options = [{"results": True, "result_role": role} for role in roles]
        marks = ["@result@"]
        if options:
            self._ask(_calling(1), [*options, {"result_role": "tool"}], tools=[_TOOL], marks=marks)

    def ask_around_calls(self) -> None:
        """What may stand beside calls and results."""
        beside = _calling(1, content="@beside@")
        self._ask(beside, _either("calls_beside"), tools=[_TOOL], marks=["@value@"])
        self._ask(_calling(2), _either("several_calls"), tools=[_TOOL])
        self._ask(_calling(1), _either("calls_alone"), marks=["@value@"])
        for id in _IDS:
            if self.traits.any_id:
                self._ask(_calling(1, id=id), _either("any_id"), tools=[_TOOL])
        self._look_at_names()
        no_call = [_unnamed(message) for message in _calling(1) if "tool_calls" not in message]
        self._ask(no_call, _either("orphans"), tools=[_TOOL])
        self._ask([*_calling(1), _said("user", 2)], _either("user_after_result"), tools=[_TOOL])
        parts = self.traits.parts
        self._ask(
            _in_parts(_calling(1), 2),
            [{"parts": parts | {"tool"}}, {"parts": parts - {"tool"}}],
            tools=[_TOOL],
            wrong=[_PART],
        )

    def _look_at_names(self) -> None:
        """Whether a call's name is told by its id alone."""
        conversation = _calling(1)
        conversation[1]["tool_calls"][0]["function"]["name"] = "@called@"
        text = self._print(conversation, [_TOOL], {})
        id = conversation[1]["tool_calls"][0]["id"]
        self.traits = replace(self.traits, named_ids=id in text and "@called@" not in text)

    def _ask_null(self) -> None:
        """Whether null, which clients send beside calls, says more plainly that there are no words
        than an empty text: that may have a place, and marks around it."""
        before, conversation = self.traits, _calling(1)
        empty = self._try(conversation, [_TOOL], {})
        self.traits = replace(before, no_content=None)
        null = self._try(conversation, [_TOOL], {})
        marks = _MARK.findall(json.dumps(conversation))
        if not empty or not null or len(null) >= len(empty) or any(m not in null for m in marks):
            self.traits = before

    def ask_reasoning(self, more: Sequence[str]) -> None:
        """Where earlier thoughts are looked for. Some are printed beside calls only."""
        options = [{"reasoning": field} for field in (*_REASONING, *more, "")]
        thought = {"reasoning_content": "@thought@"}
        told, called = [USER, ANSWER | thought], _calling(1, **thought)
        if not self._ask(told, options, given=THINKING, wrong=[_PART]):
            self._ask(called, options, tools=[_TOOL], given=THINKING, wrong=[_PART])
        everything = _calling(1, content="@beside@", **thought)
        self._ask(everything, _either("mixed"), tools=[_TOOL], given=THINKING, marks=["@value@"])

    def look_at_thoughts(self) -> None:
        """What stands around a thought: beside a call, or else at the end of a prompt."""
        shown = self._print(_calling(1, reasoning_content="@thought@"), [_TOOL], THINKING)
        plain = self._print(_calling(1), [_TOOL], THINKING)
        head, found, tail = shown.partition("@thought@")
        before = head if found else self._print([USER], (), THINKING)
        opening = _OPEN_THOUGHT.search(before[-_NEAR:])
        start = _end_of_common(shown, plain)
        around = head[start:], tail.removesuffix(plain[start:]).strip()
        if not all(around) and opening is not None:
            closing = _MARKER.match(tail[:_NEAR])
            tag = opening.group()
            around = tag, closing.group().strip() if closing else tag[0] + "/" + tag[1:].strip()
        if all(around):
            self.traits = replace(self.traits, thought=around)

    def look_at_calls(self) -> None:
        """How a call is written, to be shown as an example where the template shows none."""
        closed = {"add_generation_prompt": False}
        prompt = self._print([USER], (), closed)
        answer = self._print([USER, ANSWER], (), closed)
        called = self._print(_calling(1)[:2], (), closed)
        if self.traits.arguments and answer.startswith(prompt) and called.startswith(prompt):
            header, _, end = answer[len(prompt) :].partition("@assistant@")
            written = called[len(prompt) :].removeprefix(header)
            for mark in _MARKER.findall(end[:_NEAR]) or [end]:
                written = written.partition(mark)[0] if mark else written
            written = re.sub(r"@(name|key|value)@", r"the_\1", written)
            self.traits = replace(self.traits, example=written)

    # ------------------------------------------------------------------------------------------

    def _ask(
        self,
        conversation: list[Message],
        options: Sequence[dict[str, Any]],
        *,
        tools: Sequence[dict[str, Any]] = (),
        given: dict[str, Any] | None = None,
        marks: Iterable[str] | None = None,
        wrong: Iterable[re.Pattern[str]] = (),
    ) -> bool:
        """Take the first option with which all marks come out right; the last if none does."""
        wanted = set(_MARK.findall(json.dumps(conversation)) if marks is None else marks)
        before = self.traits
        for option in options[:-1]:
            self.traits = replace(before, **option)
            text = self._try(conversation, tools, given or {})
            if text is None or any(pattern.search(text) for pattern in wrong):
                continue
            if all(mark in text for mark in wanted):
                return True
        self.traits = replace(before, **options[-1])
        return False

    def _print(
        self, conversation: list[Message], tools: Sequence[dict[str, Any]], given: dict[str, Any]
    ) -> str:
        """The prompt; "" where the template refuses."""
        return self._try(conversation, tools, given) or ""

    def _try(
        self, conversation: list[Message], tools: Sequence[dict[str, Any]], given: dict[str, Any]
    ) -> str | None:
        try:
            text = self._render(deepcopy(conversation), self.traits, deepcopy(tools), given)
            return text if len(text) <= _LONGEST else None
        except TemplateLimit:
            raise  # another conversation would end no better
        except Exception:
            return None


def _said(role: str, n: int = 1) -> Message:
    return {"role": role, "content": f"@{role}{n if n > 1 else ''}@"}


USER, ANSWER, SYSTEM = _said("user"), _said("assistant"), _said("system")


def _calling(n: int, *, id: str = _ID, **more: Any) -> list[Message]:
    """A conversation in which n tools are called, and answer."""
    ids = [id[:-1] + str(index) for index in range(n)]
    calls = [
        {
            "id": id,
            "type": "function",
            "function": {"name": "@name@", "arguments": {"@key@": f"@value{index or ''}@"}},
        }
        for index, id in enumerate(ids)
    ]
    return [
        USER,
        {"role": "assistant", "content": "", "tool_calls": calls, **more},
        *(
            {"role": "tool", "content": f"@result{n or ''}@", "tool_call_id": id, "name": "@name@"}
            for n, id in enumerate(ids)
        ),
    ]


def _read_in(source: str, fields: Iterable[str]) -> list[str]:
    """Those of the fields of messages that a template may read."""
    return [
        field
        for field in fields
        if re.search(rf"\.{field}\b|['\"]{field}['\"]", source) is not None
    ]


def _unnamed(message: Message) -> Message:
    """A message without the name of a call, which only the call can tell."""
    return {key: value for key, value in message.items() if key != "name"}


def _in_parts(conversation: list[Message], place: int) -> list[Message]:
    """The conversation, with one message's content as a list of two parts."""
    made = list(conversation)
    texts = made[place]["content"], "@more@"
    made[place] = made[place] | {"content": [{"type": "text", "text": text} for text in texts]}
    return made


def _either(name: str) -> list[dict[str, Any]]:
    return [{name: True}, {name: False}]


def _end_of_common(text: str, other: str) -> int:
    """Where two texts begin to differ, but never inside of a marker such as `<|tool_call>`."""
    pairs = enumerate(zip(text, other, strict=False))
    end = next(
        (place for place, (left, right) in pairs if left != right), min(len(text), len(other))
    )
    common = text[:end]
    start = max(common.rfind("<"), common.rfind("["))
    return len(common) if start < 0 or re.search(r"[>\]]", common[start:]) else start
