"""Schemas of every keyword by chance: what is written is valid, what is valid can be written."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from itertools import permutations
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
TOO_DEEP = "The schema's references and conditions are nested too deep."

VOCAB = SmallVocab()
COMPILER = Compiler(VOCAB)


def compiled(schema: Any) -> Compiled | None:
    """None if it is refused, which must name the place, where there is one."""
    try:
        return COMPILER.compile(Constraint.json_schema(schema, param="response_format"))
    except InvalidRequest as error:
        assert " at $" in error.message or error.message == TOO_DEEP  # noqa: PT017
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
        assert any(
            accepts(found.matcher(), VOCAB, json.dumps(same, ensure_ascii=False))
            for same in as_written(value)
        )
    except InvalidRequest:  # it grows too complex
        return


def as_written(value: Any) -> Iterator[Any]:
    """The value, with the names of its objects in every order, since a schema has one of its own,
    and whole numbers without a fraction."""
    for names in permutations(fuzz.MORE_NAMES):
        yield _as_written(value, names)


def _as_written(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {name: _as_written(value[name], names) for name in names if name in value}
    if isinstance(value, list):
        return [_as_written(one, names) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


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
        {
            "$schema": fuzz.OLD,
            "definitions": {"a": {"maxItems": 9}},
            "oneOf": [{"$ref": "#/definitions/a", "const": None}, {"enum": [False]}],
        },
        {
            "$schema": fuzz.OLD,
            "definitions": {"a": {"maxItems": 9}},
            "not": {"$ref": "#/definitions/a", "allOf": [{"not": True}]},
        },
        {"not": {"dependencies": {"a": []}, "allOf": [{"not": True}]}},
    ],
    ids=json.dumps,
)
def test_nothing_follows_from_keywords_of_another_draft(schema: Any) -> None:
    check_walks(schema, 0)
