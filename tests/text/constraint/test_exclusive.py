"""`oneOf`: options that exclude each other are told apart; such as may overlap are refused."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.text.constraint import Compiler
from mullama.types import Constraint
from tests.text.constraint.schemas import obj
from tests.text.constraint.test_walks import valid
from tests.text.constraint.vocabulary import SmallVocab, accepts, walk

Schema = dict[str, Any]
INTEGER, TEXT = {"type": "integer"}, {"type": "string"}


def tagged(tag: str, *required: str, **properties: Any) -> Schema:
    """As pydantic writes a model with `kind: Literal[tag] = tag`: a default is not required."""
    kind = {"const": tag, "default": tag, "title": "Kind", "type": "string"}
    schema: Schema = {"type": "object", "properties": {"kind": kind, **properties}}
    return {**schema, "required": list(required)} if required else schema


def one_of(*names: str) -> Schema:
    options = [{"$ref": f"#/$defs/{name}"} for name in names]
    mapping = {name.lower(): f"#/$defs/{name}" for name in names}
    return {"oneOf": options, "discriminator": {"propertyName": "kind", "mapping": mapping}}


EXPRESSION = one_of("Add", "Num")
# schema, and texts that satisfy it
TAKEN: dict[str, tuple[Any, list[str]]] = {
    "a tag": (
        {"oneOf": [obj({"t": {"const": 1}, "v": TEXT}), obj({"t": {"const": 2}, "v": INTEGER})]},
        ['{"t": 1, "v": "x"}', '{"t": 2, "v": 2}'],
    ),
    "a tag with a default": (
        {
            "$defs": {
                "Cat": tagged("cat", "n", n=INTEGER),
                "Dog": tagged("dog", n=INTEGER),
            },
            **one_of("Cat", "Dog"),
        },
        ['{"kind": "cat", "n": 1}', '{"kind": "dog"}'],
    ),
    "tags in a circle": (
        {
            "$defs": {
                "Add": tagged("add", "kind", "l", "r", l=EXPRESSION, r=EXPRESSION),
                "Num": tagged("num", "kind", "v", v=INTEGER),
            },
            **EXPRESSION,
        },
        ['{"kind": "add", "l": {"kind": "num", "v": 1}, "r": {"kind": "num", "v": 2}}'],
    ),
    "tags with defaults in a circle": (
        {
            "$defs": {
                "Add": tagged("add", "l", l=EXPRESSION),
                "Num": tagged("num", v=INTEGER),
            },
            **EXPRESSION,
        },
        ['{"kind": "add", "l": {"kind": "num"}}'],
    ),
    "a tag in a base": (
        {
            "$defs": {"Base": {"properties": {"t": TEXT}, "required": ["t"]}},
            "oneOf": [
                {"allOf": [{"$ref": "#/$defs/Base"}, {"properties": {"t": {"enum": [name]}}}]}
                for name in ("a", "b")
            ],
            "type": "object",
        },
        ['{"t": "a"}', '{"t": "b"}'],
    ),
    "a tag of another type": (
        {
            "type": "object",
            "oneOf": [{"properties": {"v": INTEGER}}, {"properties": {"v": TEXT}}],
        },
        ['{"v": 1}', '{"v": "x"}'],
    ),
    "a constant and a pattern": (
        {"oneOf": [{"const": "auto"}, {"type": "string", "pattern": "^[0-9]+px$"}]},
        ['"auto"', '"12px"'],
    ),
    "patterns": (
        {"oneOf": [{**TEXT, "pattern": "^[a-z]+$"}, {**TEXT, "pattern": "^[0-9]+$"}]},
        ['"ab"', '"12"'],
    ),
    "a pattern and a length": (
        {"oneOf": [{**TEXT, "pattern": "^[a-z]{2}$"}, {**TEXT, "minLength": 3}]},
        ['"ab"', '"a12"'],
    ),
    "lengths": (
        {"oneOf": [{**TEXT, "maxLength": 1}, {**TEXT, "minLength": 2}]},
        ['"a"', '"ab"'],
    ),
    "ranges": (
        {"oneOf": [{**INTEGER, "maximum": 3}, {"type": "number", "exclusiveMinimum": 3}]},
        ["3", "3.5"],
    ),
    "types": ({"oneOf": [TEXT, {"type": "array"}, {"type": ["null", "object"]}]}, ["null", "[]"]),
    "items": (
        {"oneOf": [{"type": "array", "items": one, "minItems": 1} for one in (TEXT, INTEGER)]},
        ['["x"]', "[1]"],
    ),
    "a place of a tuple": (
        {
            "type": "array",
            "minItems": 2,
            "oneOf": [{"prefixItems": [{"const": one}]} for one in ("a", "b")],
        },
        ['["a", 1]', '["b", 1]'],
    ),
    "required names": (
        {
            "type": "object",
            "oneOf": [
                {"properties": {"a": INTEGER}, "required": ["a"]},
                {"properties": {"b": INTEGER}, "required": ["b"]},
            ],
        },
        ['{"a": 1}', '{"b": 1}'],
    ),
}
REFUSED: dict[str, Any] = {
    "integers and numbers": {"oneOf": [INTEGER, {"type": "number"}]},
    "patterns": {"oneOf": [{**TEXT, "pattern": "^[a-z]+$"}, {**TEXT, "pattern": "^a"}]},
    # A reader that does not look at formats takes both of any text.
    "formats": {"oneOf": [{**TEXT, "format": "date"}, {**TEXT, "format": "uuid"}]},
    "lists that may be empty": {"oneOf": [{"type": "array", "items": t} for t in (TEXT, INTEGER)]},
    # What was narrowed proves nothing: there is more that the schema means.
    "a format in an option": {
        "oneOf": [
            {"allOf": [{**TEXT, "pattern": "^2", "format": "date"}]},
            {**TEXT, "pattern": "^20-"},
        ]
    },
    "an option that was narrowed": {
        "oneOf": [
            {"oneOf": [tagged("a", n=INTEGER), tagged("b", n=TEXT)], "type": "object"},
            {"type": "object", "properties": {"kind": INTEGER}},
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_options_that_exclude_each_other(name: str, compiler: Compiler, vocab: SmallVocab) -> None:
    schema, texts = TAKEN[name]
    compiled = compiler.compile(Constraint.json_schema(schema))
    assert compiled.loosened == ()
    for text in texts:
        assert valid(text, schema)
        assert accepts(compiled.matcher(), vocab, text), text
    for seed in range(4):
        text = walk(compiled.matcher(), vocab, random.Random(seed), most=1500)
        assert valid(text, schema), text


@pytest.mark.parametrize("name", REFUSED)
def test_options_that_may_overlap(name: str, compiler: Compiler) -> None:
    with pytest.raises(InvalidRequest, match=r"'oneOf' at \$"):
        compiler.compile(Constraint.json_schema(REFUSED[name]))


def test_what_has_no_properties_is_told_apart_by_none(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    schema = {"oneOf": [{"properties": {"v": INTEGER}}, {"properties": {"v": TEXT}}]}
    compiled = compiler.compile(Constraint.json_schema(schema))
    assert accepts(compiled.matcher(), vocab, '{"v": 1}')
    assert not accepts(compiled.matcher(), vocab, "5")  # it is both


def test_the_tag_is_written_though_it_has_a_default(compiler: Compiler, vocab: SmallVocab) -> None:
    schema, _ = TAKEN["a tag with a default"]
    matcher = compiler.compile(Constraint.json_schema(schema)).matcher()
    assert not accepts(matcher, vocab, json.dumps({"n": 1}))
