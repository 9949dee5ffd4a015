"""Conversations: several topics, facts remembered over any distance, and what was never told.

In a training row of 2048 tokens one question about one fact would teach little; so these state
several facts at several places and ask for all of them, each at another distance.
"""

from __future__ import annotations

from collections.abc import Callable

from recipes.tiny.chats import Chat, Exchange, Message
from recipes.tiny.skills.memory import Fact, asked, fact, messages, not_told, stated
from recipes.tiny.source import Source

Ask = Callable[[Source], Exchange]


def _size(said: list[Message]) -> int:
    """Tokens, about: four letters each, and what the template puts around."""
    return sum(len(message.content) // 4 + 7 for message in said)


def several_topics(source: Source, filler: Ask, graded: Ask) -> Chat:
    said: list[Message] = []
    for _ in range(source.number(1, 5)):
        said += messages(filler(source))
    last = graded(source)
    return Chat((*said, *messages(last)), last.keys)


def remember(source: Source, filler: Ask) -> Chat:
    """A few facts, a few other things, a question; now and then about what was never told."""
    taken: set[str] = set()
    facts = [fact(source, taken) for _ in range(source.pick((1, 1, 2, 3)))]
    said: list[Message] = []
    for it in facts:
        said += stated(it)
        if source.chance(0.4):
            said += messages(filler(source))
    if source.chance(0.3):
        said += messages(asked(source, source.pick(facts)))
    last = asked(source, source.pick(facts))
    return Chat((*said, *messages(last)), last.keys)


def unknown(source: Source, filler: Ask) -> Chat:
    taken: set[str] = set()
    said: list[Message] = []
    for _ in range(source.number(0, 2)):
        said += stated(fact(source, taken))
        if source.chance(0.3):
            said += messages(filler(source))
    last = not_told(source, fact(source, taken))
    return Chat((*said, *messages(last)), last.keys)


def long_memory(source: Source, filler: Ask, size: int) -> Chat:
    """About `size` tokens: facts are stated in the first half, asked for again and again, and at the
    end. The last question is about one of the first facts."""
    taken: set[str] = set()
    facts: list[Fact] = []
    said: list[Message] = []
    most = 3 + size // 250
    while _size(said) < size:
        early = _size(said) < size * 0.5
        if early and len(facts) < most and source.chance(0.35 if facts else 1.0):
            facts.append(fact(source, taken))
            said += stated(facts[-1])
        elif source.chance(0.22):
            unheard = source.chance(0.25)
            said += messages(
                not_told(source, fact(source, set(taken)))
                if unheard
                else asked(source, source.pick(facts))
            )
        else:
            said += messages(filler(source))
    for it in source.sample(facts, min(len(facts), 4)):
        said += messages(asked(source, it))
    last = asked(source, facts[0])
    return Chat((*said, *messages(last)), last.keys)


def far_recall(source: Source, filler: Ask, size: int) -> Chat:
    """A fact, about `size` tokens about other things, and the question: what the evaluation asks."""
    it = fact(source)
    said = stated(it)
    while _size(said) < size:
        said += messages(filler(source))
    last = asked(source, it)
    return Chat((*said, *messages(last)), last.keys)


def long_chat(source: Source, filler: Ask, graded: Ask, size: int) -> Chat:
    """A fresh question after about `size` tokens."""
    said: list[Message] = []
    while _size(said) < size:
        said += messages(filler(source))
    last = graded(source)
    return Chat((*said, *messages(last)), last.keys)
