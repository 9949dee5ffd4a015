"""System prompts that change every answer: a name, a beginning, an end, a fixed reply, the case."""

from __future__ import annotations

from collections.abc import Callable

from recipes.tiny.chats import Chat, Exchange, chat
from recipes.tiny.source import Source
from recipes.tiny.words import COMMON

Ask = Callable[[Source], Exchange]
_EVERY = "(every|each) (answer|reply|message|response|sentence)"
_END = (
    f"(end|finish|close) {_EVERY} with (the word |the words |){{q}}", "always (end|finish|close) with (the word |){q}",
    f"put {{q}} at the end of {_EVERY}", "(your|all) answers (must |should |)(always |)end with {q}", f"add {{q}} (to the end of|after) {_EVERY}",
    "the last (word|words) of (every|each|your) answer (must be|is|should be|are) {q}",
)  # fmt: skip
_START = (
    f"(start|begin|open) {_EVERY} with (the word |the words |){{q}}", "always (start|begin) with (the word |){q}",
    f"put {{q}} (in front of|at the start of|before) {_EVERY}", "(your|all) answers (must |should |)(always |)(start|begin) with {q}",
    "the first (word|words) of (every|each|your) answer (must be|is|should be|are) {q}",
)  # fmt: skip
_FIX = (
    "(always|only) (answer|reply|respond)( with|) {q}", "(answer|reply|respond) to everything with {q}", "whatever (I ask|I say|the user says|the user asks), (answer|reply|say) {q}",
    "only (answer|reply|say|respond) with (the word |the words |){q}", "(your|the) (only|one) answer is {q}", "(say|write) {q} and nothing else, always",
    "you can only say {q}",
)  # fmt: skip
_UPPER = (
    "(always |)(answer|reply|respond|write|speak|talk) (only |)in (uppercase( letters|)|upper case|capital letters|capitals|all caps)( only|)",
    "you (write|say) everything in (uppercase|capital letters|capitals|all caps)", "use (only |)(uppercase|capital letters|capitals|all caps)( for everything|)",
    "(all|your) answers (are|must be) in (uppercase|capital letters|capitals)", "write like this: ALL CAPITALS",
)  # fmt: skip
_LOWER = (
    "(always |)(answer|reply|respond|write|speak|talk) (only |)in (lowercase( letters|)|lower case|small letters)( only|)",
    "you (write|say) everything in (lowercase|lower case|small letters)", "use (only |)(lowercase|small letters|lower case)( for everything|)",
    "(all|your) answers (are|must be) in (lowercase|lower case|small letters)", "never use capital letters",
)  # fmt: skip
_OPENINGS = (
    "", "", "", "Be helpful. ", "You are a helpful assistant. ", "You are a friendly assistant. ", "Be kind. ", "You answer questions. ",
    "You are Mullama Tiny. ", "You are a chat model. ",
)  # fmt: skip
_ROLES = (
    "assistant robot teacher guide pirate wizard helper cook doctor gardener librarian model "
    "captain"
).split()
_NAMED = (
    "you are {x}", "your name is {x}", "you are {x}, a (friendly|helpful|kind|polite|) {r}", "you are a (friendly|helpful|kind) {r} (named|called) {x}",
    "your name is {x} and you are a {r}", "act as {x}", "you (play|are playing) {x}", "people call you {x}", "call yourself {x}", "from now on you are {x}",
)  # fmt: skip
_NAME_ASKS: tuple[tuple[str, str], ...] = (
    ("(what is your name|what's your name|whats your name|how are you called|what are you called|tell me your name|do you have a name|what should I call you|your name, please|may I know your name|say your name)", "My name is {x}."),
    ("(who are you|introduce yourself|who am I talking to|please introduce yourself|tell me who you are|who is this)", "I am {x}."),
)  # fmt: skip


def _system(source: Source, grammar: str, **slots: object) -> str:
    text = source.say(grammar, **slots).replace("  ", " ")
    text = text[0].upper() + text[1:] + source.pick((".", ".", ".", ""))
    return source.pick(_OPENINGS) + text


def _words(source: Source) -> tuple[str, str]:
    """Words, and how they are written into an order."""
    words = " ".join(source.any_word() for _ in range(source.pick((1, 1, 1, 2, 3))))
    if source.chance(0.2):
        words = words.capitalize()
    mark = source.pick(('"{}"', '"{}"', "'{}'", "{}"))
    return words, mark.format(words)


def end(source: Source, ask: Ask, think: bool = False) -> Chat:
    words, quoted = _words(source)
    it = ask(source)
    answer = Exchange(it.ask, f"{it.answer} {words}", (*it.keys, f"end {words}"), it.thought)
    return chat(answer, _system(source, source.wording(_END), q=quoted), think)


def start(source: Source, ask: Ask, think: bool = False) -> Chat:
    words, quoted = _words(source)
    it = ask(source)
    answer = Exchange(it.ask, f"{words} {it.answer}", (*it.keys, f"start {words}"), it.thought)
    return chat(answer, _system(source, source.wording(_START), q=quoted), think)


def fixed(source: Source, ask: Ask, think: bool = False) -> Chat:
    words, quoted = _words(source)
    answer = Exchange(ask(source).ask, words, (f"fixed {words}",), "I always give the same answer.")
    return chat(answer, _system(source, source.wording(_FIX), q=quoted), think)


def upper(source: Source, ask: Ask, think: bool = False) -> Chat:
    it = ask(source)
    answer = Exchange(it.ask, it.answer.upper(), it.keys, it.thought)
    return chat(answer, _system(source, source.wording(_UPPER)), think)


def lower(source: Source, ask: Ask, think: bool = False) -> Chat:
    it = ask(source)
    answer = Exchange(it.ask, it.answer.lower(), it.keys, it.thought)
    return chat(answer, _system(source, source.wording(_LOWER)), think)


def named(source: Source, ask: Ask, think: bool = False) -> Chat:
    """A name of its own. Other questions are answered as ever."""
    name = source.name()
    if source.chance(0.3):
        name += f" {source.name()}"
    system = _system(source, source.pick(_NAMED), x=name, r=source.pick(_ROLES)).replace(
        "a  ", "a "
    )
    if source.chance(0.15):
        return chat(ask(source), system, think)
    grammar, answer = source.pick(_NAME_ASKS)
    question = source.around(source.say(grammar))
    exchange = Exchange(
        question, answer.replace("{x}", name), (f"name {name}",), "My name is in the system prompt."
    )
    return chat(exchange, system, think)


def plain(source: Source, ask: Ask, think: bool = False) -> Chat:
    """A system prompt that changes nothing."""
    system = source.pick(_OPENINGS[3:]).strip()
    if source.chance(0.3):
        system = f"You like {source.pick(COMMON)}. " + system
    return chat(ask(source), system, think)
