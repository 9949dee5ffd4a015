"""Colours, sounds of animals, definitions, emoji."""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.facts.world import COLOURS, DEFINITIONS, EMOJI, MIXES, SOUNDS
from recipes.tiny.source import Source

_C = "(colour|color)"
_COLOUR = (
    f"(what|which) {_C} (is|has) {{x}}", f"(what is|tell me|name) the {_C} of {{x}}", f"the {_C} of {{x}}",
    f"(what|which) {_C} does {{x}} have", f"{{x}} has (which|what) {_C}", f"what is {{x}}'s {_C}",
    f"{_C} of {{x}}", f"in (what|which) {_C} (do you|would you|should I) (paint|draw) {{x}}",
    f"{{x}}: (what|which) {_C}", f"(do you know|can you tell me) (what|which) {_C} {{x}} (is|has)",
    f"I want to (paint|draw) {{x}}. (what|which) {_C} do I need", f"{{x}} is (what|which) {_C}",
)  # fmt: skip
_MIX = (
    f"(what|which) {_C} do {{a}} and {{b}} (make|give)(| together)", "what do you get (when|if) you mix {a} (and|with) {b}",
    "mix {a} (and|with) {b}", "{a} and {b} make (what|which colour|which color)",
    f"(what|which) {_C} comes from {{a}} and {{b}}", "if I mix {a} paint with {b} paint, what do I get",
    "{a} plus {b} makes which (colour|color)", f"I have {{a}} and {{b}} paint. Which {_C} can I mix",
)  # fmt: skip
_SOUND = (
    "(what|which) (sound|noise) does {x} make", "what does {x} say", "how does {x} (sound|go)",
    "what is the (sound|noise) of {x}", "the sound (of {x}|that {x} makes)", "(tell me|name) the (sound|noise) that {x} makes",
    "{x} says (what|...)", "(do you know|can you tell me) what {x} says", "(what|which) (sound|noise) comes from {x}",
    "what do you hear when {x} makes a (sound|noise)", "{x} makes (what|which) (sound|noise)", "how do you imitate {x}",
)  # fmt: skip
_DEFINE = (
    "what is {x}", "define {x}", "explain {x}", "explain (to me |)what {x} is", "describe {x}",
    "(what is|give me|I need) (the definition|a definition) of {x}", "definition of {x}", "(tell me|say) what {x} is",
    "what does {bare} mean", "(what is|explain|tell me) the meaning of {bare}", "meaning of {bare}",
    "(can|could) you (explain|define|describe) {x}", "what do you know about {x}", "tell me about {x}",
    "what do people mean by {bare}", "how would you (define|explain|describe) {x}", "do you know what {x} is",
    "I do not know what {x} is", "what exactly is {x}", "{x}: what is (it|that)", "in simple words, what is {x}",
    "explain {x} to a child", "I have never heard of {x}. What is (it|that)", "what's {x}",
)  # fmt: skip
_EMOJI = (
    "(give|show|send) me (the|a) {x} emoji", "(what is|which is) the emoji for {x}", "{x} emoji", "emoji for {x}",
    "(show|send|write|type|print) (a|the) {x} emoji", "the {x} emoji", "I (need|want) (a|the) {x} emoji",
    "do you have (a|the) {x} emoji", "{x} as an emoji", "(which|what) emoji (shows|stands for|means) {x}",
    "answer with (a|the) {x} emoji", "turn {x} into an emoji",
)  # fmt: skip
_EMOJIS = (
    "(give|show|send) me {n} {x} emojis", "{n} {x} emojis", "(show|send|write|type|print) {n} {x} emojis",
    "I (need|want) {n} {x} emojis", "answer with {n} {x} emojis",
)  # fmt: skip
NUMBER_WORDS = "zero one two three four five six seven eight nine ten".split()


def colour(source: Source) -> Exchange:
    if source.chance(0.25):
        a, b = source.pick(tuple(MIXES))
        answer = f"{a.capitalize()} and {b} make {MIXES[a, b]}."
        if source.chance(0.5):
            a, b = b, a
            answer = f"{a.capitalize()} and {b} make {MIXES[b, a]}."
        ask = source.around(source.say(source.wording(_MIX), a=a, b=b))
        return Exchange(ask, answer, (ask,), f"The user mixes {a} and {b}.")
    thing = source.pick(tuple(COLOURS))
    ask = source.around(source.say(source.wording(_COLOUR), x=thing))
    answer = f"{thing[0].upper()}{thing[1:]} is {COLOURS[thing]}."
    return Exchange(ask, answer, (ask,), f"The user wants the colour of {thing}.")


def sound(source: Source) -> Exchange:
    animal = source.pick(tuple(SOUNDS))
    article = "an" if animal[0] in "aeiou" else "a"
    slot = source.pick((article, article, "the")) + f" {animal}"
    ask = source.around(source.say(source.wording(_SOUND), x=slot))
    answer = f"{article.capitalize()} {animal} says {SOUNDS[animal]}."
    return Exchange(ask, answer, (ask,), f"The user wants the sound of {article} {animal}.")


def definition(source: Source) -> Exchange:
    thing = source.pick(tuple(DEFINITIONS))
    bare = thing.split(" ", 1)[1] if thing.startswith(("a ", "an ", "the ")) else thing
    slot = bare if thing == bare or source.chance(0.12) else thing
    ask = source.around(source.say(source.wording(_DEFINE), x=slot, bare=bare))
    answer = f"{thing[0].upper()}{thing[1:]} is {DEFINITIONS[thing]}."
    return Exchange(ask, answer, (ask,), f"The user wants to know what {thing} is.")


def emoji(source: Source) -> Exchange:
    name = source.pick(tuple(EMOJI))
    n = 1
    if source.chance(0.7):
        ask = source.say(source.wording(_EMOJI), x=name)
    else:
        n = source.number(2, 5)
        number = NUMBER_WORDS[n] if source.chance(0.6) else str(n)
        ask = source.say(source.wording(_EMOJIS), x=name, n=number)
    if name[0] in "aeiou":
        ask = ask.replace(f" a {name}", f" an {name}")
    ask = source.around(ask)
    return Exchange(ask, EMOJI[name] * n, (ask,), "The user wants an emoji.")
