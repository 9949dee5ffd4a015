"""No keyword passes in silence: each is enforced, or refused with its name and its JSON path."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import jsonschema
import pytest

from mullama.errors import InvalidRequest
from mullama.text.constraint import Compiler
from mullama.types import Constraint
from tests.text.constraint.schemas import TOOLS
from tests.text.constraint.test_walks import valid
from tests.text.constraint.vocabulary import Endless, SmallVocab, accepts, walk

# keyword -> (schema, a text that satisfies it, a text that only this keyword forbids)
CASES: dict[str, tuple[Any, str, str]] = {
    "type": ({"type": "integer"}, "1", '"1"'),
    "enum": ({"enum": [1, "a"]}, '"a"', '"b"'),
    "const": ({"const": {"a": [1]}}, '{"a":[1]}', '{"a":[2]}'),
    "multipleOf": ({"type": "number", "multipleOf": 0.5}, "1.5", "1.2"),
    "maximum": ({"type": "integer", "maximum": 7}, "7", "8"),
    "exclusiveMaximum": ({"type": "integer", "exclusiveMaximum": 7}, "6", "7"),
    "minimum": ({"type": "number", "minimum": -0.5}, "-0.5", "-0.6"),
    "exclusiveMinimum": ({"type": "number", "exclusiveMinimum": 0}, "0.1", "0"),
    "maxLength": ({"type": "string", "maxLength": 2}, '"é日"', '"abc"'),
    "minLength": ({"type": "string", "minLength": 2}, '"é日"', '"a"'),
    "pattern": ({"type": "string", "pattern": "^a|b$"}, '"xb"', '"xbx"'),
    "format": ({"type": "string", "format": "date"}, '"2024-02-29"', '"2023-02-29"'),
    "maxItems": ({"type": "array", "maxItems": 1}, "[1]", "[1,2]"),
    "minItems": ({"type": "array", "minItems": 1}, "[1]", "[]"),
    "uniqueItems": ({"items": {"enum": [1, 2]}, "uniqueItems": True}, "[2,1]", "[1,1]"),
    "prefixItems": ({"prefixItems": [{"type": "null"}]}, "[null]", "[1]"),
    "items": ({"type": "array", "items": {"type": "null"}}, "[null]", "[1]"),
    "contains": ({"type": "array", "contains": {"const": 1}}, "[1]", "[2]"),
    "minContains": ({"contains": True, "minContains": 2}, "[1,1]", "[1]"),
    "maxContains": ({"contains": True, "maxContains": 1}, "[1]", "[1,1]"),
    "unevaluatedItems": (
        {"prefixItems": [{"type": "null"}], "unevaluatedItems": False},
        "[null]",
        "[null,1]",
    ),
    "maxProperties": ({"type": "object", "maxProperties": 1}, '{"a":1}', '{"a":1,"b":1}'),
    "minProperties": ({"type": "object", "minProperties": 1}, '{"a":1}', "{}"),
    "required": ({"type": "object", "required": ["a"]}, '{"a":1}', "{}"),
    "properties": ({"properties": {"a": {"type": "null"}}}, '{"a":null}', '{"a":1}'),
    "patternProperties": (
        {"patternProperties": {"^a": {"type": "null"}}},
        '{"ab":null}',
        '{"ab":1}',
    ),
    "additionalProperties": (
        {"properties": {"a": True}, "additionalProperties": False},
        '{"a":1}',
        '{"b":1}',
    ),
    "propertyNames": (
        {"type": "object", "propertyNames": {"pattern": "^a"}},
        '{"ab":1}',
        '{"b":1}',
    ),
    "unevaluatedProperties": (
        {"properties": {"a": True}, "unevaluatedProperties": False},
        '{"a":1}',
        '{"b":1}',
    ),
    "dependentRequired": (
        {"properties": {"a": {}, "b": {}}, "dependentRequired": {"a": ["b"]}},
        '{"a":1,"b":1}',
        '{"a":1}',
    ),
    "dependentSchemas": (
        {"properties": {"a": {}}, "dependentSchemas": {"a": {"required": ["b"]}}},
        '{"a":1,"b":1}',
        '{"a":1}',
    ),
    "dependencies": (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "properties": {"a": {}, "b": {}},
            "dependencies": {"a": ["b"]},
        },
        '{"a":1,"b":1}',
        '{"a":1}',
    ),
    "additionalItems": (
        {
            "$schema": "http://json-schema.org/draft-07/schema#",
            "items": [{"type": "null"}],
            "additionalItems": False,
        },
        "[null]",
        "[null,1]",
    ),
    "allOf": ({"allOf": [{"minimum": 1}, {"maximum": 2}], "type": "integer"}, "2", "3"),
    "anyOf": ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, "2", '""'),
    "oneOf": ({"type": "integer", "oneOf": [{"minimum": 1}, {"maximum": 5}]}, "6", "3"),
    "not": ({"type": "string", "not": {"enum": ["ab", "b"]}}, '"abc"', '"ab"'),
    "if": (
        {
            "type": "integer",
            "if": {"minimum": 5},
            "then": {"multipleOf": 2},
            "else": {"minimum": 0},
        },
        "6",
        "7",
    ),
    "then": ({"type": "integer", "if": {"minimum": 5}, "then": {"maximum": 6}}, "6", "7"),
    "else": ({"type": "integer", "if": {"minimum": 5}, "else": {"minimum": 0}}, "1", "-1"),
    "$ref": ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}}, "null", "1"),
    "$dynamicRef": (
        {"$dynamicRef": "#a", "$defs": {"a": {"$dynamicAnchor": "a", "type": "null"}}},
        "null",
        "1",
    ),
    "$recursiveRef": (
        {
            "$schema": "https://json-schema.org/draft/2019-09/schema",
            "properties": {"a": {"$recursiveRef": "#"}},
            "additionalProperties": False,
        },
        '{"a":{}}',
        '{"a":{"b":1}}',
    ),
}
REFUSED = {"contains", "$dynamicRef", "$recursiveRef"}
ABOUT_OTHERS = {"minContains", "maxContains", "then", "else"}  # no assertions by themselves


def test_every_keyword_that_asserts_something_has_a_case() -> None:
    known = set(jsonschema.Draft202012Validator.VALIDATORS)
    known |= set(jsonschema.Draft7Validator.VALIDATORS)
    known |= set(jsonschema.Draft201909Validator.VALIDATORS)
    assert known | ABOUT_OTHERS == set(CASES)


@pytest.mark.parametrize("keyword", CASES)
def test_a_keyword_is_enforced_or_refused(
    keyword: str, compiler: Compiler, vocab: SmallVocab
) -> None:
    schema, *texts = CASES[keyword]
    good, bad = (json.dumps(json.loads(text), ensure_ascii=False) for text in texts)  # our spacing
    assert valid(good, schema)
    assert not valid(bad, schema)
    if keyword in REFUSED:
        with pytest.raises(InvalidRequest, match="at \\$") as caught:
            compiler.compile(Constraint.json_schema(schema))
        assert repr(keyword) in caught.value.message
        loose = compiler.compile(Constraint.json_schema(schema, strict=False))
        assert [one for one in loose.loosened if one.endswith(f": {keyword}")]
        assert accepts(loose.matcher(), vocab, good)
    else:
        compiled = compiler.compile(Constraint.json_schema(schema))
        assert accepts(compiled.matcher(), vocab, good)
        assert not accepts(compiled.matcher(), vocab, bad)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("uniqueItems", True),
        ("contains", {"type": "integer"}),
        ("pattern", "(?!a)b"),
        ("pattern", r"\bword\b"),
        ("format", "regex"),
        ("format", "no-such-format"),
        ("not", {"pattern": "a"}),
        ("oneOf", [{"pattern": "a"}, {"pattern": "b"}]),
        ("minProperties", 2),
        ("$ref", "https://example.org/elsewhere.json"),
        ("$ref", "#/nowhere"),
        ("type", "file"),
        ("multipleOf", 0),
        ("multipleOf", 0.123456),
        ("required", True),
        ("enum", "a"),
        ("const", 9007199254740993),
        ("const", "\x1b[0m"),
        ("enum", ["a", {"b": ["\x7f"]}]),
        ("minLength", -1),
        ("minimum", "1"),
        ("propertyNames", {"pattern": "a", "maxLength": 3}),
        ("patternProperties", {"(?=a)b": {}}),
        ("anyOf", []),
    ],
)
def test_what_cannot_be_enforced_is_refused_with_its_path(
    keyword: str, value: Any, compiler: Compiler
) -> None:
    schema = {"properties": {"deep": {"items": {keyword: value}}}}
    with pytest.raises(InvalidRequest) as caught:
        compiler.compile(Constraint.json_schema(schema, param="response_format"))
    assert f"{keyword!r} at $.properties.deep.items " in caught.value.message
    assert caught.value.param == "response_format"
    loose = compiler.compile(Constraint.json_schema(schema, strict=False))
    assert loose.loosened == (f"$.properties.deep.items: {keyword}",)


@pytest.mark.parametrize("code", [*range(0x100), 0x2028, 0xFEFF, 0xFFFF, 0x1F600, 0x10FFFF])
def test_no_character_of_a_constant_or_a_name_is_left_out(
    code: int, compiler: Compiler, vocab: SmallVocab
) -> None:
    word = f"a{chr(code)}b"
    named = {"required": [word], "additionalProperties": {"const": 1}}
    for schema, value, without in (
        ({"const": word}, word, "ab"),
        ({"type": "object", **named}, {word: 1}, {"ab": 1}),
    ):
        try:
            matcher = compiler.compile(Constraint.json_schema(schema)).matcher
        except InvalidRequest:
            assert "const" in schema
            assert code < 0x20 or code == 0x7F
            continue
        assert not accepts(matcher(), vocab, json.dumps(without))
        written = [json.dumps(value, ensure_ascii=ascii) for ascii in (False, True)]
        assert any(accepts(matcher(), vocab, text) for text in written)


def test_an_internationalized_host_has_no_label_that_would_be_punycode(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    compiled = compiler.compile(
        Constraint.json_schema({"type": "string", "format": "idn-hostname"})
    )
    for good in ("a", "ab", "a-b", "a--b", "a-b-c", "abc-d", "ab-c--d.a1-b2", f"{'a' * 63}.b"):
        assert accepts(compiled.matcher(), vocab, f'"{good}"'), good
    for bad in ("xn--x", "ab--c", "a.XN--aa---o47jg78q", "-a", "a-", "ab-", "a..b", "a" * 64):
        assert not accepts(compiled.matcher(), vocab, f'"{bad}"'), bad


def test_an_id_beside_a_reference_counts_in_newer_drafts_only(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    schema = {
        "$id": "http://localhost/base/",
        "type": "array",
        "items": {"$id": "http://localhost/other/", "$ref": "a.json"},
        "definitions": {
            "one": {"$id": "http://localhost/base/a.json", "const": 1},
            "two": {"$id": "http://localhost/other/a.json", "const": 2},
        },
    }
    old = {"$schema": "http://json-schema.org/draft-07/schema#", **schema}
    for given, meant in ((schema, "[2]"), (old, "[1]")):
        compiled = compiler.compile(Constraint.json_schema(given))
        assert [accepts(compiled.matcher(), vocab, text) for text in ("[1]", "[2]")] == [
            text == meant for text in ("[1]", "[2]")
        ]


def test_an_id_beside_a_reference_in_older_drafts_is_none_for_its_siblings_either(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "http://localhost/base/",
        "properties": {
            "a": {
                "$id": "http://localhost/other/",
                "$ref": "list.json",
                "items": {"$ref": "x.json"},
            }
        },
        "definitions": {
            "list": {"$id": "http://localhost/base/list.json", "type": "array"},
            "one": {"$id": "http://localhost/base/x.json", "const": 1},
            "two": {"$id": "http://localhost/other/x.json", "const": 2},
        },
    }
    compiled = compiler.compile(Constraint.json_schema(schema))
    assert accepts(compiled.matcher(), vocab, '{"a": [1]}')
    assert not accepts(compiled.matcher(), vocab, '{"a": [2]}')


def test_what_stands_beside_a_reference_in_older_drafts_holds_but_is_not_negated(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    both = {"$ref": "#/definitions/text", "maxLength": 2}
    old = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"text": {"type": "string"}},
    }
    compiled = compiler.compile(Constraint.json_schema({**old, "properties": {"a": both}}))
    assert accepts(compiled.matcher(), vocab, '{"a": "bc"}')
    assert not accepts(compiled.matcher(), vocab, '{"a": "bcd"}')
    with pytest.raises(InvalidRequest, match="'not'"):  # "bcd" is a text, and so excluded there
        compiler.compile(Constraint.json_schema({**old, "not": both, "type": "string"}))


MUTATIONS: list[dict[str, Any]] = [
    {"minimum": 3},
    {"exclusiveMaximum": 2.5},
    {"multipleOf": 3},
    {"maxLength": 3},
    {"minLength": 2},
    {"pattern": "^[a-z0-9/]+$"},
    {"format": "ipv4"},
    {"minItems": 2},
    {"maxItems": 1},
    {"items": {"type": "string"}},
    {"prefixItems": [{"type": "integer"}]},
    {"uniqueItems": True},
    {"contains": {"type": "integer"}},
    {"required": ["added"]},
    {"minProperties": 2},
    {"maxProperties": 2},
    {"propertyNames": {"maxLength": 5}},
    {"propertyNames": {"enum": ["path", "op", "kind", "added"]}},
    {"patternProperties": {"^added": {"type": "boolean"}}},
    {"additionalProperties": {"type": "integer"}},
    {"unevaluatedProperties": False},
    {"dependentRequired": {"path": ["added"]}},
    {"dependentSchemas": {"kind": {"minProperties": 2}}},
    {"enum": ["a", 4, None, {"added": 1}]},
    {"const": "abc"},
    {"anyOf": [{"type": "string", "maxLength": 2}, {"minimum": 4}]},
    {"oneOf": [{"type": "string"}, {"type": ["integer", "object", "array"]}]},
    {"oneOf": [{"minLength": 2}, {"maxLength": 3}]},
    {"allOf": [{"maximum": 30}, {"minLength": 1}]},
    {"not": {"const": "a"}},
    {"not": {"type": ["null", "boolean"]}},
    {"not": {"required": ["path"]}},
    {"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"minimum": 2}},
]


def places(schema: Any) -> Iterator[dict[str, Any]]:
    """All schemas in a schema, itself first."""
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword, value in schema.items():
        if keyword in ("properties", "$defs", "definitions"):
            for inner in value.values():
                yield from places(inner)
        elif keyword in ("items", "additionalProperties", "anyOf", "oneOf", "prefixItems"):
            for inner in value if isinstance(value, list) else [value]:
                yield from places(inner)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=json.dumps)
def test_a_keyword_added_anywhere_is_enforced_or_refused(
    mutation: dict[str, Any], compiler: Compiler, vocab: SmallVocab
) -> None:
    rng = random.Random(json.dumps(mutation))
    n_enforced = 0
    for name in ("edit a file", "shapes", "a tree", "labels"):
        for i in range(len(list(places(TOOLS[name])))):
            schema = copy.deepcopy(TOOLS[name])
            list(places(schema))[i].update(copy.deepcopy(mutation))
            try:
                compiled = compiler.compile(Constraint.json_schema(schema))
            except InvalidRequest:
                continue  # its words are tested above
            with suppress(Endless):
                text = walk(compiled.matcher(), vocab, rng, most=600)
                assert valid(text, schema), (text, schema)
                n_enforced += 1
    assert n_enforced or "contains" in mutation


def _in_all_of(schema: Any) -> Any:
    return {"allOf": [{"description": "said in words"}, schema]}


# How a schema may stand in another, and how a text that it judges then stands in the whole.
CONTEXTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a property": (
        lambda s: {"type": "object", "properties": {"p": s}, "required": ["p"]},
        '{{"p": {}}}',
    ),
    "an optional property": (
        lambda s: {"type": "object", "properties": {"p": s}, "additionalProperties": False},
        '{{"p": {}}}',
    ),
    "additional properties": (
        lambda s: {"type": "object", "additionalProperties": s},
        '{{"p": {}}}',
    ),
    "pattern properties": (
        lambda s: {"type": "object", "patternProperties": {"^p": s}},
        '{{"p": {}}}',
    ),
    "items": (lambda s: {"type": "array", "items": s, "minItems": 1}, "[{}]"),
    "a place of a tuple": (
        lambda s: {"type": "array", "prefixItems": [{"const": 0}, s], "minItems": 2},
        "[0, {}]",
    ),
    "allOf": (_in_all_of, "{}"),
    "anyOf": (lambda s: {"anyOf": [{"const": "another"}, s]}, "{}"),
    "oneOf": (lambda s: {"oneOf": [{"const": "another"}, s]}, "{}"),
    "then": (lambda s: {"if": True, "then": s}, "{}"),
    "not not": (lambda s: {"not": {"not": s}}, "{}"),
    "a reference": (lambda s: {"$ref": "#/$defs/there", "$defs": {"there": s}}, "{}"),
    "a reference beside others": (
        lambda s: {
            "properties": {"q": True},
            "$ref": "#/$defs/a~1b",
            "$defs": {"a/b": {"allOf": [s]}},
        },
        "{}",
    ),
}
ABOUT_THE_ROOT = {"$ref", "$dynamicRef", "$recursiveRef"}  # they point into the whole document


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_keyword_is_enforced_or_refused_wherever_it_stands(
    context: str, compiler: Compiler, vocab: SmallVocab
) -> None:
    wrap, whole = CONTEXTS[context]
    n_enforced = 0
    for keyword in CASES.keys() - REFUSED - ABOUT_THE_ROOT:
        schema, *texts = CASES[keyword]
        draft = {"$schema": schema["$schema"]} if "$schema" in schema else {}
        outer = {**draft, **wrap({key: schema[key] for key in schema if key != "$schema"})}
        good, bad = (
            whole.format(json.dumps(json.loads(text), ensure_ascii=False)) for text in texts
        )
        try:
            compiled = compiler.compile(Constraint.json_schema(outer))
        except InvalidRequest as error:
            assert " at $" in error.message, (keyword, error.message)  # noqa: PT017
            continue
        n_enforced += 1
        assert valid(bad, outer) or not accepts(compiled.matcher(), vocab, bad), (keyword, bad)
        assert accepts(compiled.matcher(), vocab, good), (keyword, good)
    assert n_enforced > 5
