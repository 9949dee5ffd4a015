"""Calls as models write them that are not careful, or know another form than their template's."""

from __future__ import annotations

import json

import pytest

from mullama.text.channels import Parser
from mullama.text.spans import Answer
from mullama.text.syntax import Format, Reasoning
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


@pytest.mark.parametrize("arguments", ["", ', "arguments": null', ', "arguments": {}'])
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
