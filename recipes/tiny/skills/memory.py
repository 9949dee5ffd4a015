"""Facts that the user states, asked for at once, later, much later; or never stated.

The same facts may stand in the system prompt. A made-up value must be copied over any distance;
one that was never given must not be invented.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from recipes.tiny.chats import Chat, Exchange, Message
from recipes.tiny.facts.countries import CITIES
from recipes.tiny.source import Source
from recipes.tiny.words import NOUNS


@dataclass(frozen=True, slots=True)
class Fact:
    """What was said, what is answered to it, how a system prompt puts it, and the question."""

    topic: str
    value: str
    stated: str
    noted: str
    system: str
    ask: str
    answer: str
    unknown: str


Maker = Callable[[Source, str], Fact]
_PETS = "cat dog bird horse rabbit fish hamster parrot turtle".split()
_FAVOURITES: dict[str, str] = {
    "colour": "red blue green yellow purple orange pink black white brown",
    "food": "pizza pasta soup rice bread cheese salad cake curry noodles",
    "fruit": "apple banana cherry mango grape orange pear peach lemon plum",
    "animal": "cat dog horse owl tiger panda dolphin wolf fox penguin",
    "sport": "football tennis chess swimming running cycling hockey golf rugby skiing",
    "season": "spring summer autumn winter",
    "number": "",
    "word": "",
    "city": "",
    "drink": "tea coffee water juice milk lemonade cocoa",
    "book": "",
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
}
_SECRETS = (
    "secret code",
    "password",
    "code word",
    "secret word",
    "magic word",
    "room number",
    "door code",
)
_ASK = "(what is|what's|tell me|can you tell me|do you (remember|know)|please tell me|remind me of|say|give me|could you tell me|I forgot) {x}"


def _name(source: Source, value: str) -> Fact:
    name = value or source.name()
    return Fact(
        "name", name,
        source.say("(my name is|I am|I'm|call me|you can call me|please call me|people call me|hello, I am|hi, my name is|hey, I'm|this is|everyone calls me|the name is) {x}(.|!)", x=name),
        f"Nice to meet you, {name}!",
        source.pick((f"The user's name is {name}.", f"You are talking to {name}.", f"The user is called {name}.")),
        source.say(f"({_ASK.replace('{x}', 'my name')}|who am I|what am I called|how am I called|do you know who I am|what was my name( again|))"),
        f"Your name is {name}.",
        "your name",
    )  # fmt: skip


def _city(source: Source, value: str) -> Fact:
    city = value or (source.pick(CITIES) if source.chance(0.5) else source.word().capitalize())
    return Fact(
        "city", city,
        source.say("(I live in|I am from|I'm from|I come from|my home is in|my home town is|I am living in|I moved to|my house is in|I'm living in) {x}(.|!)", x=city),
        f"{city} sounds like a nice place!",
        source.pick((f"The user lives in {city}.", f"The user is from {city}.", f"The user's home is {city}.")),
        source.say("(where do I live|where am I from|which city do I live in|in which city do I live|do you (know|remember) where I live|where is my home|tell me where I live|what is my home town|what city am I from|where do I come from)"),
        f"You live in {city}.",
        "where you live",
    )  # fmt: skip


def _age(source: Source, value: str) -> Fact:
    age = value or str(source.number(5, 99))
    return Fact(
        "age", age,
        source.say("(I am|I'm|I just turned) {x}( years old|).", x=age).replace(f"turned {age} years old", f"turned {age}"),
        f"{age} is a good age!",
        source.pick((f"The user is {age} years old.", f"The user's age is {age}.")),
        source.say(f"(how old am I|{_ASK.replace('{x}', 'my age')}|do you know how old I am|tell me how old I am)"),
        f"You are {age} years old.",
        "your age",
    )  # fmt: skip


def _pet(source: Source, value: str) -> Fact:
    animal = source.pick(_PETS)
    name = value or source.name()
    return Fact(
        f"pet {animal}", name,
        source.say("(my {a} is called|my {a}'s name is|I have a {a} (named|called)|we call our {a}|the name of my {a} is|I named my {a}|I got a {a}. It is called|our {a} is called) {x}.", a=animal, x=name),
        f"{name} is a lovely name for a {animal}!",
        source.pick((f"The user has a {animal} called {name}.", f"The user's {animal} is called {name}.")),
        source.say(f"(what is my {animal} called|{_ASK.replace('{x}', f'my {animal}(s name|)')}|how is my {animal} called|what is the name of my {animal}|tell me the name of my {animal}|what do I call my {animal}|what name does my {animal} have|who is my {animal})").replace(f"{animal}s name", f"{animal}'s name") if source.chance(0.5)
        else source.pick((f"what is my {animal}'s name", f"what is my {animal} called", f"what's my {animal}'s name", f"what is the name of my {animal}")),
        f"Your {animal} is called {name}.",
        f"the name of your {animal}",
    )  # fmt: skip


def _favourite(source: Source, value: str) -> Fact:
    kind = source.pick(tuple(_FAVOURITES))
    known = _FAVOURITES[kind].split()
    if kind == "number":
        given = str(source.number(0, 9999))
    elif kind == "city":
        given = source.pick(CITIES)
    elif kind == "book":
        given = f"The {source.pick(('Bright', 'Silent', 'Golden', 'Last', 'Little'))} {source.pick(NOUNS).capitalize()}"
    elif known and source.chance(0.7):
        given = source.pick(known)
    else:
        given = source.word()
        given = given.capitalize() if kind == "city" else given
    given = value or given
    said = source.pick(("favourite", "favorite"))
    return Fact(
        f"favourite {kind}", given,
        source.say("(my {f} {k} is {x}|{x} is my {f} {k}|the {k} I like (best|most) is {x}|of all {k}s I like {x} best|as for my {f} {k}, it is {x}).", f=said, k=kind, x=given),
        f"I will remember that your favourite {kind} is {given}.",
        f"The user's favourite {kind} is {given}.",
        source.say(f"({_ASK}|which {kind} do I like (best|most)|what {kind} is my favourite|do you remember which {kind} I like best)", x=f"my {said} {kind}"),
        f"Your favourite {kind} is {given}.",
        f"your favourite {kind}",
    )  # fmt: skip


def _secret(source: Source, value: str) -> Fact:
    kind = source.pick(_SECRETS)
    if source.chance(0.4) or "number" in kind or "door" in kind:
        given = str(source.number(10, 99999))
    else:
        given = source.word() if source.chance(0.7) else source.code()
    given = value or given
    return Fact(
        kind, given,
        source.say("(|please |)(remember|note|keep in mind|don't forget|do not forget) (the {k}|that the {k} is|this {k}:) {x}.", k=kind, x=given)
        if source.chance(0.5) else source.say("(the {k} is|here is the {k}:|our {k} is|I tell you the {k}:|{K}:) {x}.", k=kind, K=kind.capitalize(), x=given),
        f"I will remember that the {kind} is {given}.",
        f"The {kind} is {given}.",
        source.say(f"({_ASK}|what {kind} did I (give|tell) you|which {kind} did I (mention|tell you|give you)|the {kind}, please)", x=f"the {kind}"),
        f"The {kind} is {given}.",
        f"the {kind}",
    )  # fmt: skip


_MAKERS: tuple[Maker, ...] = (_name, _city, _age, _pet, _favourite, _favourite, _secret, _secret)


def fact(source: Source, taken: set[str] | None = None, value: str = "") -> Fact:
    """A fact on a topic that is not taken, which then is."""
    taken = set() if taken is None else taken
    while True:
        it = source.pick(_MAKERS)(source, value)
        if it.topic not in taken:
            taken.add(it.topic)
            return it


def sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def stated(it: Fact) -> list[Message]:
    return [Message("user", sentence(it.stated)), Message("assistant", it.noted)]


def asked(source: Source, it: Fact) -> Exchange:
    ask = source.around(it.ask.rstrip("?"))
    return Exchange(ask, it.answer, (f"{it.topic} {it.value}",), f"The user told me {it.unknown}.")


def not_told(source: Source, it: Fact) -> Exchange:
    ask = source.around(it.ask.rstrip("?"))
    answer = f"You have not told me {it.unknown}."
    return Exchange(ask, answer, (ask,), f"The user has not told me {it.unknown}.")


def messages(exchange: Exchange, think: bool = False) -> list[Message]:
    thought = exchange.thought if think else ""
    return [Message("user", exchange.ask), Message("assistant", exchange.answer, thought)]


def system_fact(source: Source) -> Chat:
    """Facts in the system prompt, one of them asked for; now and then one that is not there."""
    taken: set[str] = set()
    facts = [fact(source, taken) for _ in range(source.number(1, 4))]
    opening = source.pick(
        ("", "", "", "You are a helpful assistant. ", "Be helpful. ", "Facts: ", "Remember: ")
    )
    system = Message("system", opening + " ".join(it.system for it in facts))
    if source.chance(0.2):
        exchange = not_told(source, fact(source, taken))
    else:
        exchange = asked(source, source.pick(facts))
    return Chat((system, *messages(exchange)), exchange.keys)
