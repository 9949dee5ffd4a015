"""Whatever a model writes: the parser never raises, drops no words, and cuts make no difference."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mullama.text.channels import Parser
from mullama.text.spans import Answer
from mullama.text.syntax import Format
from tests.text.chat_cases import CASES, TEMPLATES, format_of, parse

N_OUTPUTS = 2000
WORD = "¿word¡"
SCRAPS = [
    *'{}[]":,\\<>\n\t \0', "</", "<|", "|>", '"name"', '"arguments"', '{"name": "', "get_time",
    " special_function", '{"arg1": 1}', '{"name": "get_time", "arguments": {"city": "P"}}', "arg1",
    "true", "None", "(arg1=1)", "to=functions.get_time", "<think>", "</think>", "```json\n", "```",
    "é", "😀", "\u2028", "Hello",
]  # fmt: skip
VALUES: list[Any] = [
    "Paris", 'a "q" \\ b', "line\nbreak", "", "1", "true", "<b>x</b>", "é😀", " sp ", 0, -7, 1.5,
    True, None, [], {}, [1, "a", None], {"a": {"b": [True]}},
]  # fmt: skip

Read = Callable[[list[str]], Answer]
pytestmark = pytest.mark.skipif(not CASES, reason="shared test data 'chat_cases.json' is missing")


def tools() -> list[dict[str, Any]]:
    offered = {tool["function"]["name"]: tool for case in CASES for tool in case["tools"] or ()}
    return list(offered.values())


def outputs(seed: int, count: int) -> Iterator[tuple[Format, str]]:
    """Answers with calls, recorded ones, and scraps of marks; most of them damaged."""
    chance = random.Random(seed)
    names = [tool["function"]["name"] for tool in tools()]
    for _ in range(count):
        format = format_of(chance.choice(TEMPLATES))
        scraps = [*sorted(format.marks), *SCRAPS]
        kind = chance.random()
        if kind < 0.4:
            yield format, "".join(chance.choices(scraps, k=chance.randint(1, 40)))
        else:
            text = written(format, chance, names) if kind < 0.8 else chance.choice(CASES)["raw"]
            yield format, damaged(text, scraps, chance) if chance.random() < 0.7 else text


def written(format: Format, chance: random.Random, names: list[str]) -> str:
    assert format.calls is not None
    assert format.reasoning is not None
    keys = ["arg1", "city", "code", "config"]
    calls = [
        (
            chance.choice(names),
            {key: chance.choice(VALUES) for key in chance.sample(keys, chance.randint(0, 3))},
        )
        for _ in range(chance.randint(1, 3))
    ]
    thought = format.reasoning.open + "thought" + format.reasoning.close
    return chance.choice(["", "Text. ", thought]) + format.calls.write(calls)


def damaged(text: str, scraps: list[str], chance: random.Random) -> str:
    for _ in range(chance.randint(1, 6)):
        begin = chance.randint(0, len(text))
        end = min(len(text), begin + chance.randint(0, 12))
        text = chance.choice(
            [
                text[:begin] + text[end:],
                text[:begin] + chance.choice(scraps) + text[begin:],
                text[:end] + text[begin:],
                text[:begin],
            ]
        )
    return text


def check(format: Format, text: str, chance: random.Random) -> None:
    # A key that no call has may be left out of a JSON object that is one; nothing else may.
    limit = text.find("{") if format.calls and format.calls.json else len(text)
    place = chance.randint(0, max(limit, 0))
    text = text[:place] + WORD + text[place:]
    opened = format.head + chance.choice(["", format.reasoning.open if format.reasoning else ""])
    given: dict[str, Any] = {"reasoning": chance.random() < 0.8, "fenced": chance.random() < 0.1}

    def read(pieces: list[str]) -> Answer:
        return parse(Parser(format, opened=opened, tools=tools(), **given), pieces)

    answer = read([text])
    cut = chance.randint(0, len(text))
    assert read(list(text)) == answer, (format.name, text)
    assert read([text[:cut], text[cut:]]) == answer, (format.name, text)
    arguments = [call.arguments for call in answer.calls]
    assert WORD in "".join([answer.content, answer.reasoning, *arguments]), (format.name, text)
    for call in answer.calls:
        if call.complete:
            assert isinstance(json.loads(call.arguments), dict), (format.name, text)


def test_no_output_raises_or_loses_words() -> None:
    chance = random.Random(7)
    for format, text in outputs(11, N_OUTPUTS):
        check(format, text, chance)
