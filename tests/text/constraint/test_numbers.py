"""Numbers end: what a model that loves one digit can write, and what stays possible."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.text.constraint import Compiler, Json, Markup, Seq
from mullama.text.constraint.matcher import Follower
from mullama.types import Constraint, ConstraintKind
from tests.text.constraint.vocabulary import WORDS, SmallVocab, accepts, allowed

LARGEST = 2**63 - 1024  # of what a schema can name


@pytest.fixture(scope="module")
def vocab() -> SmallVocab:
    return SmallVocab([*WORDS[1:], "0" * 16, "99", "999"])


def stubborn(matcher: Follower, vocab: SmallVocab, loved: str, most: int = 200) -> str:
    """What is written by someone who takes the loved token wherever it may stand."""
    written = ""
    while not matcher.done and len(written) < most:
        choice = allowed(matcher, vocab.n_tokens)
        token = next((one for one in choice if vocab.piece(one) == loved.encode()), None)
        if token is None and matcher.can_end:
            break
        token = choice[0] if token is None else token
        matcher.accept(token)
        written += vocab.piece(token).decode()
    return written


@pytest.mark.parametrize("loved", ["0", "9", "99", "999", "00", "0" * 16, "12", "."])
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer"},
        {"type": "integer", "minimum": 5},
        {"type": "integer", "maximum": -7},
        {"type": "number"},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "number", "multipleOf": 0.5},
        {"type": "integer", "multipleOf": 10},
        {"type": "integer", "multipleOf": 77},
        {"type": "integer", "minimum": 10**18},
        {"type": "integer", "exclusiveMaximum": -(10**18)},
        {"not": {"type": ["string", "null", "boolean", "array", "object"]}},
    ],
    ids=json.dumps,
)
def test_a_number_ends(schema: Any, loved: str, compiler: Compiler, vocab: SmallVocab) -> None:
    text = stubborn(compiler.compile(Constraint.json_schema(schema)).matcher(), vocab, loved)
    assert abs(json.loads(text)) < 2**63
    assert len(text) <= 45


def test_integers_are_those_of_64_bits(compiler: Compiler, vocab: SmallVocab) -> None:
    compiled = compiler.compile(Constraint.json_schema({"type": "integer"}))
    for good in (2**63 - 1, -(2**63) + 1, 1234567890123456789):
        assert accepts(compiled.matcher(), vocab, str(good))
    for bad in (2**63, 10**19, 99999999999999999999):
        assert not accepts(compiled.matcher(), vocab, str(bad))


def test_an_exponent_stays_finite(compiler: Compiler, vocab: SmallVocab) -> None:
    compiled = compiler.compile(Constraint.json_schema({"type": "number"}))
    for good in ("6.02e23", "1e-280", "-9.5E+280", "0.1"):
        assert accepts(compiled.matcher(), vocab, good)
    for bad in ("1e281", "1e-1000", "1e0001"):
        assert not accepts(compiled.matcher(), vocab, bad)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"const": LARGEST}, str(LARGEST)),
        ({"enum": [1e-20]}, "0.00000000000000000001"),
        ({"type": "number", "maximum": 1e-21, "exclusiveMinimum": 0}, "0.000000000000000000001"),
        ({"type": "string", "pattern": "^[0-9]+$"}, f'"{"9" * 60}"'),
        ({"type": "string"}, f'"{"9" * 60}"'),
        ({"type": "object"}, f'{{"{"9" * 60}": 1}}'),
    ],
    ids=repr,
)
def test_what_the_schema_asks_for_stays_possible(
    schema: Any, text: str, compiler: Compiler, vocab: SmallVocab
) -> None:
    assert accepts(compiler.compile(Constraint.json_schema(schema)).matcher(), vocab, text)


def test_numbers_in_json_objects_and_in_markup_end_too(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    whole = compiler.compile(Constraint(ConstraintKind.JSON_OBJECT)).matcher()
    for token in vocab.tokenize('{"a": '):
        whole.accept(token)
    assert stubborn(whole, vocab, "9").partition(",")[0] == "9" * 18
    part = Seq((Markup("<v>"), Json('{"type": "number"}'), Markup("</v>")))
    assert not accepts(compiler.compile(part).matcher(), vocab, f"<v>{'9' * 19}</v>")


def test_a_clients_own_grammar_is_taken_as_it_stands(compiler: Compiler, vocab: SmallVocab) -> None:
    for kind, source in (
        (ConstraintKind.REGEX, "[0-9]+"),
        (ConstraintKind.GBNF, "root ::= [0-9]+"),
        (ConstraintKind.LARK, "start: /[0-9]+/"),
    ):
        assert accepts(compiler.compile(Constraint(kind, source)).matcher(), vocab, "9" * 60)


def test_drafts_are_held_to_it_as_well(compiler: Compiler, vocab: SmallVocab) -> None:
    matcher = compiler.compile(Constraint.json_schema({"type": "integer"})).matcher()
    nines = [ord("9")] * 30
    assert matcher.count_allowed(nines) == 18
    for token in nines[:18]:
        matcher.accept(token)
    clone = matcher.clone()
    assert clone.count_allowed(nines) == 0
    matcher.rollback(8)
    assert matcher.count_allowed(nines) == 8
    assert clone.can_end


@pytest.mark.parametrize("value", [1e-30, 0.1 + 0.2, 1.7976931348623157e308, 5e-324])
def test_a_number_that_the_engine_would_misread_is_refused(
    value: float, compiler: Compiler
) -> None:
    with pytest.raises(InvalidRequest, match=r"'enum' at \$"):
        compiler.compile(Constraint.json_schema({"enum": [value]}))


@pytest.mark.parametrize("bound", [0.1 + 0.2, 1e-30, 2 / 3, 1e15 / 3, 12345.678901234567])
def test_a_bound_moves_inwards_to_a_number_that_is_read_exactly(
    bound: float, compiler: Compiler, vocab: SmallVocab
) -> None:
    above = compiler.compile(Constraint.json_schema({"type": "number", "minimum": bound}))
    below = compiler.compile(Constraint.json_schema({"type": "number", "maximum": bound}))
    assert not accepts(above.matcher(), vocab, f"{bound * 0.9:.30f}".rstrip("0"))
    assert not accepts(below.matcher(), vocab, f"{bound * 1.1:.30f}".rstrip("0"))
    assert accepts(above.matcher(), vocab, str(int(bound) + 1))
    assert accepts(below.matcher(), vocab, str(int(bound)))
