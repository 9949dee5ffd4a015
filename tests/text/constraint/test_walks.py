"""What a constraint lets through satisfies its schema: random walks, checked by `jsonschema`."""

from __future__ import annotations

import json
import random
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import jsonschema
import pytest

from mullama.errors import InvalidRequest
from mullama.text.constraint import Compiler
from mullama.types import Constraint
from tests.text.constraint.schemas import TOOLS, generated
from tests.text.constraint.vocabulary import SmallVocab, walk

N_GENERATED = 300
MOST_DIGITS = 1000


def valid(text: str, schema: Any) -> bool:
    """Numbers are compared as they are written: a float of 0.07 is no multiple of 0.01."""
    exact = json.loads(json.dumps(schema), parse_float=Decimal)
    kind = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)
    checker = kind(exact, format_checker=kind.FORMAT_CHECKER)
    with localcontext(prec=MOST_DIGITS):  # of what is left when 1e300 is divided
        return bool(checker.is_valid(json.loads(text, parse_float=_decimal)))


def _decimal(text: str) -> Decimal | float:
    try:
        exact = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return float(text)
    return exact if abs(exact.adjusted()) < MOST_DIGITS else float(text)


@pytest.mark.parametrize("name", TOOLS)
def test_arguments_of_real_tools_satisfy_their_schema(
    name: str, compiler: Compiler, vocab: SmallVocab
) -> None:
    compiled = compiler.compile(Constraint.json_schema(TOOLS[name]))
    assert compiled.loosened == ()
    rng = random.Random(name)
    for _ in range(4):
        text = walk(compiled.matcher(), vocab, rng, most=1500)
        assert valid(text, TOOLS[name]), text


def test_generated_schemas_are_satisfied_or_refused(compiler: Compiler, vocab: SmallVocab) -> None:
    n_refused = 0
    for i, schema in enumerate(generated(N_GENERATED)):
        rng = random.Random(i)
        try:
            compiled = compiler.compile(Constraint.json_schema(schema, param="response_format"))
        except InvalidRequest as error:
            n_refused += 1
            assert error.param == "response_format"  # noqa: PT017
            assert " at $" in error.message  # noqa: PT017
            continue
        for _ in range(2):
            text = walk(compiled.matcher(), vocab, rng, most=1500)
            assert valid(text, schema), (schema, text)
    assert n_refused < N_GENERATED / 4


def test_what_is_not_strict_is_never_refused_and_says_what_it_left_out(
    compiler: Compiler, vocab: SmallVocab
) -> None:
    for i, schema in enumerate(generated(N_GENERATED)):
        compiled = compiler.compile(Constraint.json_schema(schema, strict=False))
        if compiled.loosened:
            with pytest.raises(InvalidRequest):
                compiler.compile(Constraint.json_schema(schema))
            assert (
                json.loads(walk(compiled.matcher(), vocab, random.Random(i), most=1500)) is not ...
            )
