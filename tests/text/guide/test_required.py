"""Calls that must come, in the format of every template: random answers are always calls."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from mullama.text.constraint import Compiler
from mullama.text.guide import Wanted, guide, tools_of
from mullama.text.syntax import Format, Reasoning
from mullama.text.toolcalls import functionary
from tests.text.chat_cases import TEMPLATES, format_of
from tests.text.families import Family
from tests.text.families_later import FAMILIES
from tests.text.guide.tools import TOOLS, check, closing
from tests.text.guide.walks import MarkedVocab, read, text_of, walk
from tests.text.unknown import format_of as format_of_unknown
from tests.text.unseen import CALLS

BUDGET = 8  # tokens, so that a walk comes out of its thought
UNSEEN = [model for model in CALLS if model.calls]


def _check_walks(format: Format, *, special: bool, n: int = 6) -> None:
    assert format.calls is not None
    vocab = MarkedVocab(format, special=special)
    compiler = Compiler(vocab)
    tools = tools_of(format.calls, TOOLS)
    wanted = Wanted(format, tools=tools, required=True, budget=BUDGET)
    thought = format.reasoning.open if format.reasoning else ""
    for opened in (format.head, format.head + thought):
        for parallel in (True, False):
            asked = replace(wanted, opened=opened, parallel=parallel)
            template = guide(compiler, asked)
            assert template is not None
            for seed in range(n):
                tokens = walk(template, vocab, random.Random(seed), closing=closing(format))
                text = text_of(vocab, tokens)
                whole = read(format, text, TOOLS, opened, split=False)
                assert len(whole.calls) == 1 or (parallel and whole.calls), text
                assert not whole.content.strip(), text
                check(whole)
                assert read(format, text, TOOLS, opened, split=True) == whole


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_required_call_comes_and_fits_its_schema(template: str, special: bool) -> None:
    _check_walks(format_of(template), special=special)


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
@pytest.mark.parametrize("model", UNSEEN, ids=lambda model: model.name)
def test_also_in_formats_that_nobody_has_seen(model: object, special: bool) -> None:
    format = format_of_unknown(model.source)  # type: ignore[attr-defined]
    if format.calls is None:
        pytest.skip("calls of this form are not read")
    _check_walks(format, special=special, n=3)


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
def test_also_where_each_part_is_addressed(special: bool) -> None:
    format = replace(functionary.FORMAT_2, head="<|from|>assistant\n", reasoning=Reasoning())
    _check_walks(format, special=special)


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_also_in_those_of_other_families(family: Family, special: bool) -> None:
    _check_walks(format_of_unknown(family.source), special=special, n=3)
