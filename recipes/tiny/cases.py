"""What is asked in an evaluation, and when an answer is right.

Held-out cases are generated, from seeds of their own, and not kept in a file: they follow from the
skills, so they can't go stale, and whoever changes a skill evaluates what it now makes. The sixty
questions in wordings that no template has were written by hand and lie in `unfamiliar.jsonl`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recipes.tiny.chats import Chat
from recipes.tiny.generate import for_evaluation
from recipes.tiny.settings import SEED
from recipes.tiny.skills import FAMILIES
from recipes.tiny.source import Source

UNFAMILIAR = Path(__file__).with_name("unfamiliar.jsonl")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the text, and the calls as (name, arguments)."""

    content: str
    calls: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """`expected`: the whole text; or, with `parts`, what it must contain; or the calls."""

    family: str
    messages: Sequence[Mapping[str, Any]]
    tools: Sequence[Mapping[str, Any]] = ()
    think: bool = False
    expected: str = ""
    parts: tuple[str, ...] = ()
    calls: tuple[tuple[str, Any], ...] = ()

    def is_right(self, answer: Answer) -> bool:
        if self.calls or answer.calls:
            return list(self.calls) == list(answer.calls)
        if self.parts:
            return all(part.lower() in answer.content.lower() for part in self.parts)
        return answer.content.strip() == self.expected.strip()


def from_chat(family: str, it: Chat) -> Case:
    *before, last = it.messages
    parts: tuple[str, ...] = ()
    if family == "story":  # which plot is free, what it is about is not
        things = re.findall(r"\b[Aa]n? ([\w-]+)", before[-1].content)
        others = (it for it in reversed(things) if it != "time" and it in last.content)
        thing = next(others, "time")  # as "once upon a time" stands in most
        parts = ("Once upon a time", thing)
    return Case(
        family,
        [message.to_wire() for message in before],
        [tool.to_wire() for tool in it.tools],
        it.think,
        last.content,
        parts,
        tuple((call.name, dict(call.arguments)) for call in last.calls),
    )


def held_out_cases(family: str, n: int) -> list[Case]:
    """Up to `n` different ones; fewer where a family has no more."""
    made: dict[str, Case] = {}
    for i in range(n * 4):
        case = from_chat(family, for_evaluation(family, Source(f"{SEED}/evaluation/{family}/{i}")))
        made.setdefault(json.dumps([case.messages, case.tools, case.think]), case)
        if len(made) == n:
            break
    return list(made.values())


def unfamiliar_cases() -> list[Case]:
    lines = [json.loads(line) for line in UNFAMILIAR.read_text().splitlines()]
    return [
        Case("unfamiliar", [{"role": "user", "content": line["ask"]}], parts=tuple(line["has"]))
        for line in lines
    ]


def cases(n: int, families: Sequence[str] = ()) -> Iterator[Case]:
    for family in families or FAMILIES:
        if family != "unfamiliar":
            yield from held_out_cases(family, n)
    if not families or "unfamiliar" in families:
        yield from unfamiliar_cases()


def from_file(path: Path, n: int, families: Sequence[str] = ()) -> Iterator[Case]:
    """Cases of another set: {family: [{sys, msgs, tools, exp, chk, think}]}."""
    for family, items in json.loads(path.read_text()).items():
        if families and family not in families:
            continue
        for item in items[:n]:
            head = [{"role": "system", "content": item["sys"]}] if item["sys"] else []
            expected, check = item["exp"], item["chk"]
            yield Case(
                family,
                [*head, *item["msgs"]],
                item["tools"] or (),
                item["think"],
                expected if check == "exact" else "",
                tuple(expected) if check == "story" else (),
                tuple((name, given) for name, given in expected) if check == "tool" else (),
            )
