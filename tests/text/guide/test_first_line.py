"""Calls of which only a tool's name in the first line tells (GLM 4): held from there on."""

from __future__ import annotations

import pytest

from mullama.text.constraint import Compiler
from mullama.text.guide import Wanted, guide, tools_of
from mullama.types import Matcher
from tests.text.families import FAMILIES
from tests.text.guide.tools import TOOLS, check
from tests.text.guide.walks import MarkedVocab, follows, read
from tests.text.unknown import format_of

(GLM,) = (format_of(family.source) for family in FAMILIES if family.name == "glm-4")


def begun(special: bool) -> tuple[Matcher, MarkedVocab]:
    assert GLM.calls is not None
    vocab = MarkedVocab(GLM, special=special)
    wanted = Wanted(GLM, opened="<|assistant|>", tools=tools_of(GLM.calls, TOOLS))
    template = guide(Compiler(vocab), wanted)
    assert template is not None
    return template.matcher(), vocab


def may_follow(text: str, special: bool) -> bool:
    return follows(*begun(special), text)


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
@pytest.mark.parametrize("before", ["", "\n", "<think>Hm.</think>", "<think>Hm.</think>\n"])
def test_a_name_in_the_first_line_is_a_call(before: str, special: bool) -> None:
    call = 'get\n{"city": "Paris", "days": 3}'
    assert may_follow(before + call, special)
    answer = read(GLM, before + call, TOOLS, "<|assistant|>", split=True)
    assert [one.name for one in answer.calls] == ["get"]
    check(answer)
    for wrong in ("get\nwords", 'get\n{"town"', 'get\n{"city": 3', 'get_time\n{"at": {'):
        assert not may_follow(before + wrong, special), wrong


@pytest.mark.parametrize("special", [True, False], ids=["tokens", "text"])
@pytest.mark.parametrize(
    "words",
    ["get it\n{", "getting\n{", "Now:\nget\nwords", "I <think>get\nwords", "<think>get\nwords"],
)
def test_elsewhere_it_is_a_word(words: str, special: bool) -> None:
    assert may_follow(words, special)
