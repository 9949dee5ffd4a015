"""Calls as models write them that are not careful, or know another form than their template's."""

from __future__ import annotations

import json

import pytest

from mullama.text.channels import Parser
from mullama.text.spans import Answer
from mullama.text.syntax import CallSyntax, Format, JsonCall, Reasoning, Slot
from mullama.text.toolcalls import hermes, kimi
from tests.text.chat_cases import parse

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": name,
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
    for name in ("look", "a.b/c-d")
]
PLAIN = Format(name="plain", reasoning=Reasoning(ended_by_call=True), calls=hermes.CALLS)
BARE = Format(
    name="bare",
    calls=CallSyntax(
        ('{"name": "', Slot.NAME, '", "arguments": ', Slot.ARGUMENTS, "}"), json=JsonCall()
    ),
)
NAMED = Format(
    name="named",
    reasoning=Reasoning(),
    calls=CallSyntax((Slot.NAME, "\n", Slot.ARGUMENTS)),
)
CALL = '{"name": "look", "arguments": {"city": "Bern"}}'
BERN = ("look", {"city": "Bern"})


def read(raw: str, format: Format = PLAIN) -> Answer:
    """The answer, which is the same whole and cut at every character."""
    whole = parse(Parser(format, tools=TOOLS), [raw])
    assert parse(Parser(format, tools=TOOLS), list(raw)) == whole
    return whole


@pytest.mark.parametrize(
    "inside",
    [
        CALL,
        f"[{CALL}]",
        CALL.replace('"', "'"),
        CALL.replace("}}", ",}}"),
        '{"name": "look", "arguments": "{\\"city\\": \\"Bern\\"}"}',
        """{"name": "look", "arguments": "{'city': 'Bern',}"}""",
        '{"parameters": {"city": "Bern"}, "function": "look"}',
        "<function=look>\n<parameter=city>\nBern\n</parameter>\n</function>",
    ],
)
def test_a_call_between_marks_is_read_however_it_is_written(inside: str) -> None:
    for raw in (f"<tool_call>{inside}</tool_call>", f"\n <tool_call>\n{inside}\n"):
        (call,) = read(raw).calls
        assert (call.name, json.loads(call.arguments), call.complete) == (*BERN, True), raw
        assert not read(raw).content


@pytest.mark.parametrize(
    "raw",
    [
        f"[TOOL_CALLS][{CALL}]",
        f"<|tool_call|>[{CALL}]<|/tool_call|>",
        f"<TOOLCALL>[{CALL}]</TOOLCALL>",
        f"<tool_calls>[{CALL}]</tool_calls>",
        '<|tool_call_start|>[look(city="Bern")]<|tool_call_end|>',
        '<|python_tag|>{"name": "look", "parameters": {"city": "Bern"}}',
        '<function=look>{"city": "Bern"}</function>',
        "<function=look>{'city': 'Bern'}</function>",
        'functools[{"name": "look", "arguments": {"city": "Bern"}}]',
        f"<|action_start|><|plugin|>\n{CALL}<|action_end|>",
        '<function_calls>look(city="Bern")</function_calls>',
        '<|python_start|>[look(city="Bern")]<|python_end|>',
        f"<|python_start|>{CALL}<|python_end|>",
        "<use_mcp_tool>\n<server_name>my maps</server_name>\n<tool_name>look</tool_name>\n"
        '<arguments>\n{"city": "Bern"}\n</arguments>\n</use_mcp_tool>',
    ],
)
def test_forms_that_many_models_know_are_read_by_all(raw: str) -> None:
    for format in (PLAIN, kimi.FORMAT):
        answer = read(raw, format)
        assert [(call.name, json.loads(call.arguments)) for call in answer.calls] == [BERN]
        assert not answer.content


@pytest.mark.parametrize("between", ["\n", ", ", ""])
def test_marks_may_have_several_calls_between_them(between: str) -> None:
    answer = read(f"<tool_call>\n{CALL}{between}{CALL}\n</tool_call> So.")
    assert [(call.name, json.loads(call.arguments)) for call in answer.calls] == [BERN, BERN]
    assert answer.content.strip() == "So."


@pytest.mark.parametrize("end", ["}", "}\n", "}}}", "}}}}\n", "}}\n}\n"])
def test_a_call_ends_with_its_mark_whatever_braces_stand_before(end: str) -> None:
    """The mark, with a brace too many before it, was content; so was one with a brace too few."""
    answer = read(f"<tool_call>\n{CALL.removesuffix('}}')}{end}</tool_call>\nSo.")
    (call,) = answer.calls
    assert (call.name, json.loads(call.arguments), call.complete) == (*BERN, True)
    assert answer.content.strip() == "So."


def test_braces_behind_a_call_that_no_mark_ends_are_content() -> None:
    answer = read(f"<tool_call>{CALL}}} is how it looks")
    assert [(call.name, json.loads(call.arguments)) for call in answer.calls] == [BERN]
    assert answer.content == "} is how it looks"


@pytest.mark.parametrize("between", ["; ", ";\n", ", ", "\n", " "])
@pytest.mark.parametrize("call", [CALL, f"<tool_call>{CALL}</tool_call>"], ids=["bare", "marked"])
def test_what_stands_between_calls_is_no_content(call: str, between: str) -> None:
    answer = read(f"{call}{between}{call}", BARE)
    assert [(one.name, json.loads(one.arguments)) for one in answer.calls] == [BERN, BERN]
    assert not answer.content


@pytest.mark.parametrize("before", ["", "\n", "So:\n", "<think>Hm.</think>"])
def test_a_name_in_front_of_arguments_is_a_call_where_it_begins_a_line(before: str) -> None:
    answer = read(f'{before}look\n{{"city": "Bern"}}', NAMED)
    assert [(call.name, json.loads(call.arguments)) for call in answer.calls] == [BERN]
    assert answer.content.strip() == before.partition("<")[0].strip()


@pytest.mark.parametrize(
    "raw", ["You may look {there}.", 'An outlook {"city": "Bern"}', '- look\n{"city": "Bern"}']
)
def test_a_name_among_words_is_a_word(raw: str) -> None:
    """Words that end like a tool's name, or are one, were calls, and what followed was lost."""
    assert read(raw, NAMED) == Answer(content=raw)


def test_a_comma_behind_calls_is_content_where_words_follow() -> None:
    assert read(f"{CALL}, {CALL}; and so on", BARE).content == "; and so on"


@pytest.mark.parametrize(
    "arguments", ["", ', "arguments": null', ', "arguments": {}', ', "arguments": ""']
)
def test_no_arguments_are_an_empty_object(arguments: str) -> None:
    (call,) = read(f'<tool_call>{{"name": "a.b/c-d"{arguments}}}</tool_call>').calls
    assert (call.name, call.arguments) == ("a.b/c-d", "{}")


def test_a_call_in_a_thought_is_one_where_the_answer_ends() -> None:
    raw = f"<think>Hm.<tool_call>{CALL}</tool_call>"
    for end in ("", "\n", f"\n<tool_call>{CALL}</tool_call>\n"):
        answer = read(raw + end)
        assert (answer.reasoning, answer.content) == ("Hm.", "")
        assert len(answer.calls) == 1 + end.count(CALL)


def test_a_call_in_a_thought_that_goes_on_is_a_part_of_it() -> None:
    thought = f"Hm.<tool_call>{CALL}</tool_call> or not"
    assert read(f"<think>{thought}</think>No.") == Answer(content="No.", reasoning=thought)
    assert read(f"<think>{thought}") == Answer(reasoning=thought)


def test_what_a_thought_may_end_with_is_not_understood_yet() -> None:
    parser = Parser(PLAIN, tools=TOOLS)
    parser.feed(f"<think>Hm.<tool_call>{CALL}")
    assert parser.n_read == len("<think>Hm.")
    parser.feed("</tool_call> So")
    assert parser.n_read > len(CALL)


def test_a_thought_may_be_closed_twice() -> None:
    for between in ("", "\n", "\n\n"):
        answer = read(f"<think>Hm.</think>{between}</think>\n\nYes")
        assert (answer.reasoning, answer.content) == ("Hm.", "Yes")


# ------------------------------------------------------------------------------ in a fence


def in_fence(inside: str, language: str = "json") -> str:
    return f"```{language}\n{inside}\n```"


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (in_fence(CALL), ""),
        (in_fence(CALL, ""), ""),
        (f"```{CALL}```", ""),
        (f"Look:\n\n{in_fence(CALL)}\n\nSo.", "Look:\n\n\n\nSo."),
        (f"{in_fence(CALL)}\n\nSo.", "So."),
        (f"```json\n{CALL}", ""),
        (f"```json\n{CALL}\n``", ""),
        (f"```json\n{CALL}\nSo.\n```", "```json\n\nSo.\n```"),
        (f"```json\n[{CALL}]\n```", "```json\n[]\n```"),
        (f"{in_fence('x = 1', 'python')}\n{CALL}", "```python\nx = 1\n```"),
        (f"{in_fence('x')}\n{in_fence(CALL)}{in_fence('y')}", f"{in_fence('x')}\n{in_fence('y')}"),
        (f"````\n{in_fence('x')}\n````\n{CALL}", "````\n```json\nx\n```\n````"),
    ],
)  # fmt: skip
def test_a_fence_goes_with_the_call_in_it(raw: str, content: str) -> None:
    answer = read(raw, BARE)
    assert [(call.name, json.loads(call.arguments)) for call in answer.calls] == [BERN]
    assert answer.content.strip() == content


def test_each_call_may_have_a_fence_or_all_of_them() -> None:
    for raw in (f"{in_fence(CALL)}\n{in_fence(CALL)}", in_fence(f"{CALL}\n{CALL}")):
        answer = read(raw, BARE)
        assert [(call.name, json.loads(call.arguments)) for call in answer.calls] == [BERN, BERN]
        assert not answer.content


@pytest.mark.parametrize(
    "raw",
    [
        in_fence(CALL.replace("look", "find")),
        in_fence('{"a": 1}'),
        "```json\n",
        "```json\n{",
        "````````",
        "`" * 50,
        in_fence("", "x" * 40) + "\n",
    ],
)
def test_a_fence_without_a_call_is_content(raw: str) -> None:
    assert read(raw, BARE) == Answer(content=raw)


def test_a_call_between_marks_may_stand_in_a_fence_too() -> None:
    answer = read(in_fence(f"<tool_call>\n{CALL}\n</tool_call>", "xml"))
    assert [(call.name, json.loads(call.arguments)) for call in answer.calls] == [BERN]
    assert not answer.content
