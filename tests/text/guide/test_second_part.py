"""A thought in two parts (KAT-V1): in the second, too, a call is only thought of."""

from __future__ import annotations

import pytest

from mullama.text.constraint import Compiler
from mullama.text.guide import Wanted, guide, tools_of
from tests.text.families_later import FAMILIES
from tests.text.guide.tools import TOOLS
from tests.text.guide.walks import MarkedVocab, follows
from tests.text.unknown import format_of

(KAT,) = (format_of(family.source) for family in FAMILIES if family.name == "kat-v1")
OPENED = "<|im_start|>assistant\n<judge>\n"
FIRST = "Hm.\n</judge>\n\n<think_on>\n"


def may_follow(text: str, special: bool) -> bool:
    assert KAT.calls is not None
    vocab = MarkedVocab(KAT, special=special)
    template = guide(Compiler(vocab), Wanted(KAT, opened=OPENED, tools=tools_of(KAT.calls, TOOLS)))
    assert template is not None
    return follows(template.matcher(), vocab, text)


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
def test_a_call_that_is_thought_of_is_not_held(special: bool) -> None:
    assert may_follow(f"{FIRST}<think>\nA <tool_call> here?\n</think>\n\nYes.", special)


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
def test_a_call_behind_either_part_is_held(special: bool) -> None:
    for before in (FIRST, f"{FIRST}<think>\nSo.\n</think>\n\n<answer>\n"):
        call = before + '<tool_call>\n{"name": "get", "arguments": {"city": '
        assert may_follow(call + '"Paris"', special)
        assert not may_follow(call + "3", special)
        assert not may_follow(f"{before}<tool_call> here?", special)
