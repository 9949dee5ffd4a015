"""Templates that are nowhere in the data: they take everything, and what they show is read."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import pytest

from mullama.text.channels import Parser, begun
from mullama.text.formats import find_format
from mullama.text.template import ChatTemplate
from tests.text.chat_cases import parse
from tests.text.test_templates import ODD_TOOLS, SHAPES, SYSTEM, tool
from tests.text.unknown import PARIS, USER, format_of, mutated, template_of
from tests.text.unseen import BOTH, CALLS, MANNERS, MARKED, THOUGHTS, Model

ALL = [*CALLS, *BOTH, *THOUGHTS, *MANNERS]
TOOLS = [
    tool(
        "get_weather",
        description="The weather",
        parameters={
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "days": {"type": "integer"},
                "o": {"type": "object"},
                "l": {"type": "array"},
            },
        },
    ),
    tool(
        "add",
        description="A sum",
        parameters={"type": "object", "properties": {"x": {"type": "number"}}},
    ),
]
Said = tuple[str, str, list[tuple[str, dict[str, Any]]]]  # content, thought, calls

ONE_CALL: list[tuple[str, dict[str, Any]]] = [
    PARIS,
    ("get_weather", {"city": 'a "q" <b> \\ é', "o": {"k": [1, None]}, "l": [True, "x"]}),
    ("get_weather", {"city": "one\n  two"}),
    ("get_weather", {}),
]
PLAIN: Said = ("Hello <b>you</b> [1], (2) {3}.\n\n- Bye", "", [])
# A form that neither has marks around its values nor is JSON: such calls are content.
NOT_READ = {"yaml", "yaml, thought"}

each = pytest.mark.parametrize("model", ALL, ids=[model.name for model in ALL])
with_calls = [model for model in ALL if model.calls and model.name not in NOT_READ]
each_with_calls = pytest.mark.parametrize("model", with_calls, ids=[m.name for m in with_calls])


def message(said: Said) -> dict[str, Any]:
    content, thought, calls = said
    made: dict[str, Any] = {"role": "assistant", "content": content}
    if thought:
        made["reasoning_content"] = thought
    if calls:
        made["tool_calls"] = [
            {
                "id": f"abcde123{number}",
                "type": "function",
                "function": {"name": name, "arguments": json.dumps(arguments)},
            }
            for number, (name, arguments) in enumerate(calls)
        ]
    return made


def written(model: Model, said: Said) -> tuple[str, str]:
    """What the prompt has of an answer, and what the model writes then."""
    given: dict[str, Any] = {"tools": TOOLS if model.calls else ()}
    given["enable_thinking"] = bool(said[1]) or not model.opens
    template = template_of(model.source)
    prompt = template.render([USER], **given)
    history = template.render([USER], add_generation_prompt=False, **given)
    whole = template.render([USER, message(said)], add_generation_prompt=False, **given)
    raw = whole[len(history) :] if whole.startswith(history) else whole.partition(model.head)[2]
    raw = raw.removeprefix(model.head).removesuffix(model.turn_end)
    opened = begun(prompt, history)
    if not model.calls:  # so the words are what it writes
        raw = (said[1] and said[1].join(model.thought)) + said[0]
    before = opened.partition(model.head)[2]
    if raw.startswith(before):
        raw = raw[len(before) :]
    elif before and model.thought[1].strip() not in before:
        raw = model.thought[1] + raw  # a thought of no words
    return opened, raw


def read(model: Model, opened: str, pieces: Iterable[str]) -> Said:
    answer = parse(Parser(format_of(model.source), opened=opened, tools=TOOLS), pieces)
    calls = [(call.name, json.loads(call.arguments)) for call in answer.calls]
    return answer.content.strip(), answer.reasoning.strip(), calls


def check(model: Model, said: Said) -> None:
    opened, raw = written(model, said)
    assert read(model, opened, [raw]) == said, raw
    assert read(model, opened, raw) == said, raw


def answers(model: Model) -> list[Said]:
    found = [PLAIN]
    if model.calls and model.name not in NOT_READ:
        found += [("", "", [call]) for call in ONE_CALL]
        if model.many:
            found.append(("", "", [PARIS, ("add", {"x": 1.5})]))
    if model.thought[0]:
        found += [(content, "Hm, so.\n\nOk", calls) for content, _, calls in found]
    return found


@each
def test_what_a_template_shows_is_read(model: Model) -> None:
    for said in answers(model):
        check(model, said)


@pytest.mark.parametrize("name", MARKED)
def test_a_thought_is_told_from_the_answer(name: str) -> None:
    source, raw, given = MARKED[name]
    template = ChatTemplate(source, bos="", eos="")
    format = find_format(template)
    prompt = template.render([USER], **given)
    opened = begun(prompt, template.render([USER], add_generation_prompt=False, **given))
    for pieces in ([raw], raw):
        answer = parse(Parser(format, opened=opened), pieces)
        said = ("Yes", "Hm") if "Hm" in raw else ("Yes", "")
        assert (answer.content.strip(), answer.reasoning.strip()) == said
    assert parse(Parser(format), ["Just so."]).content == "Just so."


@pytest.mark.parametrize("model", [*CALLS, *THOUGHTS[::5], *MANNERS], ids=lambda model: model.name)
def test_every_shape_of_conversation_is_taken(model: Model) -> None:
    template = template_of(model.source)
    for shape, (messages, tools, said) in SHAPES.items():
        for thinking in (True, False):
            prompt = template.render(deepcopy(messages), tools=tools, enable_thinking=thinking)
            for word in said.split():
                assert word in prompt, shape
            if tools is not ODD_TOOLS and shape != "nested":
                for word in ("None", "Undefined", "'type'"):
                    assert word not in prompt or word in model.source, shape
    for field, text in (("content", "Once upon  "), ("reasoning_content", "Well,  ")):
        opened = [SYSTEM, USER, {"role": "assistant", "content": "", field: text}]
        if template.traits.turns:
            assert template.render(opened, continue_final_message=True).endswith(text)


@pytest.mark.parametrize("model", [model for model in ALL if model.name in NOT_READ])
def test_calls_of_forms_that_are_not_read_are_content(model: Model) -> None:
    opened, raw = written(model, ("", "", [PARIS]))
    assert read(model, opened, raw) == (raw.strip(), "", [])


@each_with_calls
def test_a_model_may_write_less_carefully_than_its_template(model: Model) -> None:
    opened, raw = written(model, ("", "", [PARIS]))
    thoughtless = raw[raw.find(model.thought[1]) :] if model.thought[1] in raw else raw
    for text in (
        f"\n\n{raw}\n",
        raw.rstrip(),
        raw.replace('", "', '",  "').replace(": ", ":   "),
        raw.replace(">\n", "> \n\n"),
        raw.replace(">{", ">\n{").replace("}<", "}\n<"),
        thoughtless,
    ):
        assert read(model, opened, [text]) == ("", "", [PARIS]), text
        assert read(model, opened, text) == ("", "", [PARIS]), text


@each_with_calls
def test_a_call_without_its_end_marks_is_one(model: Model) -> None:
    opened, raw = written(model, ("", "", [PARIS]))
    place = raw.find("3", raw.find("Paris")) + 1
    brackets = raw[place:]
    end = next((n for n, letter in enumerate(brackets) if letter not in "})]"), len(brackets))
    answer = parse(Parser(format_of(model.source), opened=opened, tools=TOOLS), raw[: place + end])
    if raw.find("get_weather") > place:
        assert not answer.calls  # whose name is not known
        return
    (call,) = answer.calls
    assert call.name == "get_weather"
    assert call.arguments.startswith('{"city": "Paris", "days": 3')
    assert not answer.content.strip()


@each_with_calls
def test_calls_of_nobody_s_tool_are_content(model: Model) -> None:
    opened, raw = written(model, ("", "", [PARIS]))
    raw = raw.replace("get_weather", "format_disk")
    answer = parse(Parser(format_of(model.source), opened=opened, tools=TOOLS), raw)
    assert not answer.calls
    assert "format_disk" in answer.content
    assert "Paris" in answer.content


@each
def test_noise_never_raises_and_cuts_make_no_difference(model: Model) -> None:
    chance = random.Random(model.name)
    format = format_of(model.source)
    scraps = [
        *sorted(format.marks),
        *'{}[]":,\\<>\n (=',
        "get_weather",
        "add",
        '{"city": "P"}',
        "x",
    ]
    texts = [written(model, said)[1] for said in answers(model)]
    for _ in range(40):
        text = mutated(chance, texts, scraps)
        whole = parse(Parser(format, tools=TOOLS), [text])
        assert parse(Parser(format, tools=TOOLS), text) == whole, text


@each_with_calls
def test_a_model_may_write_calls_in_the_common_form(model: Model) -> None:
    written = json.dumps({"name": PARIS[0], "arguments": PARIS[1]})
    call = f"<tool_call>\n{written}\n</tool_call>"
    opened = format_of(model.source).head
    for text in (call, call.removesuffix("</tool_call>").rstrip()):
        assert read(model, opened, [text]) == ("", "", [PARIS])
        assert read(model, opened, text) == ("", "", [PARIS])
    for text in (call.replace("get_weather", "rm"), call.replace("{", "(")):
        assert read(model, opened, text) == (text, "", [])
