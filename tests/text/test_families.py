"""Families of models whose templates are not in the data: read, written back, and told of tools."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any

import pytest

from mullama.text.channels import Parser, begun
from mullama.text.spans import Answer
from tests.text.chat_cases import parse
from tests.text.families import Family
from tests.text.families_later import FAMILIES
from tests.text.test_templates import tool
from tests.text.unknown import PARIS, USER, format_of, mutated, template_of

TOOLS = [
    tool(
        "get_weather",
        description="The weather",
        parameters={
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        },
    ),
    tool("get_time", description="The time", parameters={"type": "object", "properties": {}}),
]
TIME: tuple[str, dict[str, Any]] = ("get_time", {})
CALLED = [
    {"role": "system", "content": "Be brief."},
    USER,
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "abcde1230",
                "type": "function",
                "function": {"name": PARIS[0], "arguments": json.dumps(PARIS[1])},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "abcde1230", "content": "Sunny"},
]

each = pytest.mark.parametrize("family", FAMILIES, ids=[family.name for family in FAMILIES])


def opened_by(family: Family, tools: Iterable[dict[str, Any]] = ()) -> str:
    """What the prompt has of the answer."""
    given: dict[str, Any] = {"tools": list(tools)}
    if family.thinks is not None:
        given["enable_thinking"] = family.thinks
    template = template_of(family.source)
    history = template.render([USER], add_generation_prompt=False, **given)
    return begun(template.render([USER], **given), history)


def read(family: Family, raw: str) -> Answer:
    """The answer, which is the same whole and cut at every character."""
    opened = opened_by(family, TOOLS)
    assert opened.endswith(family.opened)
    whole = parse(Parser(format_of(family.source), opened=opened, tools=TOOLS), [raw])
    assert parse(Parser(format_of(family.source), opened=opened, tools=TOOLS), raw) == whole
    return whole


def called(answer: Answer) -> list[tuple[str, dict[str, Any]]]:
    assert all(call.complete for call in answer.calls)
    return [(call.name, json.loads(call.arguments)) for call in answer.calls]


@each
def test_its_calls_are_read(family: Family) -> None:
    answer = read(family, family.call)
    assert called(answer) == [PARIS]
    assert answer.content.strip() == ""
    assert answer.reasoning.strip() == ("Hm." if "Hm." in family.call else "")
    if family.calls:
        assert called(read(family, family.calls)) == [PARIS, TIME]


@each
def test_its_thoughts_are_told_from_its_words(family: Family) -> None:
    answer = read(family, family.thought or "Yes.")
    assert answer.reasoning.strip() == ("Hm." if family.thought else "")
    assert answer.content.strip() == "Yes."
    assert not answer.calls


@pytest.mark.parametrize("name", ["granite-3.3", "hunyuan"])
def test_marks_of_words_mean_nothing_without_a_thought(name: str) -> None:
    (family,) = (family for family in FAMILIES if family.name == name)
    words = "Write <response>so</response>, or <answer>so</answer>."
    assert read(family, words).content == words


@each
def test_words_about_tools_are_words(family: Family) -> None:
    words = "I have get_weather and get_time: [1], {2} and (3). Shall I use get_weather"
    thought = family.thought or "Yes."
    raw = thought.replace("Yes.", words)
    assert called(read(family, raw)) == []
    assert read(family, raw).content.strip() == words


@each
def test_its_prompt_has_tools_calls_and_results_in_its_own_form(family: Family) -> None:
    prompt = template_of(family.source).render(CALLED, tools=TOOLS)
    places = [prompt.find(text) for text in ("Be brief.", *family.shown)]
    assert min(places) >= 0, prompt
    assert prompt.count("Sunny") == 1
    assert "You can call functions" not in prompt


@each
def test_what_its_syntax_writes_is_read(family: Family) -> None:
    syntax = format_of(family.source).calls
    assert syntax is not None
    calls = [PARIS, TIME] if syntax.many else [PARIS]
    parser = Parser(format_of(family.source), tools=TOOLS)
    assert called(parse(parser, [syntax.write(calls)])) == calls


@each
def test_noise_never_raises_and_cuts_make_no_difference(family: Family) -> None:
    chance = random.Random(family.name)
    format, texts = format_of(family.source), [family.call, family.calls, family.thought, "Yes."]
    scraps = [*sorted(format.marks), *'{}[]":,<>\n (=', "get_weather", "get_time", "x"]
    for _ in range(30):
        text = mutated(chance, texts, scraps)
        whole = parse(Parser(format, tools=TOOLS), [text])
        assert parse(Parser(format, tools=TOOLS), text) == whole, text


@pytest.mark.parametrize(
    ("name", "raw", "thought"),
    [
        (
            "kat-v1",
            "Hm.\n</judge>\n\n<think_on>\n<think>\nSo.\n</think>\n\n<answer>\n{}\n</answer>",
            "Hm.\n\nSo.",
        ),
        ("kat-v1", "Hm.\n</judge>\n\n<think_off>\n{}", "Hm."),
        ("hunyuan-a13b", "<think>\n\n</think>\n<answer>\n助手：{}\n</answer>", ""),
        ("hunyuan-a13b", "助手：{}", ""),
        ("firefunction-1", " <plain>{}", ""),
        ("hyperclova-x", "\n{}<|im_end|><|endofturn|>", ""),
    ],
)
def test_marks_of_an_answer_are_no_words_of_it(name: str, raw: str, thought: str) -> None:
    (family,) = (family for family in FAMILIES if family.name == name)
    for words in ("Yes.", "I <plain>say</plain> 助手：<think>so</think>, </parameter>."):
        answer = read(family, raw.replace("{}", words))
        assert answer.content.strip() == words
        assert answer.reasoning.strip() == thought


@each
def test_marks_of_arguments_are_words_elsewhere(family: Family) -> None:
    syntax = format_of(family.source).calls
    assert syntax is not None
    marks = (syntax.arguments.begin, syntax.arguments.key_end, syntax.arguments.end)
    words = f"An argument is closed by {' and '.join(filter(str.strip, marks))}."
    assert read(family, (family.thought or "Yes.").replace("Yes.", words)).content.strip() == words
