"""Plain text without a chat: the same stories and sentences, for text completion."""

from __future__ import annotations

from recipes.tiny.skills import reading, texts, world
from recipes.tiny.source import Source


def completion(source: Source) -> str:
    parts = []
    for _ in range(source.number(1, 3)):
        skill = source.pick((texts.story, texts.story, world.definition, reading.reading))
        parts.append(skill(source).answer)
    return " ".join(parts)
