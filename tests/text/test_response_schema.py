"""Answers of models whose format the owner states by a response schema."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.text.channels import Parser
from mullama.text.formats import with_response
from mullama.text.responses.schema import ResponseSchema
from mullama.text.spans import Answer, Call
from mullama.text.syntax import CallSyntax, Format, JsonCall, Reasoning, Slot
from tests.text.chat_cases import parse

QWEN = (Path(__file__).parent / "qwen3_5.response.json").read_text()
TOOLS = [
    {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        },
    },
    {"name": "time"},
]
CALL = (
    "<tool_call>\n<function=weather>\n<parameter=city>\nNew\nYork\n</parameter>\n"
    "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"
)


@cache
def format_of(schema: str) -> Format:
    return Format("stated", reasoning=Reasoning(), response=ResponseSchema(schema))


def read(text: str, schema: Any = QWEN, opened: str = "", **given: Any) -> Answer:
    """The answer, which must be the same whole and in single characters."""
    source = schema if isinstance(schema, str) else json.dumps(schema)
    given = {"tools": TOOLS} | given
    whole = parse(Parser(format_of(source), opened=opened, **given), [text])
    assert parse(Parser(format_of(source), opened=opened, **given), list(text)) == whole
    return whole


def answer(**properties: Any) -> dict[str, Any]:
    """A schema of an answer with these members, each cut out of the whole text."""
    return {"type": "object", "properties": properties}


# ------------------------------------------------------------------ the example


def test_thought_words_and_calls_are_told_apart() -> None:
    second = "<tool_call>\n<function=time>\n</function>\n</tool_call>"
    found = read(f"<think>\nHm.\n</think>\n\nI look.\n\n{CALL}\n{second}<|im_end|>")
    assert (found.reasoning, found.content) == ("Hm.", "I look.")
    assert [(call.name, json.loads(call.arguments)) for call in found.calls] == [
        ("weather", {"city": "New\nYork", "days": 3}),
        ("time", {}),
    ]
    assert all(call.complete for call in found.calls)


def test_plain_words_are_content() -> None:
    assert read("Hello <b>you</b>.\n\nBye.") == Answer("Hello <b>you</b>.\n\nBye.")


def test_the_prompt_may_have_opened_the_thought() -> None:
    assert read("Hm.\n</think>\n\nYes.", opened="<think>\n") == Answer("Yes.", "Hm.")


def test_a_schema_need_not_know_the_mark_that_the_prompt_opened() -> None:
    schema = answer(
        reasoning={"type": "string", "x-regex": "^(.*?)</THOUGHT>"},
        content={"type": "string", "x-regex": "</THOUGHT>(.*)$"},
    )
    assert read("Hm.</THOUGHT>Yes.", schema, opened="<think>\n") == Answer("Yes.", "Hm.")


def test_words_of_the_prompt_are_not_said_again() -> None:
    parser = Parser(format_of(QWEN), opened="Once upon")
    assert "".join(span.text for span in parser.prefilled) == "Once upon"
    spans = [*parser.feed(" a time"), *parser.finish()]
    assert "".join(span.text for span in spans) == " a time"


def test_the_seed_s_smallest_schema_reads_everything_as_content() -> None:
    schema = answer(role={"const": "assistant"}, content={"type": "string", "x-regex": "^(.*)$"})
    assert read("One\ntwo <think>", schema | {"required": ["role"]}) == Answer("One\ntwo <think>")


def test_thoughts_can_stay_in_the_content_with_their_marks() -> None:
    found = read("<think>\nHm.\n</think>\n\nYes.", reasoning=False)
    assert found == Answer("<think>\nHm.\n</think>\n\nYes.")


def test_a_thought_s_place_is_known_at_the_end() -> None:
    parser = Parser(format_of(QWEN))
    parser.feed("<think>\nHm.\n</think>")
    assert parser.n_read == 0
    parser.finish()
    assert parser.thoughts == [(8, 11)]
    assert parser.n_read == len("<think>\nHm.\n</think>")


# ------------------------------------------------------------------ what a schema can say


def test_json_calls_are_reshaped() -> None:
    schema = answer(
        content={"type": "string", "x-regex": "^(.*?)(?:<actions>|$)"},
        tool_calls={
            "type": "array",
            "x-regex": "<actions>(.*?)</actions>",
            "x-parser": "json",
            "x-parser-args": {
                "transform": "[*].{type: 'function', function: {name: tool, arguments: input}}"
            },
        },
    )
    found = read('So.<actions>[{"tool": "time", "input": {"zone": [1, null]}}]</actions>', schema)
    call = Call("time", '{"zone": [1, null]}', complete=True)
    assert found == Answer("So.", calls=[call])


def test_mappings_and_substitutions_change_texts() -> None:
    schema = answer(
        content={
            "type": "string",
            "x-regex-substitutions": [["<(/?)em>", "*"], [r"(\w+)@", r"\1 at "]],
            "x-mapping": {"nothing": "none"},
            "x-mapping-regex": {"!+": "!"},
        }
    )
    assert read("<em>me</em>@home!!!", schema).content == "*me*@home!"
    assert read("nothing", schema).content == "none"


def test_an_id_and_arguments_as_text_are_taken() -> None:
    schema = answer(
        tool_calls={
            "type": "array",
            "x-regex-iterator": r"(?P<name>\w+)#(?P<id>\w+)\((?P<arguments>\{.*?\})\)",
        }
    )
    assert read('time#c1({"zone": "x"})', schema).calls == [
        Call("time", '{"zone": "x"}', "c1", complete=True)
    ]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", " 7", 7), ("number", "1.5", 1.5), ("number", "2", 2), ("boolean", "True", True),
        ("boolean", "0", False), ("string", "x", "x"), ("any", "x", "x"),
    ],
)  # fmt: skip
def test_types_are_made_of_text(kind: str, text: str, value: Any) -> None:
    schema = answer(content={"type": kind})
    assert ResponseSchema(json.dumps(schema)).read(text) == {"content": value}


# ------------------------------------------------------------------ what does not parse


@pytest.mark.parametrize(
    "call",
    [
        CALL.replace("weather", "nobody_s"),
        CALL.replace("<function=weather>", "<fun>"),
        "<tool_call>\nnonsense\n</tool_call>",
        CALL[:50],
    ],
)
def test_what_is_no_call_of_a_tool_is_content(call: str) -> None:
    found = read(f"<think>\nHm.\n</think>\n\n{call}")
    assert not found.calls
    assert found.content.endswith(call)


def test_without_tools_calls_are_content() -> None:
    assert read(CALL, tools=()) == Answer(CALL)


def test_a_text_that_does_not_match_is_content() -> None:
    schema = answer(content={"type": "string", "x-regex": "^A(.*)Z$"})
    assert read("no", schema) == Answer("no")


def test_broken_json_is_content() -> None:
    schema = answer(content={"type": "string"}, tool_calls={"type": "array", "x-parser": "json"})
    assert read("[1,", schema) == Answer("[1,")


def test_an_expression_that_takes_too_long_is_given_up() -> None:
    schema = answer(content={"type": "string", "x-regex": "^(?:a|a|aa)+$"})
    text = "a" * 60 + "b"
    assert ResponseSchema(json.dumps(schema)).read(text, seconds=0.01) is None
    assert read(text, schema).content == text


def test_the_limit_is_for_all_expressions_together() -> None:
    slow = {"type": "string", "x-regex": "^(?:a|a|aa)+$"}
    schema = answer(**{f"p{n}": slow for n in range(1000)}, content={"type": "string"})
    assert ResponseSchema(json.dumps(schema)).read("a" * 60 + "b", seconds=0.01) is None


def test_a_substitution_can_t_make_endless_text() -> None:
    many = [["a", "a" * 1000]] * 9
    schema = answer(content={"type": "string", "x-regex-substitutions": many})
    assert read("a", schema).content == "a"


def test_noise_is_read_the_same_however_it_is_cut() -> None:
    chance = random.Random(5)
    scraps = [
        "<think>", "</think>", "<tool_call>", "</tool_call>", "<function=time>", "\n", CALL,
        "<parameter=a>", "</parameter>", "</function>", "{", '"', "x", "<|im_end|>", "\0",
    ]  # fmt: skip
    for _ in range(500):
        text = "".join(chance.choices(scraps, k=chance.randint(0, 12)))
        read(text, opened=chance.choice(["", "<think>\n", "Once"]))


# ------------------------------------------------------------------ grammars


def calls(syntax: str) -> CallSyntax:
    head, name_end, tail = syntax.split("|")
    return CallSyntax((head, Slot.NAME, name_end, Slot.ARGUMENTS, tail), json=JsonCall())


def test_calls_that_the_schema_can_t_read_are_not_forced() -> None:
    hermes = calls('<tool_call>\n{"name": "|", "arguments": |}\n</tool_call>')
    readable = answer(
        tool_calls={
            "type": "array",
            "x-regex-iterator": "<tool_call>(.*?)</tool_call>",
            "items": {"type": "object", "x-parser": "json"},
        }
    )
    format = Format("probed", calls=hermes)
    assert with_response(format, json.dumps(readable)).calls == hermes
    assert with_response(format, QWEN).calls is None
    assert with_response(replace(format, calls=None), QWEN).calls is None


def test_marks_in_expressions_reach_the_reader() -> None:
    assert {"<think>", "</think>", "<tool_call>", "<|im_end|>"} <= format_of(QWEN).marks


# ------------------------------------------------------------------ wrong schemas


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("{", r"\$ is no JSON"),
        ("[]", r"\$ must be an object"),
        ('{"type": "array"}', r"\$\.type must be object"),
        (answer(role={}), r"\$\.properties must have one of content"),
        (answer(content=1), r"\$\.properties\.content must be an object"),
        (answer(content={"x-regexp": "a"}), r"\$\.properties\.content\.x-regexp is not known"),
        (answer(content={"x-regex": "("}), r"\.content\.x-regex is no regular expression"),
        (answer(content={"x-regex": 1}), r"\.content\.x-regex must be a text"),
        (answer(content={"x-regex": "(a)(b)"}), r"\.content\.x-regex must have named groups"),
        (answer(content={"type": "text"}), r"\.content\.type must be one of"),
        (answer(tool_calls={"x-regex-iterator": "a"}), r"x-regex-iterator makes an array"),
        (
            answer(tool_calls={"type": "object", "x-regex-key-value": "(?P<key>a)"}),
            r"x-regex-key-value must have the named groups",
        ),
        (answer(tool_calls={"x-parser": "xml"}), r"\.tool_calls\.x-parser must be json"),
        (answer(content={"x-parser-args": {"transform": "a"}}), r"x-parser-args needs x-parser"),
        (
            answer(content={"x-parser": "json", "x-parser-args": {"transform": "[*"}}),
            r"x-parser-args\.transform is no JMESPath",
        ),
        (
            answer(content={"x-parser": "json", "x-parser-args": {"strict": 1}}),
            r"x-parser-args\.strict is not known",
        ),
        (
            answer(content={"x-regex-substitutions": [["a"]]}),
            r"x-regex-substitutions\[0\] must be a pair",
        ),
        (
            answer(content={"x-regex-substitutions": [["a", r"\3"]]}),
            r"x-regex-substitutions\[0\] has a replacement",
        ),
        (answer(content={"x-mapping": []}), r"\.content\.x-mapping must be an object"),
        (
            answer(tool_calls={"type": "array", "items": {"items": {"x-regex": "["}}}),
            r"\$\.properties\.tool_calls\.items\.items\.x-regex is no",
        ),
        ("[" * 100_000, r"\$ is no JSON"),
    ],
)
def test_a_wrong_schema_is_refused_with_its_path(schema: Any, path: str) -> None:
    source = schema if isinstance(schema, str) else json.dumps(schema)
    with pytest.raises(InvalidRequest, match=path) as caught:
        ResponseSchema(source)
    assert caught.value.param == "response_schema"


def test_depth_is_limited() -> None:
    schema: dict[str, Any] = {}
    for _ in range(100):
        schema = {"items": schema}
    with pytest.raises(InvalidRequest, match="nested more than 64"):
        ResponseSchema(json.dumps(answer(content=schema)))
