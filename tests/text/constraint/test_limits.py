"""What is hostile is refused, or ends its own request; nothing takes long, nothing crashes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.text.constraint import Compiler
from mullama.types import Constraint, ConstraintKind, Matcher

LARK, GBNF, REGEX = ConstraintKind.LARK, ConstraintKind.GBNF, ConstraintKind.REGEX


def schema(value: Any) -> Constraint:
    text = value if isinstance(value, str) else json.dumps(value)
    return Constraint(ConstraintKind.JSON_SCHEMA, text)


def nested(n: int, wrap: Callable[[Any], Any], inner: Any) -> Any:
    for _ in range(n):
        inner = wrap(inner)
    return inner


def chain(n: int, wrap: Callable[[Any], Any]) -> dict[str, Any]:
    """Definitions of which each refers to the next."""
    links = {f"d{i}": wrap({"$ref": f"#/$defs/d{i + 1}"}) for i in range(n)}
    return {"$ref": "#/$defs/d0", "$defs": {**links, f"d{n}": {"type": "string"}}}


REFUSED = {
    "nested text": schema('{"items":' * 90_000 + "1" + "}" * 90_000),
    "nested schemas": schema(nested(60, lambda s: {"items": s}, {})),
    "nested values": schema('{"const":' + "[" * 500 + "]" * 500 + "}"),
    "a long schema": schema({"description": "x" * 2_000_000}),
    "many properties": schema({"properties": {f"p{i}": {} for i in range(501)}}),
    "many values": schema({"enum": list(range(50_001))}),
    "many objects": schema({"enum": [{"a": i} for i in range(2_000)]}),
    "a large divisor": schema({"multipleOf": 65_521}),
    "many divisors": schema({"allOf": [{"multipleOf": n} for n in (97, 89, 83)]}),
    "an automaton of 2**30 states": schema(
        {"type": "string", "minLength": 100_000, "pattern": "^(a|b)*a(a|b){30}$"}
    ),
    "oneOf within oneOf": schema(
        nested(5, lambda s: {"oneOf": [{"minimum": 1, "allOf": [s]}, {"maximum": 5, "allOf": [s]}]},
               {"minimum": 0})
    ),
    "not within not": schema(
        nested(30, lambda s: {"not": s}, {"required": ["a"], "properties": {"b": {"const": 1}}})
    ),
    "conditions along references": schema(
        chain(300, lambda r: {"oneOf": [r, {"type": "integer"}, {"minimum": 1}]})
    ),
    "recursion without an end": schema(
        {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}}
    ),
    "a circle": schema({"$ref": "#"}),
    "a child that always needs a child": schema(
        {"required": ["a", "b"], "type": "object", "properties": {"a": {}, "b": {"$ref": "#"}}}
    ),
    "a list of lists without an end": schema(
        {"type": "array", "items": {"$ref": "#"}, "minItems": 1}
    ),
    "false": schema(False),
    "remote schemas": schema({"$ref": "https://example.org/x.json"}),
    "a long grammar": Constraint(LARK, "start: " + '"a" ' * 100_000),
    "Lark that is none": Constraint(LARK, "start: ("),
    "nothing": Constraint(LARK, ""),
    "JSON in place of Lark": Constraint(
        LARK, '{"grammars": [{"json_schema": {"not": {}, "x-guidance": {"lenient": true}}}]}'
    ),
    "a schema behind a comment": Constraint(LARK, "start: a\na: %json // x\n {}"),
    "half a character": Constraint(LARK, 'start: "\ud800"'),
    "half a character in a schema": schema({"const": "\ud800"}),
    "half a character in a choice": Constraint.choice(["\ud800"]),
    "400 digits": schema({"type": "integer", "const": 10**400}),
    "more than infinity": schema('{"minimum": 1e999}'),
    "broken JSON in Lark": Constraint(LARK, "start: a\na: %json {"),
    "a regular expression of 10**12": Constraint(REGEX, "((((a{1,999}){1,999}){1,999}){1,999})"),
    "many optional classes": Constraint(
        GBNF, 'root ::= "(" root ")" | ' + " ".join(f"[\\U{0x10000 + i:08x}]*" for i in range(999))
    ),
    "many recursive options": Constraint(
        GBNF, "root ::= " + " | ".join(f'"w{i}" root' for i in range(2_000))
    ),
    "many recursive rules": Constraint(
        GBNF, "root ::= a0\n" + "\n".join(f'a{i} ::= a{i + 1} | "x" root' for i in range(2_000))
        + '\na2000 ::= "x"'
    ),
}  # fmt: skip

TAKEN = {
    "a long chain of references": schema(chain(1_500, lambda r: {"anyOf": [r, {"type": "null"}]})),
    "a deep chain of objects": schema(
        chain(1_500, lambda r: {"type": "object", "properties": {"a": r}, "required": ["a"]})
    ),
    "a long chain of rules": Constraint(
        LARK, "start: a0\n" + "\n".join(f'a{i}: "x" a{i + 1} | "y"' for i in range(4_000))
        + '\na4000: "z"'
    ),
    "large numbers": schema({"maximum": 10**400, "minimum": -(10**400), "type": "number"}),
    "large sizes": schema({"maxItems": 10**9, "maxLength": 10**12, "maxProperties": 10**15}),
    "5,000 values": schema({"enum": [f"value {i}" for i in range(5_000)]}),
    "10,000 choices": Constraint.choice([f"choice {i}" for i in range(10_000)]),
    "a word list in a recursion": Constraint(
        GBNF, 'root ::= "(" root ")" | ' + " | ".join(f'"word {i}"' for i in range(1_000))
    ),
    "an ambiguous grammar": Constraint(GBNF, 'root ::= root root root | "a" | ""'),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_too_much_is_refused(name: str, compiler: Compiler) -> None:
    with pytest.raises(InvalidRequest):
        compiler.compile(REFUSED[name])


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_only_large_is_taken(name: str, compiler: Compiler) -> None:
    matcher = compiler.compile(TAKEN[name]).matcher()
    assert matcher.mask() is not None


@pytest.mark.parametrize(
    "name", [name for name, one in REFUSED.items() if one.kind == "json_schema"]
)
def test_what_is_not_strict_is_loosened_instead(name: str, compiler: Compiler) -> None:
    source = REFUSED[name].source
    loose = Constraint(ConstraintKind.JSON_SCHEMA, source, strict=False)
    if name in ("nested text", "a long schema"):  # no schema that could be looked at
        with pytest.raises(InvalidRequest):
            compiler.compile(loose)
    else:
        assert compiler.compile(loose).loosened


def test_an_answer_that_grows_too_complex_is_an_error_of_its_own(compiler: Compiler) -> None:
    pattern = "^" + "".join(f"(?!.*{c}.{{30}}$)" for c in "abcdefghij") + ".{10,}$"
    matcher = compiler.compile(Constraint(REGEX, pattern)).matcher()
    with pytest.raises(InvalidRequest, match="simpler"):
        repeat(matcher, ord("a"), 100)
    with pytest.raises(InvalidRequest, match="simpler"):
        matcher.mask()


def repeat(matcher: Matcher, token: int, n: int) -> None:
    for _ in range(n):
        matcher.mask()
        matcher.accept(token)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('start: "a" (\n', "as Lark: in line 1, column 13, "),
        ('start: foo "a"\nbar: "b"\n', "as Lark: in line 1, column 8, unknown name"),
        ("start: /[/\n", "as Lark: in line 1, column 8, invalid regex"),
        ('start: start "a"\n', "a way out of its recursion"),
        ("start: /[^\\s\\S]/\n", "something that its patterns match"),
    ],
)
def test_what_is_wrong_in_lark_has_its_place(source: str, words: str, compiler: Compiler) -> None:
    with pytest.raises(InvalidRequest) as caught:
        compiler.compile(Constraint(LARK, source, param="grammar"))
    assert words in caught.value.message
    assert caught.value.param == "grammar"
