"""Two instructions in one message, answered in their order on two lines; or one that forms the other."""

from __future__ import annotations

from collections.abc import Callable

from recipes.tiny.chats import Exchange
from recipes.tiny.source import Source

Ask = Callable[[Source], Exchange]
_BOTH = (
    "{a} (And|Also,|Then:|Also:|And then:|After that:|Next:|Second:|Plus:|Second question:) {b}", "{a}\n{b}", "1. {a}\n2. {b}", "First: {a} Second: {b}",
    "Two (things|questions|tasks): {a} {b}", "(Answer both|Do both|Both, please)(: |:\n){a}\n{b}", "{a} {b}", "First, {a} Then, {b}", "a. {a} b. {b}", "- {a}\n- {b}",
)  # fmt: skip
_FORMED: tuple[tuple[str, Callable[[str], str]], ...] = (
    (
        "(answer|reply|say it|write it|respond)( only|) in (uppercase|capital letters|capitals|all caps)",
        str.upper,
    ),
    (
        "(answer|reply|say it|write it|respond)( only|) in (lowercase|lower case|small letters)",
        str.lower,
    ),
    (
        '(give|write) the answer as JSON with the (key|field) "answer"',
        lambda text: '{"answer": "' + text + '"}',
    ),
    ("(put|write|give) (the|your) answer in (quotes|quotation marks)", lambda text: f'"{text}"'),
    ("(put|write|give) (the|your) answer in brackets", lambda text: f"({text})"),
    ("(say|write|answer|give the answer) twice", lambda text: f"{text} {text}"),
    ("(start|begin) (the answer |)with a star", lambda text: f"* {text}"),
    ("(use|make it) bold( text|)", lambda text: f"**{text}**"),
)


def _end(text: str) -> str:
    return text if text[-1] in ".?!" else f"{text}."


def both(source: Source, ask: Ask) -> Exchange:
    one, two = ask(source), ask(source)
    text = source.say(source.wording(_BOTH)).replace("{a}", _end(one.ask)).replace("{b}", two.ask)
    keys = (*one.keys, *two.keys)
    return Exchange(text, f"{one.answer}\n{two.answer}", keys, "There are two things to answer.")


def formed(source: Source, ask: Ask) -> Exchange:
    """A question, and how the answer is to look; or a word that must end or begin it."""
    it = ask(source)
    if source.chance(0.35):
        word = source.any_word()
        first = source.chance(0.5)
        how = source.say(
            "(start|begin) with {q}" if first else "(end|finish) with {q}",
            q=source.pick((f'"{word}"', f"the word {word}")),
        )
        answer = f"{word} {it.answer}" if first else f"{it.answer} {word}"
        keys = (*it.keys, f"{first} {word}")
    else:
        grammar, form = source.pick(_FORMED)
        answer = form(it.answer)
        if '"' in it.answer and answer.startswith("{"):
            answer = form(it.answer.replace('"', '\\"'))
        how, keys = source.say(grammar), it.keys
    text = f"{_end(it.ask)} {how[0].upper() + how[1:]}."
    return Exchange(text, answer, keys, "I answer in the form that is wanted.")


def two_instructions(source: Source, ask: Ask) -> Exchange:
    return both(source, ask) if source.chance(0.6) else formed(source, ask)
