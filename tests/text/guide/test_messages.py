"""Answers whose parts are messages (HyperCLOVA X): a call that must come begins as trained."""

from __future__ import annotations

import pytest

from mullama.text.constraint import Compiler
from mullama.text.guide import Wanted, guide, tools_of
from mullama.types import Constraint
from tests.text.families_later import FAMILIES
from tests.text.guide.tools import TOOLS
from tests.text.guide.walks import MarkedVocab, follows
from tests.text.unknown import format_of

(CLOVA,) = (format_of(family.source) for family in FAMILIES if family.name == "hyperclova-x")
OPENED = "<|im_start|>assistant"
CALL = ' -> tool/function_call\n[{"name": "get", "arguments": {"city": '
THOUGHT = "/think\nHm.<|im_end|>"

each = pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])


def may_follow(text: str, *, special: bool, wanted: Wanted) -> bool:
    vocab = MarkedVocab(CLOVA, special=special)
    template = guide(Compiler(vocab), wanted)
    assert template is not None
    return follows(template.matcher(), vocab, text)


@each
def test_a_call_that_must_come_goes_on_in_the_line_of_its_head(special: bool) -> None:
    assert CLOVA.calls is not None
    wanted = Wanted(CLOVA, OPENED, tools=tools_of(CLOVA.calls, TOOLS), required=True)
    for before in ("", f"{THOUGHT}\n{OPENED}", f"{THOUGHT}{OPENED}"):
        assert may_follow(f'{before}{CALL}"Paris"', special=special, wanted=wanted)
        assert not may_follow(f"{before}{CALL}3", special=special, wanted=wanted)
        assert not may_follow(f"{before}\nWords", special=special, wanted=wanted)


@each
def test_words_that_are_held_stand_in_a_line_of_their_own(special: bool) -> None:
    wanted = Wanted(CLOVA, OPENED, constraint=Constraint.choice(["Yes", "No"]))
    for before in ("", f"{THOUGHT}\n{OPENED}"):
        assert may_follow(f"{before}\nYes", special=special, wanted=wanted)
        assert not may_follow(f"{before}\nPerhaps", special=special, wanted=wanted)
