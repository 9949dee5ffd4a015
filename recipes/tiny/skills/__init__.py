"""Every skill by its name.

`EXCHANGES` are questions with answers. `FAMILIES` are the conversations that are trained and
evaluated, each under the name by which the tables call it: the exchanges alone and in thought, and
what is made with them. All of them are functions of a random source.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from recipes.tiny.chats import Chat, Exchange, chat
from recipes.tiny.held_out import is_for_training
from recipes.tiny.skills import (
    arithmetic,
    calendar,
    capitals,
    conversations,
    copying,
    decline,
    greetings,
    identity,
    language,
    lookup,
    memory,
    numbers,
    personas,
    reading,
    structured,
    texts,
    two,
    world,
)
from recipes.tiny.skills.tools import calling, results
from recipes.tiny.source import Source

Ask = Callable[[Source], Exchange]
Family = Callable[[Source], Chat]

EXCHANGES: dict[str, Ask] = {
    "greet": greetings.greet,
    "identity": identity.identity,
    "hello": language.hello,
    "capital": capitals.capital,
    "capital_reverse": capitals.capital_reverse,
    "arithmetic": arithmetic.arithmetic,
    "multiply": arithmetic.multiply,
    "arithmetic_list": arithmetic.arithmetic_list,
    "compare": numbers.compare,
    "sort": numbers.sort,
    "count": numbers.count,
    "calendar": calendar.calendar,
    "alphabet": calendar.alphabet,
    "opposite": language.opposite,
    "plural": language.plural,
    "translate": language.translate,
    "colour": world.colour,
    "sound": world.sound,
    "definition": world.definition,
    "emoji": world.emoji,
    "echo": copying.echo,
    "echo_times": copying.echo_times,
    "case": copying.case,
    "spell": copying.spell,
    "word_order": copying.word_order,
    "look_up": lookup.look_up,
    "story": texts.story,
    "title": texts.title,
    "sentiment": texts.sentiment,
    "code": texts.code,
    "json": structured.json_object,
    "extract": structured.extract,
    "reading": reading.reading,
    "decline": decline.decline,
}
TITLES = {
    "capital": "Capital City",
    "capital_reverse": "Country Question",
    "arithmetic": "Small Sum",
    "calendar": "Calendar Question",
    "opposite": "Opposite Words",
    "plural": "Plural Words",
    "colour": "Colour Question",
    "sound": "Animal Sound",
    "definition": "Simple Definition",
    "translate": "Word Translation",
    "compare": "Comparing Numbers",
    "code": "Short Code",
    "story": "Tiny Story",
}

# What stands between other things in a conversation, and what personas are asked: short answers.
_FACTS = (
    "greet identity capital capital_reverse arithmetic multiply compare calendar opposite "
    "plural colour sound definition translate hello"
).split()
# What a family asks that is about where a question stands. Skills that fail by themselves would say
# nothing of that; they stand between, and have families of their own.
_ANYTHING = (
    *_FACTS,
    "echo",
    "count",
    "json",
    "reading",
    "code",
    "story",
    "sentiment",
    "decline",
    "extract",
)
_FILLERS = (*_ANYTHING, "word_order", "arithmetic_list", "emoji", "sort", "echo_times", "case")
_SHORT = (
    "capital capital_reverse arithmetic multiply compare calendar opposite plural colour "
    "sound translate"
).split()


def _one_of(names: tuple[str, ...] | list[str], source: Source) -> Exchange:
    return EXCHANGES[source.pick(names)](source)


def _clean(names: tuple[str, ...] | list[str], source: Source) -> Exchange:
    """Never a held-out one: what stands in a conversation beside the question that counts."""
    while True:
        exchange = _one_of(names, source)
        if is_for_training(exchange.keys):
            return exchange


fact: Ask = partial(_one_of, _FACTS)
short: Ask = partial(_one_of, _SHORT)
anything: Ask = partial(_one_of, _ANYTHING)
filler: Ask = partial(_clean, _FILLERS)


def _alone(ask: Ask, think: bool, source: Source) -> Chat:
    return chat(ask(source), think=think)


def _two(think: bool, source: Source) -> Chat:
    return chat(two.two_instructions(source, short), think=think)


def _sized(make: Callable[[Source, int], Chat], low: int, high: int, source: Source) -> Chat:
    return make(source, source.number(low, high))


def _think_any(source: Source) -> Chat:
    style = source.random.random()
    if style < 0.75:
        return chat(anything(source), think=True)
    persona = source.pick((personas.end, personas.start, personas.named, personas.plain))
    return persona(source, fact, think=True)


def _think_tool(source: Source) -> Chat:
    makers = (
        calling.call,
        calling.call,
        calling.choose,
        calling.parallel,
        results.result,
        results.steps,
    )
    if source.chance(0.15):
        return calling.none(source, fact, think=True)
    return source.pick(makers)(source, True)


def _no_tool(source: Source) -> Chat:
    return calling.none(source, anything if source.chance(0.7) else decline.decline)


FAMILIES: dict[str, Family] = {
    **{name: partial(_alone, ask, False) for name, ask in EXCHANGES.items()},
    "look_up_many": lambda source: chat(lookup.look_up(source, 20)),
    "remember": lambda source: conversations.remember(source, filler),
    "not_told": lambda source: conversations.unknown(source, filler),
    "system_fact": memory.system_fact,
    "several_topics": lambda source: conversations.several_topics(source, filler, anything),
    "two_instructions": partial(_two, False),
    "persona_end": lambda source: personas.end(source, fact),
    "persona_start": lambda source: personas.start(source, fact),
    "persona_fixed": lambda source: personas.fixed(source, anything),
    "persona_upper": lambda source: personas.upper(source, short),
    "persona_lower": lambda source: personas.lower(source, short),
    "persona_name": lambda source: personas.named(source, fact),
    "persona_plain": lambda source: personas.plain(source, anything),
    "tool_call": calling.call,
    "tool_choose": calling.choose,
    "tool_parallel": calling.parallel,
    "tool_none": _no_tool,
    "tool_result": results.result,
    "tool_retry": results.retry,
    "tool_steps": results.steps,
    "tool_session": results.session,
    "think_arithmetic": partial(_alone, arithmetic.arithmetic, True),
    "think_compare": partial(_alone, numbers.compare, True),
    "think_any": _think_any,
    "think_two": partial(_two, True),
    "think_tool": _think_tool,
    "memory_short": partial(_sized, lambda source, size: conversations.long_memory(source, filler, size), 100, 380),
    "memory_long": partial(_sized, lambda source, size: conversations.long_memory(source, filler, size), 700, 1650),
    "recall_1000": partial(_sized, lambda source, size: conversations.far_recall(source, filler, size), 1000, 1250),
    "long_chat": partial(_sized, lambda source, size: conversations.long_chat(source, filler, anything, size), 1400, 1600),
}  # fmt: skip
