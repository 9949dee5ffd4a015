"""Answers held to a schema, a pattern or a grammar, through the official SDK and the tiny model."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import jsonschema
import openai
import pytest
import requests
from pydantic import BaseModel

from recipes.tiny.cases import Case, held_out_cases
from tests.wire.conftest import REAL

pytestmark = REAL

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
ASK: list[Any] = [
    {"role": "user", "content": "Extract the name and age as JSON: Helena is 85 years old."}
]


class Person(BaseModel):
    name: str
    city: Literal["Paris", "Rome"]
    likes_tea: bool


@pytest.fixture
def client(live_server: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{live_server.url}/v1", api_key="none", max_retries=0)


@pytest.mark.parametrize("temperature", [0.0, 1.2])
@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_is_satisfied(client: openai.OpenAI, temperature: float, stream: bool) -> None:
    asked: dict[str, Any] = {
        "model": "default",
        "messages": ASK,
        "temperature": temperature,
        "seed": 3,
        "max_tokens": 300,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "person", "strict": True, "schema": SCHEMA},
        },
    }
    if stream:
        chunks = list(client.chat.completions.create(**asked, stream=True))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        reason = next(c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason)
    else:
        choice = client.chat.completions.create(**asked).choices[0]
        text, reason = choice.message.content or "", choice.finish_reason
    assert reason == "stop"
    jsonschema.validate(json.loads(text), SCHEMA)


def test_fields_of_unseen_sentences_are_valid_however_hot(client: openai.OpenAI) -> None:
    cases = held_out_cases("extract", 40)
    schemas = [_schema(json.loads(case.expected)) for case in cases]

    def asked(case: Case, schema: dict[str, Any]) -> Any:
        return client.chat.completions.create(
            model="default",
            messages=list(case.messages),  # type: ignore[arg-type]
            temperature=1.2,
            seed=1,
            max_tokens=400,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "fields", "strict": True, "schema": schema},
            },
        ).choices[0]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(asked, cases, schemas))
    for schema, choice in zip(schemas, answers, strict=True):
        assert choice.finish_reason == "stop"
        jsonschema.validate(json.loads(choice.message.content or ""), schema)


def _schema(of: dict[str, Any]) -> dict[str, Any]:
    kinds = {int: "integer", str: "string"}
    return {
        "type": "object",
        "properties": {name: {"type": kinds[type(value)]} for name, value in of.items()},
        "required": list(of),
        "additionalProperties": False,
    }


@pytest.mark.parametrize("shape", ["json_object", "json_schema"])
def test_a_right_answer_is_the_same_with_a_constraint(client: openai.OpenAI, shape: str) -> None:
    """Compact JSON was noise from a model that writes spaces: `{"name":"]} ","age":85}`."""
    fields = {"name": {"type": "string"}, "age": {"type": "integer"}}
    schema = {"type": "object", "properties": fields, "required": ["name", "age"]}
    asked: dict[str, Any] = {
        "model": "default",
        "messages": [
            {"role": "user", "content": "Extract the name and age as JSON from: Helena is 85."}
        ],
        "temperature": 0,
        "max_tokens": 60,
    }
    free = client.chat.completions.create(**asked).choices[0].message.content
    held: Any = {"type": shape, "schema": schema if shape == "json_schema" else None}
    assert (
        client.chat.completions.create(**asked, response_format=held).choices[0].message.content
        == free
    )
    assert json.loads(free or "") == {"name": "Helena", "age": 85}


def test_parse_gives_the_pydantic_model(client: openai.OpenAI) -> None:
    answer = client.chat.completions.parse(
        model="default", messages=ASK, response_format=Person, max_tokens=300, temperature=0
    )
    assert isinstance(answer.choices[0].message.parsed, Person)


def test_a_cut_answer_says_so(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="default", messages=ASK, max_tokens=3, response_format={"type": "json_object"}
    )
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    ("fields", "pattern"),
    [
        ({"structured_outputs": {"choice": ["yes", "no"]}}, "yes|no"),
        ({"structured_outputs": {"regex": "[0-9]{3}-[a-f]{4}"}}, "[0-9]{3}-[a-f]{4}"),
        ({"guided_regex": "x{1,9}y"}, "x{1,9}y"),
        ({"guided_choice": ["left", "right"]}, "left|right"),
        ({"grammar": 'root ::= "a" [b-d]+ "e"'}, "a[b-d]+e"),
        ({"structured_outputs": {"grammar": 'start: "a" /[0-9]{2}/ "b"'}}, "a[0-9]{2}b"),
    ],
)
def test_every_answer_matches_what_was_asked(
    client: openai.OpenAI, fields: dict[str, Any], pattern: str
) -> None:
    answer = client.completions.create(
        model="default", prompt="One, two", max_tokens=200, n=3, seed=1, extra_body=fields
    )
    for choice in answer.choices:
        if choice.finish_reason == "stop":
            assert re.fullmatch(pattern, choice.text, re.DOTALL), choice.text
    assert any(choice.finish_reason == "stop" for choice in answer.choices)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"grammar": 'root ::= "a" b'}, "grammar"),
        ({"guided_regex": "a("}, "guided_regex"),
        ({"structured_outputs": {"choice": []}}, "structured_outputs.choice"),
        ({"guided_regex": "a", "guided_choice": ["a"]}, "guided_choice"),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_name(
    client: openai.OpenAI, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="default", prompt="x", extra_body=fields)
    assert caught.value.param in (param, "guided_regex")


HOSTILE: dict[str, dict[str, Any]] = {
    "a repetition of repetitions": {"guided_regex": "(((a{1,999}){1,999}){1,999}){1,999}"},
    "an automaton of 2**30 states": {
        "json_schema": {"type": "string", "minLength": 100_000, "pattern": "^(a|b)*a(a|b){30}$"}
    },
    "an endless recursion": {"grammar": 'root ::= "(" root ")"'},
    "a rule that is itself": {"grammar": 'root ::= root "a"'},
    "a language without texts": {"guided_regex": "^(?=b)a$"},
    "a thousand levels": {"grammar": "root ::= " + "(" * 1000 + '"a"' + ")" * 1000},
    "a tree of rules": {
        "grammar": "root ::= r0\n"
        + "\n".join(f"r{i} ::= r{i + 1} r{i + 1}" for i in range(40))
        + '\nr40 ::= "x"'
    },
    "nested schemas": {"json_schema": json.loads('{"items":' * 100 + "{}" + "}" * 100)},
    "a schema that wants itself": {
        "json_schema": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}}
    },
    "many exclusive options": {
        "json_schema": {"oneOf": [{"pattern": f"a{i}"} for i in range(200)], "type": "string"}
    },
    "Lark that is none": {"structured_outputs": {"grammar": 'start: "a" ('}},
}


def test_hostile_constraints_are_refused_and_the_model_goes_on(client: openai.OpenAI) -> None:
    for name, fields in HOSTILE.items():
        with pytest.raises(openai.BadRequestError) as caught:
            client.completions.create(model="default", prompt="x", extra_body=fields)
        assert caught.value.param == next(iter(fields)) or "." in (caught.value.param or ""), name
    answer = client.completions.create(
        model="default", prompt="x", max_tokens=9, extra_body={"guided_choice": ["yes"]}
    )
    assert answer.choices[0].text == "yes"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"grammar": 'root ::= "a"\n  | foo'}, "line 2, column 5, the rule 'foo'"),
        ({"guided_grammar": 'start: "a" foo\n'}, "line 1, column 8, unknown name"),
        ({"guided_regex": "ab("}, "at character 4"),
    ],
)
def test_what_is_wrong_in_a_grammar_has_its_place(
    client: openai.OpenAI, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.completions.create(model="default", prompt="x", extra_body=fields)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("fields", "pattern"),
    [
        ({"guided_regex": "(?i)straße|no"}, "(?i)straße|no"),
        ({"guided_regex": "[α-ω]{2}日本"}, "[α-ω]{2}日本"),
        ({"guided_choice": ["日本", "é\n"]}, "日本|é\n"),
        ({"grammar": 'root ::= root "+" [0-9] | [0-9]'}, r"[0-9](\+[0-9])*"),
        ({"guided_grammar": 'start: "ja"i /[äöü]{1,3}/\n'}, "(?i:ja)[äöü]{1,3}"),
    ],
)
def test_other_letters_and_flags(
    client: openai.OpenAI, fields: dict[str, Any], pattern: str
) -> None:
    answer = client.completions.create(
        model="default", prompt="One, two", max_tokens=60, extra_body=fields, seed=2
    ).choices[0]
    if answer.finish_reason == "stop":
        assert re.fullmatch(pattern, answer.text)
    else:
        assert answer.text


def test_a_number_ends_though_the_model_would_go_on(client: openai.OpenAI) -> None:
    answer = client.completions.create(
        model="default",
        prompt="9" * 20,
        max_tokens=60,
        temperature=0,
        logit_bias={str(token): 20 for token in nines(client)},
        extra_body={"json_schema": {"type": "integer"}},
    ).choices[0]
    assert answer.finish_reason == "stop"
    assert 0 < int(answer.text) < 2**63


def nines(client: openai.OpenAI) -> list[int]:
    """The tokens of a nine and of several."""
    url = str(client.base_url).removesuffix("/v1/")
    return [
        token
        for text in ("9", "99", "999")
        for token in requests.post(f"{url}/tokenize", json={"content": text}).json()["tokens"][-1:]
    ]


def test_a_keyword_that_cannot_be_enforced_is_refused_with_its_path(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"a": {"$dynamicRef": "#x"}}}
    with pytest.raises(openai.BadRequestError, match=r"dynamicRef"):
        client.chat.completions.create(
            model="default",
            messages=ASK,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": schema},
            },
        )
