"""Every template that is at hand takes every shape of conversation, and what it takes is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from mullama.text.syntax import CallSyntax
from mullama.text.template import ChatTemplate
from mullama.text.traits import Traits
from tests.text.test_reference import TEMPLATES

Data = Callable[[str], Path]

USER, MORE = {"role": "user", "content": "U1"}, {"role": "user", "content": "U2"}
SYSTEM, ANSWER = {"role": "system", "content": "S1"}, {"role": "assistant", "content": "A1."}
PARTS = [{"type": "text", "text": "P1"}, {"type": "text", "text": "P2"}]
ID = "call_abcdefghijklmnopqrstuvwx"


def call(arguments: Any = '{"city": "C1"}', id: str = ID, name: str = "weather") -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def calls(*made: dict[str, Any], content: str | None = None, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(made), **more}


def result(content: Any = "R1", id: str = ID) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": content}


def tool(name: str, **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **function}}


CITY = {"type": "string", "description": "Where"}
UNIT = {"type": ["string", "null"], "description": "Of what is measured"}
TOOLS = [
    tool(
        "weather",
        description="The weather",
        parameters={
            "type": "object",
            "properties": {"city": CITY, "unit": UNIT},
            "required": ["city"],
        },
        strict=True,
    )
]
ODD = {
    "a": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "b": {"$ref": "#/$defs/X"},
    "c": {"enum": [1, "two", None]},
    "d": {"type": "array", "items": {"type": "object", "properties": {"x": {"const": 3}}}},
    "e": {},
    "f": True,
    "g": {"type": "object", "additionalProperties": {"type": "string"}},
    "h": {"oneOf": [{"type": "object", "properties": {"q": CITY}}, {"type": "integer"}]},
    "type": {"type": "string", "default": None},
}
ODD_TOOLS = [
    tool("bare"),
    tool("nulls", description=None, parameters=None),
    tool("empty", description="", parameters={}),
    tool("odd", parameters={"type": "object", "properties": ODD, "$defs": {"X": CITY}}),
]
TWO = [
    calls(call('{"city": "C1"}', "c1"), call('{"city": "C2"}', "c2")),
    result("R2", "c2"),
    result("R1", "c1"),
]

# What is said, with which tools, and what must be in the prompt.
SHAPES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str]] = {
    "user": ([USER], [], "U1"),
    "system": ([SYSTEM, USER], [], "S1 U1"),
    "turns": ([SYSTEM, USER, ANSWER, MORE], [], "S1 U1 A1. U2"),
    "developer": ([{"role": "developer", "content": "D1"}, USER], [], "D1 U1"),
    "system, developer": ([SYSTEM, {"role": "developer", "content": "D1"}, USER], [], "S1 D1 U1"),
    "late system": ([USER, ANSWER, {"role": "system", "content": "S2"}, MORE], [], "U1 S2 U2"),
    "last system": ([USER, ANSWER, {"role": "system", "content": "S2"}], [], "U1 S2"),
    "only a system": ([SYSTEM], [], "S1"),
    "only an answer": ([ANSWER], [], "A1."),
    "answer first": ([SYSTEM, ANSWER, USER], [], "S1 A1. U1"),
    "user twice": ([USER, MORE], [], "U1 U2"),
    "answer twice": ([USER, ANSWER, {"role": "assistant", "content": "A2."}, MORE], [], "A1. A2."),
    "parts": (
        [{"role": "system", "content": PARTS}, {"role": "user", "content": PARTS}],
        [],
        "P1 P2",
    ),
    "system in parts": ([{"role": "system", "content": PARTS}, USER], [], "P1 P2 U1"),
    "user in parts": ([SYSTEM, {"role": "user", "content": PARTS}], [], "S1 P1 P2"),
    "answer in parts": ([USER, {"role": "assistant", "content": PARTS}, MORE], [], "P1 P2 U2"),
    "no content": ([USER, {"role": "assistant", "content": None}, MORE], [], "U1 U2"),
    "empty": ([{"role": "user", "content": ""}], [], ""),
    "tools": ([SYSTEM, USER], TOOLS, "weather city S1"),
    "odd tools": ([USER], ODD_TOOLS, "bare nulls empty odd"),
    "call": ([USER, calls(call()), result()], TOOLS, "C1 R1"),
    "call, answer": ([USER, calls(call()), result(), ANSWER, MORE], TOOLS, "C1 R1 A1. U2"),
    "call, user": ([USER, calls(call()), result(), MORE], TOOLS, "C1 R1 U2"),
    "unanswered call": ([USER, calls(call())], TOOLS, "C1"),
    "call, no tools": ([USER, calls(call()), result()], [], "C1 R1"),
    "object": ([USER, calls(call({"city": "C1"})), result()], TOOLS, "C1 R1"),
    "call and content": ([USER, calls(call(), content="A1."), result()], TOOLS, "C1 R1"),
    "cut arguments": ([USER, calls(call('{"city": "C1')), result()], TOOLS, "C1 R1"),
    "no arguments": ([USER, calls(call("")), result()], TOOLS, "R1"),
    "no JSON": ([USER, calls(call("C1")), result()], TOOLS, "C1 R1"),
    "nested": ([USER, calls(call('{"a": [1.5, null, {"b": "C1"}]}')), result()], TOOLS, "C1 R1"),
    "two calls": ([USER, *TWO], TOOLS, "C1 C2 R1 R2"),
    "two unanswered": ([USER, TWO[0]], TOOLS, "C1 C2"),
    "calls, call": ([USER, *TWO, calls(call('{"a": "C3"}')), result("R3")], TOOLS, "C2 R2 C3 R3"),
    "result in parts": ([USER, calls(call()), result(PARTS)], TOOLS, "C1 P1 P2"),
    "empty result": ([USER, calls(call()), result("")], TOOLS, "C1"),
    "no call": ([USER, result()], TOOLS, "R1"),
    "unknown id": ([USER, calls(call(id="c1")), result(id="c2")], TOOLS, "C1 R1"),
    "unknown tool": ([USER, calls(call(name="time")), result()], TOOLS, "C1 R1"),
    "thought": ([USER, ANSWER | {"reasoning_content": "T1"}, MORE], [], "A1. U2"),
    "thought, call": ([USER, calls(call(), reasoning_content="T1"), result()], TOOLS, "C1 R1"),
    "thought, content, call": (
        [USER, calls(call(), content="A1.", reasoning_content="T1"), result()],
        TOOLS,
        "C1 R1",
    ),
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_takes_every_shape(name: str, shared_data: Data) -> None:
    source = shared_data(f"chat_templates/{name}").read_text()
    template = ChatTemplate(source, bos="<s>", eos="</s>")
    for shape, (messages, tools, said) in SHAPES.items():
        for thinking in (True, False):
            prompt = template.render(deepcopy(messages), tools=tools, enable_thinking=thinking)
            for word in said.split():
                assert word in prompt, shape
            if tools is not ODD_TOOLS and shape != "nested":
                for word in ("None", "Undefined", "'type'"):
                    assert word not in prompt or word in source, shape
    opened = [SYSTEM, USER, {"role": "assistant", "content": "Once upon  "}]
    assert template.render(opened, continue_final_message=True).endswith("Once upon  ")
    opened = [SYSTEM, USER, {"role": "assistant", "content": "", "reasoning_content": "Well,  "}]
    assert template.render(opened, continue_final_message=True).endswith("Well,  ")


def written(traits: Traits) -> str:
    """The traits that are not as in a template that takes everything, one a line."""
    lines = []
    for field in fields(traits):
        value = getattr(traits, field.name)
        if value != field.default:
            shown = sorted(value) if isinstance(value, frozenset) else value
            if isinstance(value, CallSyntax):
                shown = value.write([("the_name", {"the_key": "the_value"})])
            lines.append(f"  {field.name} = {json.dumps(shown, ensure_ascii=False)}")
    return "\n".join(lines)


def test_what_each_template_takes_is_known(shared_data: Data, tmp_path: Path) -> None:
    """traits.txt says what probing finds; when it changes, the new text is in the message."""
    found = ""
    for name in TEMPLATES:
        source = shared_data(f"chat_templates/{name}").read_text()
        found += f"{name}\n{written(ChatTemplate(source, bos='<s>', eos='</s>').traits)}\n"
    (tmp_path / "traits.txt").write_text(found)
    known = (Path(__file__).parent / "traits.txt").read_text()
    assert found == known, f"what was found is in {tmp_path}/traits.txt"


def test_a_known_conversation_is_given_to_the_template_as_it_is(shared_data: Data) -> None:
    """Nothing is adapted for a template that takes everything."""
    source = shared_data("chat_templates/Qwen-Qwen2.5-7B-Instruct.jinja").read_text()
    prompt = ChatTemplate(source, bos="", eos="").render(
        [SYSTEM, USER, calls(call({"city": "Rome"}), content="Let me see."), result("Sun")],
        tools=TOOLS,
    )
    assert prompt.endswith(
        "<|im_start|>assistant\nLet me see.\n<tool_call>\n"
        '{"name": "weather", "arguments": {"city": "Rome"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\nSun\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n"
    )
