"""Calling tools: one, one of three by its description, two in parallel, none when none fits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from recipes.tiny.chats import Call, Chat, Exchange, Message, Tool
from recipes.tiny.skills.tools.catalogue import Wish, made_up
from recipes.tiny.skills.tools.everyday import ANSWERABLE, everyday
from recipes.tiny.source import Source

Ask = Callable[[Source], Exchange]
_SYSTEMS = (
    "", "", "", "", "You are a helpful assistant.", "You are a helpful assistant that can use tools.", "Use the tools when they help.",
    "You are a function calling assistant.", "Be helpful.", "Call a tool if one fits. Otherwise answer.",
)  # fmt: skip
_JOINS = (
    "{a} And {b}", "{a} Then {b}", "{a} Also, {b}", "{a} {b}", "{a} And then {b}", "{a} After that: {b}", "Two things: {a} {b}", "{a}\n{b}", "First: {a} Second: {b}", "1. {a} 2. {b}",
)  # fmt: skip


def wish(source: Source, topics: set[str], everyday_share: float = 0.55) -> Wish:
    return everyday(source, topics) if source.chance(everyday_share) else made_up(source)


def wishes(
    source: Source, n: int, everyday_share: float = 0.55, without: Iterable[str] = ()
) -> list[Wish]:
    """Wishes for different tools, of which only one does what is wished."""
    topics = set(without)
    made: list[Wish] = []
    while len(made) < n:
        it = wish(source, topics, everyday_share)
        if it.tool.name not in {other.tool.name for other in made}:
            made.append(it)
    return made


def tools_of(source: Source, made: list[Wish]) -> tuple[Tool, ...]:
    """Their tools in any order, as clients send them: some have no description or an empty one."""
    return tuple(it.tool for it in source.sample(made, len(made)))


def opening(source: Source, ask: str) -> list[Message]:
    system = source.pick(_SYSTEMS)
    return [*([Message("system", system)] if system else []), Message("user", ask)]


def calls(*made: Call, think: bool = False) -> Message:
    names = " and ".join(call.name for call in made)
    return Message("assistant", "", f"I should call {names}." if think else "", made)


def call(source: Source, think: bool = False) -> Chat:
    made = wishes(source, source.pick((1, 1, 2, 2, 3, 4)))
    wanted = made[0]
    messages = [*opening(source, wanted.ask), calls(wanted.call, think=think)]
    return Chat(tuple(messages), (wanted.key,), tools_of(source, made), think)


def choose(source: Source, think: bool = False) -> Chat:
    """Three tools whose names say nothing, or not enough: the descriptions decide."""
    made = wishes(source, 3, everyday_share=0.9)
    if source.chance(0.6):
        made = [_renamed(source, it) for it in made]
    wanted = made[0]
    messages = [*opening(source, wanted.ask), calls(wanted.call, think=think)]
    return Chat(tuple(messages), (wanted.key,), tools_of(source, made), think)


def _renamed(source: Source, it: Wish) -> Wish:
    name = source.pick((source.word(), f"tool_{source.word()}", f"{source.word()}_{source.word()}"))
    if it.tool.name in it.ask:
        return it
    return Wish(replace(it.tool, name=name), it.ask, replace(it.call, name=name))


def parallel(source: Source, think: bool = False) -> Chat:
    """Two calls in one answer, of two tools, or of one tool twice."""
    made = wishes(source, source.pick((2, 2, 2, 3)))
    first, second = made[0], made[1]
    if source.chance(0.25):
        twice = _again(source, first)
        if twice is not None:
            second = twice
            made = [first, *made[2:]]
    ask = (
        source.say(source.wording(_JOINS))
        .replace("{a}", _ended(first.ask))
        .replace("{b}", second.ask)
    )
    messages = [*opening(source, ask), calls(first.call, second.call, think=think)]
    keys = (first.key, second.key)
    return Chat(tuple(messages), keys, tools_of(source, made), think)


def _again(source: Source, it: Wish) -> Wish | None:
    """The same wish with other words in it, where its only argument is one word of the request."""
    values = list(it.call.arguments.items())
    if len(values) != 1:
        return None
    name, given = values[0]
    if not isinstance(given, str) or it.ask.count(given) != 1 or not given.isalpha():
        return None
    other = source.word()
    other = other.capitalize() if given[0].isupper() else other
    if it.tool.parameters["properties"][name].get("enum"):
        return None
    ask = it.ask.replace(given, other)
    return replace(it, ask=ask, call=Call(it.call.name, {name: other}))


def _ended(text: str) -> str:
    return text if text[-1] in ".?!" else f"{text}."


def none(source: Source, ask: Ask, think: bool = False) -> Chat:
    """There are tools, but the request is for none of them."""
    made = wishes(source, source.pick((1, 1, 2, 3)), without=ANSWERABLE)
    it = ask(source)
    message = Message("assistant", it.answer, "No tool is needed." if think else "")
    return Chat((*opening(source, it.ask), message), it.keys, tools_of(source, made), think)
