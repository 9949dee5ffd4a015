"""Equal parts of a schema are written once, and mean the same."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.text.constraint import Compiler
from mullama.text.constraint.sharing import shared
from mullama.types import Constraint
from tests.text.constraint.schemas import TOOLS, generated, obj
from tests.text.constraint.vocabulary import Endless, SmallVocab, accepts, walk

AGE = {"type": "integer", "minimum": 0, "maximum": 150}


def test_equal_parts_become_one_definition() -> None:
    made = shared(obj({"a": AGE, "b": {"type": "array", "items": AGE}, "c": {"type": "string"}}))
    assert isinstance(made, dict)
    (name,) = made["$defs"]
    assert made["$defs"] == {name: AGE}
    assert (
        made["properties"]["a"] == made["properties"]["b"]["items"] == {"$ref": f"#/$defs/{name}"}
    )
    assert list(made["properties"]) == ["a", "b", "c"]


def test_sixty_equal_properties_have_one_body() -> None:
    person = obj({"name": {"type": "string", "maxLength": 9}, "age": AGE})
    made = shared(obj({f"p{i}": person for i in range(60)}))
    assert json.dumps(made).count('"maximum"') == 1


@pytest.mark.parametrize(
    "schema",
    [
        obj({"a": AGE, "b": {**AGE, "minimum": 1}}),
        obj({"a": {"enum": [1]}, "b": {"enum": [True]}, "c": {"enum": ["1"]}}),
        obj({"a": {"type": "boolean"}, "b": {"type": "boolean"}, "c": True, "d": True}),
        # One automaton is made of both; and what refers to itself can't be merged.
        {"anyOf": [{"type": "string", "pattern": "a"}, {"type": "null"}]},
        {"allOf": [AGE, {"multipleOf": 2}], "anyOf": [AGE, {"type": "null"}]},
        obj({"a": {"$ref": "#/$defs/n"}, "b": {"$ref": "#/$defs/n"}}, **{"$defs": {"n": AGE}}),
        True,
    ],
    ids=json.dumps,
)
def test_what_differs_or_would_cost_more_stays(schema: Any) -> None:
    assert shared(schema) == schema


def test_properties_in_another_order_are_another_schema() -> None:
    one, other = obj({"x": AGE, "y": {}}), obj({"y": {}, "x": AGE})
    made = shared(obj({"a": one, "b": other}))
    assert isinstance(made, dict)
    assert [list(made["properties"][name]["properties"]) for name in "ab"] == [
        ["x", "y"],
        ["y", "x"],
    ]


def test_a_schema_that_nothing_satisfies_may_stand_twice() -> None:
    never = {"type": "integer", "minimum": 5, "maximum": 3}
    schema = {"type": "object", "properties": {"a": never, "b": never, "c": AGE}}
    vocab = SmallVocab()
    compiled = Compiler(vocab).compile(Constraint.json_schema(schema))
    assert accepts(compiled.matcher(), vocab, '{"c": 1}')
    assert not accepts(compiled.matcher(), vocab, '{"a": 4}')


def test_schemas_mean_the_same_with_their_parts_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    vocab = SmallVocab()
    sharing = Compiler(vocab)
    plain = Compiler(vocab)
    n_compared = 0
    for seed, schema in enumerate([*TOOLS.values(), *generated(20)]):
        constraint = Constraint.json_schema({"type": "array", "prefixItems": [schema, schema]})
        with monkeypatch.context() as patched:
            patched.setattr("mullama.text.constraint.grammar.shared", lambda schema: schema)
            try:
                expected = plain.compile(constraint)
            except InvalidRequest:
                with pytest.raises(InvalidRequest):
                    sharing.compile(constraint)
                continue
        found = sharing.compile(constraint)
        for one, other in ((found, expected), (expected, found)):
            try:
                text = walk(one.matcher(), vocab, random.Random(seed), most=300)
            except Endless:
                continue
            assert accepts(other.matcher(), vocab, text)
            n_compared += 1
    assert n_compared > 40
