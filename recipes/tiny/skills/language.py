"""Opposites, plurals, translations, and greetings in other languages."""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.facts.language import GREETINGS, LANGUAGES, OPPOSITE, PLURALS, WORDS
from recipes.tiny.source import Source

_SINGULARS = {plural: singular for singular, plural in PLURALS.items()}
_Q = "(|'|\")"
_OPPOSITES = (
    "(which|what) word is the (opposite|antonym) of {x}", "{x} and its opposite: what is it",
    "{x}'s (opposite|antonym)", "(what|which word) means the opposite of {x}", "opposite: {x}",
    "what is {x} the opposite of", "if something is not {x}, what is it", "the reverse of {x} is what",
    "{x} is the opposite of (what|which word)", "what's the contrary of {x}",
    "{x}: (opposite|antonym)", "which word is opposed to {x}", "{x}. Say the opposite",
)  # fmt: skip
_PLURAL = (
    "how do you (say|write|spell) more than one {x}", "one {x}, two (what|...)", "{x} in the plural",
    "(make|turn|put) {x} (plural|into (the|a) plural|in the plural)", "pluralise {x}", "plural: {x}",
    "one {x}, many (what|...)", "what do you call more than one {x}", "if there is more than one {x}, they are called",
    "I have one {x}. With another one I have two (what|...)",
)  # fmt: skip
_SINGULAR = (
    "{x} in the singular", "(make|turn|put) {x} (singular|into (the|a) singular|in the singular)",
    "singular: {x}", "many {x}, but one (what|...)", "what do you call only one of the {x}",
)  # fmt: skip
_TRANSLATE = (
    "(how do you say|how to say|how do I say|what is|what's) {q}{x}{q} in {language}", "translate {q}{x}{q} (to|into) {language}",
    "{x} in {language}", "(what is|tell me|give me) the {language} (word|translation) (for|of) {q}{x}{q}",
    "{language} (word |)for {q}{x}{q}", "{q}{x}{q} (to|into) {language}", "how would a {language} speaker say {q}{x}{q}",
    "(which|what) {language} word means {q}{x}{q}", "say {q}{x}{q} in {language}", "in {language}, what is {q}{x}{q}",
    "what do they call {q}{x}{q} in {language}", "I need {q}{x}{q} in {language}", "I am learning {language}. What is {q}{x}{q}",
)  # fmt: skip
_HELLO = (
    "(how do you say|how to say|how do I say|what is|what's) (hello|hi|'hello') in {language}",
    "say (hello|hi) in {language}", "(greet me|give me a greeting) in {language}", "a {language} greeting",
    "(what is|tell me|give me) the {language} (word|greeting) for (hello|hi)", "hello in {language}",
    "translate hello (to|into) {language}", "how (do|would) people (greet|say hello) in {language}",
    "what do {language} speakers say when they meet", "how can I greet someone in {language}",
    "I want to say hello in {language}", "teach me to say hello in {language}",
)  # fmt: skip


def opposite(source: Source) -> Exchange:
    word = source.pick(tuple(OPPOSITE))
    mark = source.pick(("", "", "", "'", '"'))
    slots = {"x": f"{mark}{word}{mark}"}
    if source.chance(0.5):
        ask = source.noun(
            "(the |the |)(opposite|opposite|antonym|contrary) (of|of the word) {x}", **slots
        )
    else:
        ask = source.say(source.wording(_OPPOSITES), **slots)
    ask = source.around(ask)
    answer = f"The opposite of {word} is {OPPOSITE[word]}."
    return Exchange(ask, answer, (ask,), f"The user wants the opposite of {word}.")


def plural(source: Source) -> Exchange:
    mark = source.pick(("", "", "", "'", '"'))
    wants = "plural" if source.chance(0.65) else "singular"
    table, asks = (PLURALS, _PLURAL) if wants == "plural" else (_SINGULARS, _SINGULAR)
    word = source.pick(tuple(table))
    slots = {"x": f"{mark}{word}{mark}"}
    if source.chance(0.6):
        ask = source.noun(f"(the |the |){wants}( form|) (of|of|of the word) {{x}}", **slots)
    else:
        ask = source.say(source.wording(asks), **slots)
    ask = source.around(ask)
    answer = f"The {wants} of {word} is {table[word]}."
    return Exchange(ask, answer, (ask,), f"The user wants the {wants} of {word}.")


def translate(source: Source) -> Exchange:
    word = source.pick(tuple(WORDS))
    at = source.number(0, len(LANGUAGES) - 1)
    language = LANGUAGES[at]
    mark = source.pick(("", "", "'", '"'))
    ask = source.around(source.say(source.wording(_TRANSLATE), x=word, language=language, q=mark))
    answer = f'"{word}" in {language} is "{WORDS[word][at]}".'
    return Exchange(ask, answer, (ask,), f"The user wants {word} in {language}.")


def hello(source: Source) -> Exchange:
    """Greeted in a language, greet back in it; asked for a greeting, give it."""
    language = source.pick(tuple(GREETINGS))
    word, reply = GREETINGS[language]
    if source.chance(0.4):
        ending = source.pick(
            ("", "!", ".", " !", "!!", "?", "..", " :)", "! Hello!", ", my friend!")
        )
        opening = source.pick(
            ("", "", "", "Hi! ", "Hello, ", "Hey! ", "So: ", "Well, ", "Ok. ", "And ")
        )
        ask = opening + (word.lower() if source.chance(0.25) else word) + ending
        return Exchange(ask, reply, (ask,), f"This is a greeting in {language}.")
    ask = source.around(source.say(source.wording(_HELLO), language=language))
    answer = f'Hello in {language} is "{word}".'
    return Exchange(ask, answer, (ask,), f"The user wants a greeting in {language}.")
