"""What tests of templates that are not in the data have in common."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from random import Random

from mullama.text.formats import find_format
from mullama.text.syntax import Format
from mullama.text.template import ChatTemplate

USER = {"role": "user", "content": "Hi there"}
PARIS = ("get_weather", {"city": "Paris", "days": 3})


@cache
def template_of(source: str) -> ChatTemplate:
    return ChatTemplate(source, bos="<s>", eos="</s>")


@cache
def format_of(source: str) -> Format:
    return find_format(template_of(source))


def mutated(chance: Random, texts: Sequence[str], scraps: Sequence[str]) -> str:
    """One of the texts, with up to five scraps put in, some in the place of what was there."""
    text = chance.choice(texts)
    for _ in range(chance.randint(0, 5)):
        place = chance.randint(0, len(text))
        text = text[:place] + chance.choice(scraps) + text[place + chance.randint(0, 6) :]
    return text
