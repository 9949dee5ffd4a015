"""Thoughts, words and calls: what the parser makes of the text of an answer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mullama.text.channels import Parser, begun
from mullama.text.spans import Answer, SpanKind, fold
from mullama.text.syntax import Format, Reasoning
from mullama.text.toolcalls import functionary, granite, harmony, hermes, kimi, lfm2
from tests.text.chat_cases import parse

THINKING = Format(
    name="thinking",
    head="<|assistant|>",
    reasoning=Reasoning("<think>\n", "\n</think>\n\n"),
    calls=hermes.CALLS,
)
ENDED_BY_CALL = Format(
    name="open", head="A:", reasoning=Reasoning(ended_by_call=True), calls=hermes.CALLS
)
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("get", "get_time")
]
CALL = '<tool_call>\n{"name": "get_time", "arguments": {"city": "Paris"}}\n</tool_call>'


def read(text: str, format: Format = THINKING, **options: Any) -> Answer:
    """The answer, which is the same whole and cut at every character."""
    given = {"tools": TOOLS} | options
    whole = parse(Parser(format, **given), [text])
    assert parse(Parser(format, **given), list(text)) == whole
    return whole


# ------------------------------------------------------------------------------------ thoughts


def test_a_thought_at_the_beginning_is_reasoning() -> None:
    answer = read("\n<think>\nHm.\n\nSo.\n</think>\n\nHello")
    assert (answer.reasoning, answer.content) == ("Hm.\n\nSo.", "Hello")


def test_a_thought_that_the_prompt_began_goes_on() -> None:
    answer = read("Hm.</think>Hello", opened="<|assistant|><think>\n")
    assert (answer.reasoning, answer.content) == ("Hm.", "Hello")


def test_a_thought_that_the_prompt_closed_is_over() -> None:
    answer = read("<think> is a tag", opened="<|assistant|><think>\n\n</think>\n\n")
    assert (answer.reasoning, answer.content) == ("", "<think> is a tag")


@pytest.mark.parametrize("text", ["Use <think> here.", "1 < 2", "<thin", "<", "< think>x</think>"])
def test_what_only_looks_like_a_thought_is_content(text: str) -> None:
    assert read(text) == Answer(content=text)


def test_a_thought_that_never_ends_is_all_reasoning() -> None:
    assert read("<think>Hm. </thin") == Answer(reasoning="Hm. </thin")


def test_without_reasoning_thoughts_stay_as_they_were_written() -> None:
    text = " <think>\nHm.\n</think>\n\nHello"
    assert read(text, reasoning=False) == Answer(content=text)


def test_without_reasoning_the_mark_in_the_prompt_comes_first() -> None:
    answer = read("Hm.</think>Hello", opened="<|assistant|><think>\n", reasoning=False)
    assert answer.content == "<think>\nHm.</think>Hello"


def test_without_reasoning_an_empty_thought_in_the_prompt_is_left_out() -> None:
    opened = "<|assistant|><think>\n\n</think>\n\n"
    assert read("Hello", opened=opened, reasoning=False).content == "Hello"


def test_a_call_inside_of_a_thought_is_a_part_of_it() -> None:
    answer = read(f"<think>Like {CALL}?</think>No.")
    assert (answer.reasoning, answer.content) == (f"Like {CALL}?", "No.")
    assert not answer.calls


def test_a_call_ends_a_thought_where_models_forget_to() -> None:
    answer = read(f"Hm.\n{CALL}", ENDED_BY_CALL, opened="A:<think>")
    assert answer.reasoning == "Hm."
    assert [call.name for call in answer.calls] == ["get_time"]


def test_no_call_ends_no_thought() -> None:
    answer = read("<think>Hm <tool_call> not</think>Hello", ENDED_BY_CALL)
    assert (answer.reasoning, answer.content) == ("Hm <tool_call> not", "Hello")


def test_the_places_of_thoughts_are_told() -> None:
    parser = Parser(THINKING)
    text = " <think>Hm.</think>Hello"
    spans = [span for letter in text for span in parser.feed(letter)]
    assert parser.thoughts == [(8, 19)]
    assert not parser.thinking
    assert fold(spans).content == "Hello"


def test_the_place_of_a_thought_that_the_prompt_began_is_from_the_first_letter() -> None:
    parser = Parser(THINKING, opened="<|assistant|><think>\n")
    assert parser.thinking
    parser.feed("Hm.")
    assert parser.thoughts == [(0, None)]
    parser.feed("</think>Hello")
    assert parser.thoughts == [(0, 11)]


# ------------------------------------------------------------------------------------ calls


def test_a_call_is_passed_on_while_it_arrives() -> None:
    parser = Parser(THINKING, tools=TOOLS)
    assert parser.feed('Look: <tool_call>\n{"name": "get_time"')[0].text == "Look: "
    begun_now = parser.feed(', "arguments": {"city": "Par')
    assert [span.kind for span in begun_now] == [SpanKind.CALL, SpanKind.ARGUMENTS]
    assert begun_now[0].name == "get_time"
    assert begun_now[1].text == '{"city": "Par'
    assert [span.text for span in parser.feed("is")] == ["is"]
    assert [span.kind for span in parser.feed('"}}')] == [SpanKind.ARGUMENTS, SpanKind.CALL_END]
    assert parser.feed("\n</tool_call>") == []
    assert parser.finish() == []


def test_text_around_calls_is_content() -> None:
    answer = read(f"Before\n{CALL}\n\n{CALL}\nAfter")
    assert answer.content == "Before\n\nAfter"
    assert [call.arguments for call in answer.calls] == ['{"city": "Paris"}'] * 2
    assert all(call.complete for call in answer.calls)


def test_text_after_a_call_alone_has_no_blank_in_front() -> None:
    assert read(f"{CALL}\n\nAfter").content == "After"


@pytest.mark.parametrize(
    "text",
    [
        CALL.replace("get_time", "get_tim"),
        CALL.replace("get_time", "get_times"),
        CALL.replace('"name"', "name"),
        CALL.replace('"arguments"', '"arg"'),
        CALL.replace('{"city": "Paris"}', '["Paris"]'),
        CALL.replace('{"city": "Paris"}', '"Paris"'),
        CALL.replace('{"city": "Paris"}', '"{\\"number\\": NaN}"'),
        "<tool_call>",
        "<tool_call> is a mark",
        '<tool_call>{"name": "get_ti',
        "<tool_call>{}</tool_call>",
        '{"name": "get_time", "arguments": {}}',
    ],
)
def test_what_is_no_call_is_content(text: str) -> None:
    assert read(text) == Answer(content=text)


def test_without_tools_calls_are_content() -> None:
    assert read(CALL, tools=()) == Answer(content=CALL)


def test_a_call_that_breaks_off_is_not_complete_and_the_rest_is_content() -> None:
    answer = read('<tool_call>{"name": "get", "arguments": {"a": oops}}</tool_call>')
    assert [(call.arguments, call.complete) for call in answer.calls] == [('{"a": oops', False)]
    assert answer.content == "}}</tool_call>"


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('<tool_call>{"name": "get", ', ""),
        ('<tool_call>{"name": "get", "arguments": ', ""),
        ('<tool_call>{"name": "get", "arguments": {"a": 1, "b', '{"a": 1, "b'),
        ('<tool_call>{"name": "get", "arguments": {"a": tr', '{"a": tr'),
        ('<tool_call>{"name": "get", "arguments": {"a": "x\\', '{"a": "x\\\\'),
    ],
)
def test_a_cut_call_has_the_arguments_so_far(text: str, arguments: str) -> None:
    answer = read(text)
    assert [(call.name, call.arguments) for call in answer.calls] == [("get", arguments)]
    assert not answer.calls[0].complete
    assert not answer.content


def test_a_cut_end_mark_is_no_content() -> None:
    assert read(CALL[:-4]).content == ""
    assert read(CALL[:-4]).calls[0].complete


@pytest.mark.parametrize(
    "inside",
    [
        '{"arguments": {"a": 1}, "name": "get"}',
        '{"type": "function", "name": "get", "parameters": {"a": 1}}',
        '{"type": "function", "function": {"name": "get", "arguments": {"a": 1}}}',
        '{"function": "get", "arguments": {"a": 1}}',
        '{"name": "get", "thought": "Hm.", "arguments": {"a": 1}}',
        '{"name": "get", "arguments": "{\\"a\\": 1}"}',
        '{"name":"get","arguments":{"a":1,},}',
    ],
)
def test_ways_to_write_a_call_object(inside: str) -> None:
    answer = read(f"<tool_call>{inside}</tool_call>")
    assert [(call.name, call.arguments) for call in answer.calls] == [("get", '{"a": 1}')]
    assert not answer.content


def test_a_call_without_arguments_has_none() -> None:
    answer = read('<tool_call>{"name": "get"}</tool_call>')
    assert [call.arguments for call in answer.calls] == ["{}"]


def test_an_id_in_the_text_is_told() -> None:
    answer = read('<tool_call>{"name": "get", "arguments": {}, "id": "abc"}</tool_call>')
    assert answer.calls[0].id == "abc"


# ------------------------------------------------------------------------------------ protocols


@pytest.mark.parametrize(
    ("inside", "arguments"),
    [
        ('get(city "Paris")', '{"city'),
        ('get(a=1, city: "Paris")', '{"a": 1, "city'),
        ("get(a=1, cit", '{"a": 1, "cit'),
    ],
)
def test_a_key_where_arguments_break_off_is_not_lost(inside: str, arguments: str) -> None:
    answer = read(f"<|tool_call_start|>[{inside}", lfm2.FORMAT)
    assert [(call.arguments, call.complete) for call in answer.calls] == [(arguments, False)]


def test_a_tool_without_a_name_is_never_called() -> None:
    tools = [*TOOLS, {"type": "function", "function": {"name": ""}}]
    answer = read("<|tool_call_start|>[get() ()]<|tool_call_end|>", lfm2.FORMAT, tools=tools)
    assert [call.name for call in answer.calls] == ["get"]


def test_kimi_may_leave_out_the_marks_around_calls() -> None:
    text = "<|tool_call_begin|>functions.get:0<|tool_call_argument_begin|>{}"
    answer = read(text * 2 + "<|tool_calls_section_end|>", kimi.FORMAT)
    assert [(call.name, call.id) for call in answer.calls] == [("get", "functions.get:0")] * 2


def test_granite_writes_a_list() -> None:
    calls = '[{"name": "get", "arguments": {}}, {"name": "get_time", "arguments": {"a": 1}}]'
    answer = read(f"<|tool_call|>{calls}", granite.FORMAT)
    assert [(call.name, call.arguments) for call in answer.calls] == [
        ("get", "{}"),
        ("get_time", '{"a": 1}'),
    ]


def test_lfm2_writes_python() -> None:
    text = "<|tool_call_start|>[get(a='it\\'s', b=(1, None), c={\"d\": True},), get_time()]"
    answer = read(text + "<|tool_call_end|>Done", lfm2.FORMAT)
    assert json.loads(answer.calls[0].arguments) == {"a": "it's", "b": [1, None], "c": {"d": True}}
    assert answer.calls[1].arguments == "{}"
    assert answer.content == "Done"


@pytest.mark.parametrize(
    ("text", "content", "names"),
    [
        ("all\nHello >>> you", "Hello >>> you", []),
        ('get\n{"a": 1}', "", ["get"]),
        ('all\nLook.>>>get_time\n{}>>>get\n{"a": 1}', "Look.", ["get_time", "get"]),
        ("nobody\n{}", ">>>nobody\n{}", []),
    ],
)
def test_functionary_addresses_each_part(text: str, content: str, names: list[str]) -> None:
    answer = read(text, functionary.FORMAT, opened=">>>")
    assert answer.content == content
    assert [call.name for call in answer.calls] == names


@pytest.mark.parametrize(
    ("text", "content", "names"),
    [
        ("all\n<|content|>Hello <|you|>", "Hello <|you|>", []),
        ('get\n<|content|>{"a": 1}', "", ["get"]),
        ('get\n<|content|>{"a": 1}<|stop|>', "", ["get"]),
        (
            "all\n<|content|>Look.\n<|from|>assistant\n<|recipient|>get_time\n<|content|>{}"
            '\n<|from|>assistant\n<|recipient|>get\n<|content|>{"a": 1}',
            "Look.",
            ["get_time", "get"],
        ),
        ("nobody\n<|content|>{}", "<|recipient|>nobody\n<|content|>{}", []),
    ],
)
def test_functionary_2_addresses_each_part_too(text: str, content: str, names: list[str]) -> None:
    format = replace(functionary.FORMAT_2, head="<|from|>assistant\n")
    answer = read(text, format, opened="<|from|>assistant\n<|recipient|>")
    assert (answer.content.strip(), [call.name for call in answer.calls]) == (content, names)
    assert all(call.complete for call in answer.calls)


HARMONY_CALL = '<|channel|>commentary to=functions.get <|constrain|>json<|message|>{"a": 1}'


@pytest.mark.parametrize(
    "call",
    [
        HARMONY_CALL,
        HARMONY_CALL + "<|call|>",
        ' to=functions.get<|channel|>commentary json<|message|>{"a": 1}<|call|>',
        ' to=functions.get <|constrain|>json<|message|>{"a": 1}<|call|>',
        '<|channel|>analysis to=get code<|message|> {"a": 1}<|end|>',
    ],
)
def test_harmony_has_the_recipient_in_either_half_of_the_header(call: str) -> None:
    thought = "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant"
    for text, reasoning in ((call, ""), (thought + call, "Hm.")):
        answer = read(text, harmony.FORMAT, opened="<|start|>assistant")
        assert answer.reasoning == reasoning
        assert [(call.name, call.arguments) for call in answer.calls] == [("get", '{"a": 1}')]
        assert not answer.content


@pytest.mark.parametrize("body", ["", " ", "{}", "{}}", "{} }\n"])
@pytest.mark.parametrize("end", ["<|call|>", "<|end|>"])
def test_a_harmony_call_has_no_more_to_say_than_its_arguments(body: str, end: str) -> None:
    """A call with nothing in it was dropped, and a brace too many was content."""
    answer = read(HARMONY_CALL.removesuffix('{"a": 1}') + body + end, harmony.FORMAT)
    assert [(call.arguments, call.complete) for call in answer.calls] == [("{}", True)]
    assert not answer.content


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ("<|channel|>final<|message|>Hello<|return|>", "Hello"),
        ("<|channel|>commentary<|message|>One.<|end|><|start|>assistant<|message|>2", "One.2"),
        ("Hello without a header", "Hello without a header"),
        ("<|channel|>final Hello", "<|channel|>final Hello"),
        ("to=nobody, said he", "to=nobody, said he"),
        ("<|channel|>commentary to=get<|message|>not JSON", "not JSON"),
        ("<|channel|>commentary to=python<|message|>print()", "print()"),
        ("<|strange|>mark", "<|strange|>mark"),
    ],
)  # fmt: skip
def test_harmony_words(text: str, content: str) -> None:
    assert read(text, harmony.FORMAT) == Answer(content=content)


def test_harmony_without_reasoning_keeps_the_marks_of_thoughts() -> None:
    text = "<|channel|>analysis<|message|>Hm.<|end|>"
    final = "<|start|>assistant<|channel|>final<|message|>Hello"
    assert read(text + final, harmony.FORMAT, reasoning=False).content == text + "Hello"


# ------------------------------------------------------------------------------------ the rest


def test_the_marks_of_a_format_are_what_a_vocabulary_may_have_as_tokens() -> None:
    assert {"<think>", "</think>", "<tool_call>", "</tool_call>"} <= THINKING.marks
    assert {"<|channel|>", "<|message|>", "<|constrain|>", "<|call|>"} <= harmony.FORMAT.marks
    assert {"<|tool_call_start|>", "<|tool_call_end|>"} <= lfm2.FORMAT.marks


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('```json\n{"a": "```"}\n```', '{"a": "```"}'),
        ('```\n{"a": 1}\n```\n', '{"a": 1}'),
        ('{"a": 1}\n', '{"a": 1}'),
        ('  {"a": "`` "}', '{"a": "`` "}'),
        ("``", "``"),
        ("```json\n", ""),
        ("```json", "```json"),
        ("```jsonx\n1\n```", "```jsonx\n1\n```"),
    ],
)
def test_a_fence_around_json_is_taken_off(text: str, content: str) -> None:
    assert read(text, fenced=True).content == content
    assert read(f"<think>Hm.</think>{text}", fenced=True).content == content


def test_begun_is_what_the_prompt_has_beyond_the_history() -> None:
    assert begun("User: Hi\nAssistant: <think>", "User: Hi\n") == "Assistant: <think>"
    assert begun("User: Hi\n", "User: Hi\n") == ""


def test_prefilled_words_are_the_beginning_of_the_answer() -> None:
    parser = Parser(THINKING, opened="<|assistant|><think>\nHm.\n</think>\n\nHello, ")
    answer = fold([*parser.prefilled, *parser.feed("you"), *parser.finish()])
    assert (answer.reasoning, answer.content) == ("Hm.", "Hello, you")
