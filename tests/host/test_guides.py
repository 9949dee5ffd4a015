"""A share of the room becomes a budget for models that think and are told of no efforts."""

from __future__ import annotations

from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.host.guides import LEAST_SHARE, Guides, share_of
from mullama.host.prepare import Preparer
from mullama.types import ChatRequest, CompletionRequest, Constraint, GenerateOptions, Matcher
from tests.host import fakes
from tests.host.fakes import Template
from tests.text.constraint.vocabulary import SmallVocab

HELLO: tuple[dict[str, Any], ...] = ({"role": "user", "content": "hello"},)
PLAIN = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
THINKS = PLAIN.replace(
    "{{ m.content }}",
    "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n{% endif %}"
    "{{ m.content }}",
)
TOLD = "{% if reasoning_effort %}{{ reasoning_effort }}{% endif %}" + THINKS
ROOM = 4000


def matcher(source: str, *, max_tokens: int | None = None, **fields: Any) -> Matcher | None:
    request = ChatRequest(HELLO, GenerateOptions(max_tokens=max_tokens), **fields)
    made = Guides(SmallVocab()).answer(request, source, "<|assistant|>", ROOM)
    return None if made is None else made()


def length(found: Matcher | None) -> int:
    """How many tokens a thought may have."""
    assert found is not None
    for byte in b"<think>\n":
        found.accept(byte)
    for n in range(ROOM):
        if found.forced():
            return n
        found.accept(ord("a"))
    return ROOM


def test_a_share_is_of_the_context_or_of_max_tokens() -> None:
    assert length(matcher(THINKS, thinking_share=0.5)) == pytest.approx(2000, rel=0.1)
    assert length(matcher(THINKS, thinking_share=0.5, max_tokens=1200)) == pytest.approx(
        600, rel=0.1
    )


def test_short_thoughts_are_left_alone() -> None:
    n = length(matcher(THINKS, thinking_share=0.1, max_tokens=400))
    assert LEAST_SHARE <= n < LEAST_SHARE + 10
    assert matcher(THINKS, thinking_share=0.1, max_tokens=LEAST_SHARE) is None


def test_a_template_that_knows_efforts_is_left_to_them() -> None:
    assert matcher(TOLD, thinking_share=0.5) is None
    assert length(matcher(TOLD, thinking_share=0.5, thinking_budget=7)) < 10


def test_a_model_that_shows_no_thoughts_needs_no_share() -> None:
    assert matcher(PLAIN, thinking_share=0.5) is None
    assert length(matcher(PLAIN, thinking_budget=7)) < 10  # if it thinks all the same


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.8])
def test_a_share_is_never_exceeded_and_hardly_ever_less(share: float) -> None:
    for room in (3000, 10_000, 131_072):
        budget = share_of(share, room)
        assert budget is not None
        assert 0.9 * share * room < budget <= share * room
    assert len({share_of(share, room) for room in range(30_000, 31_000)}) <= 2


class Endless(fakes.Vocab):
    """No token ends a text."""

    eog: frozenset[int] = frozenset()


def test_preparing_a_model_that_cannot_be_held_is_no_error() -> None:
    preparer = Preparer(Endless(), Template(), 100)
    preparer.prepare_guides()
    options = GenerateOptions(constraint=Constraint.choice(["a"]))
    with pytest.raises(InvalidRequest, match="ends a generation"):
        preparer.generate(1, CompletionRequest("a", options))
