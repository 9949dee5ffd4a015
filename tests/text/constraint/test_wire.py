"""The fields that ask for constraints: every spelling, and what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.text.constraint.wire import from_fields
from mullama.types import Constraint, ConstraintKind

SCHEMA = {"type": "object", "properties": {"b": {}, "a": {}}}
GBNF, LARK = 'root ::= "a"', 'start: "a"'


@pytest.mark.parametrize(
    "fields",
    [
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": SCHEMA},
            }
        },
        {"response_format": {"type": "json_schema", "name": "x", "schema": SCHEMA, "strict": True}},
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        {"response_format": {"type": "json", "value": SCHEMA}},
        {"structured_outputs": {"json": SCHEMA, "disable_any_whitespace": True}},
        {"structured_outputs": {"json": json.dumps(SCHEMA), "regex": None}},
        {"guided_json": SCHEMA},
        {"guided_json": json.dumps(SCHEMA), "response_format": {"type": "text"}},
        {"json_schema": SCHEMA},
        {"format": SCHEMA},
    ],
    ids=str,
)
def test_a_schema_keeps_its_order_and_is_strict(fields: dict[str, Any]) -> None:
    found = from_fields(fields)
    assert found == Constraint(ConstraintKind.JSON_SCHEMA, json.dumps(SCHEMA), strict=True)
    assert found.param.split(".")[0] in fields


@pytest.mark.parametrize(
    ("fields", "kind", "source"),
    [
        ({"response_format": {"type": "json_object"}}, ConstraintKind.JSON_OBJECT, ""),
        ({"structured_outputs": {"json_object": True}}, ConstraintKind.JSON_OBJECT, ""),
        ({"format": "json"}, ConstraintKind.JSON_OBJECT, ""),
        ({"guided_regex": "a+"}, ConstraintKind.REGEX, "a+"),
        ({"structured_outputs": {"regex": "a+"}}, ConstraintKind.REGEX, "a+"),
        ({"response_format": {"type": "regex", "pattern": "a+"}}, ConstraintKind.REGEX, "a+"),
        ({"guided_choice": ["a", "b"]}, ConstraintKind.CHOICE, '["a", "b"]'),
        ({"structured_outputs": {"choice": ["é"]}}, ConstraintKind.CHOICE, '["\\u00e9"]'),
        ({"grammar": GBNF}, ConstraintKind.GBNF, GBNF),
        ({"structured_outputs": {"grammar": GBNF}}, ConstraintKind.GBNF, GBNF),
        ({"structured_outputs": {"grammar": LARK}}, ConstraintKind.LARK, LARK),
        ({"guided_grammar": LARK}, ConstraintKind.LARK, LARK),
        ({"response_format": {"type": "grammar", "grammar": GBNF}}, ConstraintKind.GBNF, GBNF),
    ],
    ids=str,
)
def test_every_kind_has_its_spellings(
    fields: dict[str, Any], kind: ConstraintKind, source: str
) -> None:
    assert from_fields(fields) == Constraint(kind, source)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"temperature": 1},
        {"response_format": None},
        {"response_format": {"type": "text"}},
        {"structured_outputs": {}},
        {"structured_outputs": {"json_object": False}},
        {"grammar": ""},
        {"format": ""},
    ],
    ids=str,
)
def test_no_constraint(fields: dict[str, Any]) -> None:
    assert from_fields(fields) is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
        ),
        ({"response_format": {"type": "json_schema", "schema": [1]}}, "response_format"),
        ({"guided_json": "{"}, "guided_json"),
        ({"guided_json": "[" * 100_000}, "guided_json"),
        ({"guided_regex": 1}, "guided_regex"),
        ({"guided_choice": "a"}, "guided_choice"),
        ({"guided_choice": []}, "guided_choice"),
        ({"guided_choice": ["a"] * 10_001}, "guided_choice"),
        ({"grammar": ["a"]}, "grammar"),
        ({"structured_outputs": []}, "structured_outputs"),
        ({"structured_outputs": {"json": {}, "regex": "a"}}, "structured_outputs"),
        ({"structured_outputs": {"json_object": 1}}, "structured_outputs.json_object"),
        ({"structured_outputs": {"structural_tag": "{}"}}, "structured_outputs.structural_tag"),
        (
            {"structured_outputs": {"json": {}, "whitespace_pattern": " "}},
            "structured_outputs.whitespace_pattern",
        ),
        ({"grammar": GBNF, "guided_regex": "a"}, "grammar"),
        ({"response_format": {"type": "json_object"}, "guided_choice": ["a"]}, "guided_choice"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        from_fields(fields)
    assert caught.value.param == param
