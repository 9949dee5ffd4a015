"""Schemas of every keyword by chance: what is written is valid, what is valid can be written."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mullama.errors import InvalidRequest
from mullama.text.constraint import Compiled, Compiler
from mullama.types import Constraint
from tests.text.constraint import fuzz
from tests.text.constraint.test_walks import valid
from tests.text.constraint.vocabulary import Endless, SmallVocab, accepts, walk

N_EXAMPLES = 40

VOCAB = SmallVocab()
COMPILER = Compiler(VOCAB)


def compiled(schema: Any) -> Compiled | None:
    """None if it is refused, which must name the place."""
    try:
        return COMPILER.compile(Constraint.json_schema(schema, param="response_format"))
    except InvalidRequest as error:
        assert " at $" in error.message  # noqa: PT017
        assert error.param == "response_format"  # noqa: PT017
        return None


def check_walks(schema: Any, seed: int) -> None:
    found = compiled(schema)
    for n in range(3 if found else 0):
        try:
            text = walk(found.matcher(), VOCAB, random.Random(seed + n))
        except (Endless, InvalidRequest):  # it ends its own request
            continue
        assert valid(text, schema), text


@settings(max_examples=N_EXAMPLES)
@given(fuzz.schemas(), st.integers(0, 999))
def test_what_is_written_is_valid(schema: Any, seed: int) -> None:
    check_walks(schema, seed)


@settings(max_examples=N_EXAMPLES)
@given(fuzz.schemas(old=True), st.integers(0, 999))
def test_what_is_written_is_valid_in_older_drafts(schema: Any, seed: int) -> None:
    check_walks(schema, seed)


def check_value(schema: Any, value: Any) -> None:
    found = compiled(schema)
    if found is None or not jsonschema.Draft202012Validator(schema).is_valid(value):
        return
    try:
        assert accepts(found.matcher(), VOCAB, json.dumps(value, ensure_ascii=False))
    except InvalidRequest:  # it grows too complex
        return


@settings(max_examples=N_EXAMPLES)
@given(fuzz.schemas(exact=True), fuzz.values())
def test_what_is_valid_can_be_written(schema: Any, value: Any) -> None:
    check_value(schema, value)


@pytest.mark.parametrize(
    "nothing",
    [
        [],
        True,
        {},
        {"title": "x"},
        {"minLength": 3},  # of texts, and so of no object
        {"properties": {"a": {}}},
        {"anyOf": [{"required": ["c"]}, {}]},
        {"$ref": "#/$defs/any"},
    ],
    ids=json.dumps,
)
def test_a_dependency_that_demands_nothing_names_nothing(nothing: Any) -> None:
    keyword = "dependentRequired" if nothing == [] else "dependentSchemas"
    found = compiled({keyword: {"b": nothing}, "$defs": {"any": True}})
    assert found
    assert accepts(found.matcher(), VOCAB, '{"a": null, "b": null}')


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {"dependencies": {"a": ["b"]}}, "type": "object"},
        {"not": {"items": {}, "additionalItems": False}, "type": "array"},
        {"$schema": fuzz.OLD, "not": {"prefixItems": [False]}, "type": "array"},
        {
            "$schema": fuzz.OLD,
            "definitions": {"a": {"minimum": 1}},
            "not": {"$ref": "#/definitions/a", "minimum": 3},
        },
    ],
    ids=json.dumps,
)
def test_nothing_follows_from_keywords_of_another_draft(schema: Any) -> None:
    check_walks(schema, 0)
