"""Every skill: well-formed, right, reproducible, and nothing held out in the training data."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import jsonschema
import pytest

from recipes.tiny.chats import Chat, render
from recipes.tiny.facts.countries import CAPITALS
from recipes.tiny.facts.language import OPPOSITE
from recipes.tiny.generate import for_evaluation, for_training, segments
from recipes.tiny.held_out import held_out, is_for_training, sum_key
from recipes.tiny.mixture import MIXTURE
from recipes.tiny.skills import EXCHANGES, FAMILIES, TITLES
from recipes.tiny.source import Source

LONG = {"memory_long", "recall_1000", "long_chat"}


def some(family: str, n: int = 60) -> list[Chat]:
    source = Source(f"test/{family}")
    return [for_training(family, source) for _ in range(3 if family in LONG else n)]


def text(it: Chat) -> str:
    return "".join(segment.text for segment in render(it))


@pytest.mark.parametrize("family", FAMILIES)
def test_chats_are_well_formed(family: str) -> None:
    for it in some(family):
        roles = [message.role for message in it.messages]
        assert roles[-1] == "assistant"
        assert set(roles[1:]) <= {"user", "assistant", "tool"}
        assert all(a != b or a == "tool" for a, b in pairwise(roles))
        assert it.keys
        for message in it.messages:
            assert message.content or message.calls
            assert message.content == message.content.strip(), message
        body = text(it)
        assert not re.search(r"[({]\w*[|]|\{[a-z]\w*\}", re.sub("```.*?```", "", body)), body
        assert "  " not in body.replace("    ", ""), body


@pytest.mark.parametrize("family", FAMILIES)
def test_equal_seeds_make_equal_chats(family: str) -> None:
    assert FAMILIES[family](Source("same")) == FAMILIES[family](Source("same"))
    assert FAMILIES[family](Source("one")) != FAMILIES[family](Source("other"))


@pytest.mark.parametrize("family", FAMILIES)
def test_training_and_evaluation_share_no_key(family: str) -> None:
    n = 3 if family in LONG else 40
    trained = {key for it in some(family, 300) for key in it.keys if key and held_out(key)}
    assert not trained
    source = Source(f"evaluation/{family}")
    assert all(not is_for_training(for_evaluation(family, source).keys) for _ in range(n))


def test_no_held_out_sum_is_anywhere_in_the_training_data() -> None:
    """Not in lists, not in thoughts, not between other things."""
    found = 0
    for bucket, n in (("short", 3000), ("middle", 600), ("long", 8)):
        made = segments(bucket, Source(f"sums/{bucket}"))
        for _ in range(n):
            body = "".join(segment.text for segment in next(made))
            for a, sign, b in re.findall(r"\b(\d+) ([+-]) (\d+) = \d", body):
                key = sum_key(int(a), sign, int(b))
                found += 1
                assert not (key and held_out(key)), body
    assert found > 800


def test_sums_are_right_wherever_they_stand() -> None:
    signs = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
    for family in ("arithmetic", "multiply", "arithmetic_list", "think_arithmetic"):
        for it in some(family, 300):
            found = re.findall(r"(?<![+-] )\b(\d+) ([+*-]) (\d+) = (\d+)", text(it))
            assert found
            for a, sign, b, result in found:
                assert signs[sign](int(a), int(b)) == int(result)


def test_scratchpads_are_right_step_by_step() -> None:
    for it in some("think_arithmetic", 300):
        for left, right in re.findall(r"([\d+ -]+) = (\d+)[.,]", it.messages[-1].thought):
            assert sum(int(n) for n in left.replace("- ", "-").replace("+ ", "").split()) == int(
                right
            )


def test_comparisons_and_orders_are_right() -> None:
    for it in some("compare", 300):
        a, word, b = re.fullmatch(
            r"(\d+) is (larger|smaller) than (\d+)\.", it.messages[-1].content
        ).groups()  # type: ignore[union-attr]
        assert (int(a) > int(b)) == (word == "larger")
    for it in some("sort", 300):
        asked = sorted(int(n) for n in re.findall(r"\d+", it.messages[0].content))
        answer = it.messages[-1].content
        numbers = [int(n) for n in re.findall(r"\d+", answer)]
        if answer.startswith("The"):
            assert numbers == [asked[-1] if "largest" in answer else asked[0]]
        else:
            assert numbers == asked


def test_json_answers_are_json_with_given_values_only() -> None:
    for family in ("json", "extract"):
        for it in some(family, 300):
            made = json.loads(it.messages[-1].content)
            values = made.values() if isinstance(made, dict) else made
            for value in values:
                shown = str(value).lower() if isinstance(value, bool) else str(value)
                assert shown in it.messages[0].content


TOOLS = [family for family in FAMILIES if "tool" in family]


@pytest.mark.parametrize("family", TOOLS)
def test_calls_are_valid_against_their_schemas(family: str) -> None:
    for it in some(family, 120):
        tools = {tool.name: tool for tool in it.tools}
        assert len(tools) == len(it.tools)
        for i, message in enumerate(it.messages):
            for call in message.calls if i not in it.untrained else ():
                schema: dict[str, Any] = dict(tools[call.name].parameters)
                schema["additionalProperties"] = False
                jsonschema.validate(dict(call.arguments), schema)


def test_spoken_values_stand_in_the_conversation() -> None:
    """No answer needs a made-up word or a number that was never given."""
    for family in ("remember", "system_fact", "reading", "recall_1000", "memory_long"):
        for it in some(family, 100):
            *before, last = it.messages
            given = " ".join(message.content for message in before)
            if last.content.startswith("You have not told me"):
                continue
            value = re.sub(r" years old|\.$", "", last.content).split()[-1]
            assert value in given, (family, last)


def test_facts_can_be_asked_both_ways() -> None:
    assert len(set(CAPITALS.values())) == len(CAPITALS) > 150
    assert all(OPPOSITE[word] in OPPOSITE for word in OPPOSITE)
    assert set(TITLES) <= set(EXCHANGES)


def test_every_family_is_trained() -> None:
    trained = {family for weights in MIXTURE.values() for family in weights}
    assert trained - {"completion"} == set(FAMILIES)
