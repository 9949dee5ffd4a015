"""Arguments in every style become JSON, typed by the tool's schema."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest

from mullama.text.channels import Parser
from mullama.text.source import Source
from mullama.text.spans import Call
from mullama.text.syntax import Arguments, CallSyntax, Format, Slot, Style
from mullama.text.toolcalls import minimax
from mullama.text.toolcalls.kinds import ALL, json_of, kinds, property_schema
from mullama.text.toolcalls.values import JSON, PYTHON, Dialect, braced, value
from tests.text.chat_cases import TEMPLATES, format_of, parse

TAGGED = Arguments(Style.TAGGED, begin="<p=", key_end=">\n", end="\n</p>\n")
FORMAT = Format(
    "tagged",
    calls=CallSyntax(("<f=", Slot.NAME, ">\n", Slot.ARGUMENTS, "</f>"), arguments=TAGGED),
)

BRACED = braced("|^|")


def called(written: str, properties: dict[str, Any], format: Format = FORMAT) -> Call:
    """The one call in the text, which is the same whole and cut at every character."""
    parameters = {"type": "object", "properties": properties}
    tools = [{"type": "function", "function": {"name": "f", "parameters": parameters}}]
    whole = parse(Parser(format, tools=tools), [written])
    assert parse(Parser(format, tools=tools), list(written)) == whole
    assert len(whole.calls) == 1
    return whole.calls[0]


def tagged(value: str, schema: Any) -> Any:
    call = called(f"<f=f>\n<p=a>\n{value}\n</p>\n</f>", {"a": schema})
    assert call.complete
    return json.loads(call.arguments)["a"]


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        ("1", {"type": "string"}, "1"),
        ("1", {"type": "integer"}, 1),
        ("1", {}, 1),
        ("one", {}, "one"),
        ('"one"', {"type": "string"}, '"one"'),
        ('"one"', {"type": "object"}, "one"),
        (" \\d <b>\n", {"type": "string"}, " \\d <b>\n"),
        ("", {"type": "string"}, ""),
        ("true", {"type": "boolean"}, True),
        ("True", {"type": "boolean"}, True),
        ("None", {"type": ["string", "null"]}, None),
        ("null", {"type": ["null", "string"]}, None),
        ("nothing", {"type": ["null", "string"]}, "nothing"),
        ("42", {"type": ["string", "integer"]}, 42),
        ("42", {"type": ["string", "null"]}, "42"),
        ("4.5", {"type": ["string", "integer"]}, "4.5"),
        ('{"b": [1]}', {"anyOf": [{"type": "string"}, {"type": "object"}]}, {"b": [1]}),
        ("{broken", {"anyOf": [{"type": "string"}, {"type": "object"}]}, "{broken"),
        ("red", {"enum": ["red", "green"]}, "red"),
        ("1", {"enum": ["1", "2"]}, "1"),
        ("1", {"enum": [1, 2]}, 1),
        ("7", {"const": "7"}, "7"),
        ("7", {"allOf": [{"type": ["string", "integer"]}, {"type": "string"}]}, "7"),
        ("not a number", {"type": "integer"}, "not a number"),
        ("NaN", {"type": "number"}, "NaN"),
        ("[" * 5000, {"type": "array"}, "[" * 5000),
        ("[" * 15000 + "]" * 15000, {"type": "array"}, "[" * 15000 + "]" * 15000),
        ("['a', True, {'k': None}]", {"type": "array"}, ["a", True, {"k": None}]),
        ("{'it': \"isn't\", 'n': [1.5]}", {"type": "object"}, {"it": "isn't", "n": [1.5]}),
        ("['a']", {"type": ["array", "string"]}, "['a']"),
        ("['a']", {"type": "object"}, "['a']"),
        ("['a'] or so", {"type": "array"}, "['a'] or so"),
        ("['a'", {"type": "array"}, "['a'"),
        ("{1, 2}", {"type": "object"}, "{1, 2}"),
    ],
)
def test_a_bare_value_is_what_the_schema_says(value: str, schema: Any, expected: Any) -> None:
    assert tagged(value, schema) == expected


def test_a_reference_is_followed() -> None:
    root = {"$defs": {"a/b": {"type": "string"}, "loop": {"$ref": "#/$defs/loop"}}}
    assert kinds({"$ref": "#/$defs/a~1b"}, root) == {"string"}
    assert kinds({"$ref": "#/$defs/loop"}, root) == ALL
    assert kinds({"$ref": "#/$defs/none"}, root) == ALL
    assert kinds(True, root) == ALL
    assert kinds({"type": "nonsense"}, root) == ALL


def test_each_reference_is_followed_once() -> None:
    """Alternatives that refer to themselves were followed along all paths: for hours."""

    class Definitions(dict[str, Any]):
        n_read = 0

        def __getitem__(self, name: str) -> Any:
            self.n_read += 1
            assert self.n_read < 100
            return super().__getitem__(name)

    for word in ("anyOf", "oneOf", "allOf"):
        loop = [{"$ref": "#/$defs/loop"}] * 8
        names = [f"n{n}" for n in range(12)]
        wide = {one: {word: [{"$ref": f"#/$defs/{other}"}] * 8} for one, other in pairwise(names)}
        wide["n11"] = {"type": "integer"}
        root = {"$defs": Definitions(wide, loop={word: loop})}
        assert kinds({"$ref": "#/$defs/loop"}, root) == ALL
        assert kinds({"$ref": "#/$defs/n0"}, root) == {"integer"}
        for name in ("loop", "n0"):
            assert property_schema({"$ref": f"#/$defs/{name}"}, "key", root) is None


def test_text_is_passed_on_while_it_arrives() -> None:
    tools = [{"function": {"name": "f", "parameters": {"properties": {"a": {"type": "string"}}}}}]
    parser = Parser(FORMAT, tools=tools)
    parser.feed("<f=f>\n<p=a>\n")
    assert [span.text for span in parser.feed('print("hi")\n')] == ['print(\\"hi\\")']
    assert [span.text for span in parser.feed("pass\n</")] == ["\\npass"]


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("<f=f>\n</f>", "{}"),
        ("<f=f></f>", "{}"),
        ("<f=f><p=a>1</p><p=b>2</p></f>", '{"a": 1, "b": 2}'),
        ("<f=f>\n<p=a>\n1\n</p>\n", '{"a": 1}'),
        ("<f=f>\n<p=a>\nlong", '{"a": long'),
        ("<f=f>\n<p=a", '{"a'),
        ("<f=f>\n", ""),
    ],
)
def test_white_space_may_be_left_out_and_text_be_cut(written: str, arguments: str) -> None:
    assert called(written, {}).arguments == arguments


@pytest.mark.parametrize(
    ("written", "dialect", "expected"),
    [
        ('{"a":1,"b":[true,null]}', JSON, '{"a": 1, "b": [true, null]}'),
        ('{ "a" : [ ] , "b" : { } }', JSON, '{"a": [], "b": {}}'),
        ('"a\nb\tc\\d\\u00e9\\n"', JSON, '"a\\nb\\tc\\\\d\\u00e9\\n"'),
        ('[1,]', JSON, "[1]"),
        ("'it\\'s \"so\"'", PYTHON, '"it\'s \\"so\\""'),
        ('"""two\n"lines" """', PYTHON, '"two\\n\\"lines\\" "'),
        ("(1, None, True)", PYTHON, "[1, null, true]"),
        ("'\\x41'", PYTHON, '"\\u0041"'),
        ('{a:|^|x "y"\n\\|^|,b:[1.5e3]}', BRACED, '{"a": "x \\"y\\"\\n\\\\", "b": [1.5e3]}'),
        ("{a:London}", BRACED, '{"a": "London"}'),
    ],
)  # fmt: skip
def test_a_value_becomes_json(written: str, dialect: Dialect, expected: str) -> None:
    for pieces in ([written], list(written)):
        emitted, done = values(pieces, dialect)
        assert done
        assert emitted == expected
        json.loads(emitted)


@pytest.mark.parametrize("written", ["", "x", "01", "1.", "[1 2]", '{"a" 1}', '{"a": }', "[", '"a'])
def test_what_is_no_value_is_told(written: str) -> None:
    assert not values([written + ";"], JSON)[1]


def test_a_value_may_be_as_deep_as_it_likes() -> None:
    text = "[" * 10_000 + "]" * 10_000
    assert values([text], JSON) == (text, True)


def values(pieces: list[str], dialect: Dialect) -> tuple[str, bool]:
    source, emitted = Source(), []
    reader = value(source, dialect, emitted.append)
    result = False
    try:
        next(reader)
        for piece in pieces:
            source.feed(piece)
            next(reader)
        source.ended = True
        next(reader)
    except StopIteration as stop:
        result = stop.value
    return "".join(emitted), result


def nested(written: str, properties: dict[str, Any]) -> Any:
    mark = "]<]minimax[>["
    text = written.replace("<", mark + "<")
    written = f'{mark}<tool_call>\n{mark}<invoke name="f">{text}{mark}</invoke>\n'
    call = called(written, properties, minimax.FORMAT)
    return json.loads(call.arguments)


def test_elements_become_objects_and_lists() -> None:
    assert nested("<a><b>1</b><c><item>x</item><item><d>true</d></item></c></a>", {}) == {
        "a": {"b": 1, "c": ["x", {"d": True}]}
    }


def test_elements_are_typed_all_the_way_down() -> None:
    items = {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}}
    assert nested("<a><item><id>1</id></item></a>", {"a": items}) == {"a": [{"id": "1"}]}
    assert nested("<a><item>1</item></a>", {"a": {"type": "object"}}) == {"a": {"item": 1}}


def test_elements_too_deep_to_be_meant_are_text() -> None:
    text = "<a>" * 200 + "x" + "</a>" * 200
    assert nested(text, {})["a"]["a"]


def test_quotes_around_text_are_text_where_text_is_allowed() -> None:
    assert json_of('"a"', frozenset({"string", "null"})) == '"\\"a\\""'
    assert json_of('"a"', frozenset({"array"})) == '"a"'


@pytest.mark.skipif(not TEMPLATES, reason="shared test data 'chat_templates' is missing")
@pytest.mark.parametrize("template", TEMPLATES)
def test_what_a_syntax_writes_is_read_back(template: str) -> None:
    format = format_of(template)
    syntax = format.calls
    assert syntax is not None
    assert format.reasoning is not None
    before = "" if format.reasoning.open else format.reasoning.close
    calls: list[tuple[str, dict[str, Any]]] = [
        ("one", {"text": 'a "b"\n<c> \\ é', "number": 3, "list": ["x", {"y": None}], "yes": True}),
        ("two", {}),
        ("one", {"text": ""}),
    ]
    properties = {"text": {"type": "string"}}
    tools = [
        {"function": {"name": name, "parameters": {"type": "object", "properties": properties}}}
        for name in ("one", "two")
    ]
    for some in (calls[:1], calls) if syntax.many else (calls[:1],):
        text = syntax.write(some)
        assert syntax.trigger in syntax.opening
        answer = parse(Parser(format, tools=tools), [before, *text])
        read = [(call.name, json.loads(call.arguments)) for call in answer.calls]
        assert read == some
        assert all(call.complete for call in answer.calls)
        assert not answer.content
