"""Phrasings: a small grammar, and the ways in which people type."""

from __future__ import annotations

import pytest

from recipes.tiny.source import Source


def all_of(grammar: str, **slots: object) -> set[str]:
    source = Source("grammar")
    return {source.say(grammar, **slots) for _ in range(200)}


def test_a_choice_is_one_of_its_alternatives() -> None:
    assert all_of("(a|b|)c") == {"ac", "bc", "c"}
    assert all_of("x(1(2|3)|4)y") == {"x12y", "x13y", "x4y"}


def test_slots_are_filled_after_the_choice() -> None:
    assert all_of("({a}|{b}) and {a}", a=1, b="(x|y)") == {"1 and 1", "(x|y) and 1"}


@pytest.mark.parametrize("grammar", ["(a|b", "a)b", "((a)", "(a))"])
def test_unbalanced_grammars_are_refused(grammar: str) -> None:
    with pytest.raises(ValueError, match="bracket"):
        Source("").say(grammar)


def test_fragile_texts_keep_their_letters_and_end() -> None:
    source = Source("fragile")
    for _ in range(300):
        assert source.around("say: XyZ-7", fragile=True).endswith("ay: XyZ-7")


def test_one_question_has_hundreds_of_wordings() -> None:
    source = Source("many")
    made = {source.around(source.noun("the capital of France")) for _ in range(1000)}
    assert len(made) > 400
    assert all("capital of france" in text.lower() for text in made)


def test_a_plain_source_leaves_out_what_can_be_left_out_and_types_with_care() -> None:
    source = Source("plain")
    source.plain = True
    grammar = "(the |the |)capital( city|) of (Chile|Peru)"
    assert {source.around(source.noun(grammar)) for _ in range(50)} == {
        "What is the capital of Chile?"
    }


def test_the_plainest_wordings_stand_first_in_their_list() -> None:
    source = Source("plain")
    wordings = [str(number) for number in range(11)]
    source.plain = True
    assert {source.wording(wordings) for _ in range(200)} == {"0", "1", "2"}
    source.plain = False
    assert {source.wording(wordings) for _ in range(500)} == set(wordings)
