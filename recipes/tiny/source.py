"""Where skills get their randomness: numbers, made-up words, names, and phrasings.

`say` expands a small grammar, `(a|b|)` for a choice and `{slot}` for a value, so that one line holds
hundreds of wordings. `ask` puts a wording into the shapes in which people ask: plain, polite,
indirect, with a greeting or a thank-you around it, without a capital or a question mark.

Most people ask plainly. So a source can be `plain` for a conversation: then wordings are the first
of their lists, without what can be left out of them, and typed with care.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from typing import TypeVar

from recipes.tiny.words import ADJECTIVES, COMMON, NAMES, NOUNS

T = TypeVar("T")
Node = str | tuple[tuple["Node", ...], ...]

_ONSETS = (
    "b c d f g h j k l m n p r s t v w z bl br ch cl cr dr fl fr gl gr kl kr pl pr qu sh sk "
    "sl sn sp st str th tr y"
).split()
_VOWELS = "a a a e e e i i o o o u u ai ea ee ou oo ie".split()
_CODAS = ["", "", "", *"n r s t l m k d x ck nd rt st th ng sh p b g lt".split()]

_OPENINGS = (
    "(Hi|Hello|Hey|Hi there|Hello there|Good morning|Good evening|Ok|Okay|So|Well|Right|Yo|Excuse me|"
    "Quick question|Question|One more thing|Next|Another one|I have a question|Help me out|"
    "Sorry to bother you|Just curious|Random question|A question for you|Now|Alright|Great|Thanks|"
    "One thing|Hm)(,|,|!|.|:|...| -|,)"
)
_CLOSINGS = (
    "(Thanks!|Thank you!|Thanks|Thank you.|Thanks in advance!|Please.|Please!|I need it for "
    "(school|work|a quiz|my (son|daughter|friend)).|I am curious.|I always forget.|I forgot.|"
    "It is for (a crossword|a game|my homework).|Be quick.|Go.|Cheers!|Much appreciated.)"
)
_CHATTER = (
    "(I was just thinking about something.|My friend and I are having a debate.|We are doing a quiz "
    "tonight.|My teacher asked us this today.|I am doing my homework.|It is raining here.|I am "
    "tired today.|I just had lunch.|I am learning new things.|My {thing} is {adjective} today.|I saw "
    "the {adjective} {thing} this morning.|{name} asked me something.|{name} wants to know something.|"
    "I am on the train.|Let us try something.|Here is a question for you.|You can help me, I hope.|"
    "I am (in|near|at) the {thing}.|{name} is {adjective}.|My {thing} is next to the {other}.|"
    "There is something that I want to know.|I could not sleep last night.|We talked about it "
    "(at work|at school|at dinner).)"
)
_POLITE = (
    "(please {x}|(can|could|would|will) you (please |)(just |quickly |){x}|"
    "(can|could) you {x} for me|I want you to {x}|I need you to {x}|I would like you to {x}|"
    "I'd like you to {x}|{x} please|{x}, please|{x} for me|just {x}|go ahead and {x}|"
    "now {x}|your task: {x}|let's see if you can {x}|try to {x}|help me and {x}|"
    "be so kind as to {x}|kindly {x}|are you able to {x}|I wonder if you can {x})"
)
_NOUN = (
    "(what is {x}|what's {x}|whats {x}|what would be {x}|tell me {x}|give me {x}|name {x}|say {x}|"
    "I want to know {x}|I need {x}|I need to know {x}|I would like to know {x}|I'd like to know {x}|"
    "do you know {x}|do you know what {x} is|can you tell me {x}|could you tell me {x}|"
    "can you tell me what {x} is|can you give me {x}|could you give me {x}|please tell me {x}|"
    "please give me {x}|any idea what {x} is|I wonder what {x} is|I am looking for {x}|"
    "remind me of {x}|remind me what {x} is|let me know {x}|show me {x}|{x}|{x}, please|"
    "{x} please|would you tell me {x}|tell me what {x} is|I forgot {x}|I forgot what {x} is|"
    "find out {x}|state {x}|so what is {x}|what exactly is {x}|help me with {x}|"
    "I am trying to remember {x}|what could {x} be|maybe you know {x}|{x}, do you know it|"
    "what was {x} again|what is {x} again|I am asking for {x})"
)


class Source:
    """A seeded random source. Equal seeds give equal chats on every machine."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed)
        self.plain = False

    # -- values -------------------------------------------------------------------------------

    def chance(self, p: float) -> bool:
        return self.random.random() < p

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.random.random() * len(items))]

    def sample(self, items: Sequence[T], n: int) -> list[T]:
        return self.random.sample(items, n)

    def number(self, low: int, high: int) -> int:
        """Between low and high, both included."""
        return low + int(self.random.random() * (high - low + 1))

    def word(self) -> str:
        """A made-up word, such as "skaiprax"."""
        n = self.pick((1, 2, 2, 2, 3))
        word = "".join(self.pick(_ONSETS) + self.pick(_VOWELS) for _ in range(n))
        return word + self.pick(_CODAS)

    def any_word(self) -> str:
        return self.word() if self.chance(0.5) else self.pick(COMMON)

    def words(self, low: int, high: int) -> str:
        return " ".join(self.any_word() for _ in range(self.number(low, high)))

    def name(self) -> str:
        """A first name, half of them made up."""
        return self.word().capitalize() if self.chance(0.5) else self.pick(NAMES)

    def code(self) -> str:
        """Letters and digits without sense, such as "Rx7_kQ2"."""
        signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        text = "".join(self.pick(signs) for _ in range(self.number(3, 9)))
        at = self.number(1, len(text) - 1)
        return text[:at] + self.pick("-_.:#/") + text[at:] if self.chance(0.3) else text

    # -- phrasings ----------------------------------------------------------------------------

    def wording(self, grammars: Sequence[str]) -> str:
        """One of several ways to say the same; the plainest stand first in their list."""
        return self.pick(grammars[: -(-len(grammars) // 5)] if self.plain else grammars)

    def say(self, grammar: str, **slots: object) -> str:
        """One of the texts that a grammar stands for, with its slots filled."""
        parts: list[str] = []
        self._expand(_parse(grammar), parts)
        text = "".join(parts)
        if "{" in text:
            for slot, value in slots.items():
                text = text.replace("{" + slot + "}", str(value))
        return text

    def _expand(self, sequence: tuple[Node, ...], parts: list[str]) -> None:
        for node in sequence:
            if isinstance(node, str):
                parts.append(node)
            elif self.plain:
                self._expand(_plainest(node), parts)
            else:
                self._expand(self.pick(node), parts)

    def noun(self, grammar: str, **slots: object) -> str:
        """A question for a thing that can be named: "the capital of France"."""
        return self._filled(_NOUN, self.say(grammar, **slots))

    def order(self, grammar: str, plain: float = 0.5, **slots: object) -> str:
        """A request that begins with a verb: "sort these numbers: ...", often politely."""
        text = self.say(grammar, **slots)
        return text if self.plain or self.chance(plain) else self._filled(_POLITE, text)

    def _filled(self, grammar: str, text: str) -> str:
        return self.say(grammar).replace("{x}", text)

    def around(self, text: str, fragile: bool = False) -> str:
        """A request as people type it. `fragile` texts keep their letters and their end."""
        if self.plain:
            return self._carefully(text, fragile)
        if fragile:
            text = text[0].upper() + text[1:] if self.chance(0.75) else text
        else:
            text = self._typed(text)
        if self.chance(0.16):
            opening = self.say(_OPENINGS)
            lower = self.chance(0.5) and text[1:2].islower()
            text = f"{opening} {text[0].lower() + text[1:] if lower else text}"
        elif self.chance(0.08):
            text = f"{self._chatter()} {text}"
        elif self.chance(0.07):
            text = f"{self._aside()} {text}"
        if not fragile and self.chance(0.1):
            end = "" if text[-1] in ".!?" else "."
            closing = self.say(_CLOSINGS) if self.chance(0.5) else self._chatter()
            closing = self._aside() if self.chance(0.25) else closing
            text = f"{text}{end} {closing}"
        if not fragile and self.chance(0.03):
            for word, short in _SHORT.items():
                text = text.replace(word, short)
        return text

    def _chatter(self) -> str:
        """A sentence that has nothing to do with it."""
        thing, other = self.sample(NOUNS, 2)
        slots = {
            "thing": thing,
            "other": other,
            "adjective": self.pick(ADJECTIVES),
            "name": self.name(),
        }
        return self.say(_CHATTER, **slots)

    def _aside(self) -> str:
        """A few words of any kind: most of what people say around a request is in no list."""
        said = " ".join(self.pick(COMMON) for _ in range(self.number(1, 5)))
        said = said[0].upper() + said[1:] if self.chance(0.7) else said
        return said + self.pick((":", ",", "!", "...", " -", ".", "?", ";"))

    def _carefully(self, text: str, fragile: bool) -> str:
        if not fragile and text[-1] not in ".!?:":
            text += "?" if _asks(text) else "."
        return text[0].upper() + text[1:]

    def _typed(self, text: str) -> str:
        style = self.random.random()
        asks = _asks(text)
        if text[-1] not in ".!?:":
            if style < 0.62:
                text += "?" if asks else self.pick((".", ".", "!", "")) if len(text) > 40 else "."
            elif style < 0.68:
                text += self.pick(("?", "?", "??", "!", " ?", "...", "?!"))
        if style < 0.75 or (0.75 < style < 0.9 and text.startswith("I")):
            return text[0].upper() + text[1:]
        return text.lower() if style > 0.86 else text


_SHORT = {" you ": " u ", "Please ": "Pls ", "please": "pls", " are ": " r ", "Thanks": "Thx"}
_QUESTION_WORDS = (
    "what", "which", "who", "where", "when", "how", "is ", "are ", "do ", "does ", "can ", "could ",
    "would ", "will ", "any idea", "have ",
)  # fmt: skip


def _plainest(options: tuple[tuple[Node, ...], ...]) -> tuple[Node, ...]:
    """The likeliest alternative; of those as likely nothing, or else the first."""
    first = max(options, key=options.count)
    return () if () in options and options.count(first) == 1 else first


def _asks(text: str) -> bool:
    return text.lower().startswith(_QUESTION_WORDS)


@cache
def _parse(grammar: str) -> tuple[Node, ...]:
    """The grammar as a tree: text, or a tuple of alternatives, each a sequence."""
    sequence, end = _sequence(grammar, 0)
    if end != len(grammar):
        raise ValueError(f"unbalanced bracket at {end} in {grammar!r}")
    return sequence


def _sequence(grammar: str, at: int) -> tuple[tuple[Node, ...], int]:
    nodes: list[Node] = []
    text = ""
    while at < len(grammar) and grammar[at] not in "|)":
        if grammar[at] == "(":
            choice, at = _choice(grammar, at + 1)
            nodes += [text, choice]
            text = ""
        else:
            text += grammar[at]
            at += 1
    return tuple(node for node in [*nodes, text] if node), at


def _choice(grammar: str, at: int) -> tuple[tuple[tuple[Node, ...], ...], int]:
    options: list[tuple[Node, ...]] = []
    while True:
        option, at = _sequence(grammar, at)
        options.append(option)
        if at == len(grammar):
            raise ValueError(f"a bracket is not closed in {grammar!r}")
        if grammar[at] == ")":
            return tuple(options), at + 1
        at += 1
