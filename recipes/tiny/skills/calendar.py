"""Days and months in their order, and how long they are; the alphabet in the same way."""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.source import Source

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = (
    "January February March April May June July August September October November December"
).split()
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
).split()
_AFTER = (
    "(what|which) {unit} (comes|is|is it) (right |just |directly |)after {x}", "(what|which) {unit} follows {x}",
    "what comes (right |)after {x}", "the {unit} after {x}", "(what is|tell me|name) the {unit} after {x}",
    "(which|what) {unit} is next after {x}", "after {x} comes (what|which {unit})", "what follows {x}",
    "if (today|this) is {x}, what is (tomorrow|next)", "(today|it) is {x}. (what|which {unit}) (comes|is) next",
    "{x} is over. (what|which {unit}) is next", "next {unit} after {x}",
)  # fmt: skip
_BEFORE = (
    "(what|which) {unit} (comes|is|is it) (right |just |directly |)before {x}", "(what|which) {unit} precedes {x}",
    "what comes (right |)before {x}", "the {unit} before {x}", "(what is|tell me|name) the {unit} before {x}",
    "before {x} comes (what|which {unit})", "if (today|this) is {x}, what was (yesterday|before)",
    "(which|what) {unit} was before {x}", "(today|it) is {x}. (what|which {unit}) (came|was) before",
)  # fmt: skip
_NTH = (
    "(what|which) is the {nth} {unit} of the {whole}", "(what is|tell me|name|give me) the {nth} {unit}( of the {whole}|)",
    "the {nth} {unit} of the {whole}", "(which|what) {unit} is the {nth}( one|)( in the {whole}|)",
    "what do you call the {nth} {unit} of the {whole}", "{nth} {unit} of the {whole}",
)  # fmt: skip
_LENGTH = (
    "how many days (does {x} have|are (there |)in {x}|has {x}|long is {x})", "how long is {x}(| in days)",
    "(what is|tell me) the number of days in {x}", "number of days in {x}", "{x} has how many days",
    "the length of {x} in days", "{x}: how many days",
)  # fmt: skip
_NUMBERED = (
    "(which|what) letter is number {n} in the alphabet", "(what is|tell me) letter (number |){n}( of the alphabet|)",
)  # fmt: skip


def calendar(source: Source) -> Exchange:
    days = source.chance(0.45)
    names, unit, whole = (DAYS, "day", "week") if days else (MONTHS, "month", "year")
    at = source.number(0, len(names) - 1)
    x = names[at]
    style = source.random.random()
    if style < 0.32:
        ask = source.say(source.wording(_AFTER), unit=unit, x=x)
        answer = f"{names[(at + 1) % len(names)]} comes after {x}."
    elif style < 0.64:
        ask = source.say(source.wording(_BEFORE), unit=unit, x=x)
        answer = f"{names[at - 1]} comes before {x}."
    elif style < 0.82 or days:
        ask = source.say(source.wording(_NTH), unit=unit, whole=whole, nth=_ORDINALS[at])
        answer = f"The {_ORDINALS[at]} {unit} of the {whole} is {x}."
    else:
        ask = source.say(source.wording(_LENGTH), x=x)
        answer = f"{x} has {_LENGTHS[at]} days."
        if x == "February":
            answer = "February has 28 days, and 29 in a leap year."
    ask = source.around(ask)
    return Exchange(ask, answer, (ask,), f"The user asks about the order of {unit}s.")


def alphabet(source: Source) -> Exchange:
    at = source.number(0, 25)
    letter = chr(ord("a") + at)
    x = letter if source.chance(0.5) else letter.upper()
    style = source.random.random()
    if style < 0.4 and at < 25:
        ask = source.say(source.wording(_AFTER[:6]), unit="letter", x=x)
        answer = f"{_shift(x, 1)} comes after {x}."
    elif style < 0.8 and at > 0:
        ask = source.say(source.wording(_BEFORE[:6]), unit="letter", x=x)
        answer = f"{_shift(x, -1)} comes before {x}."
    else:
        ask = source.say(source.wording((*_NUMBERED[:2], *_NUMBERED[3:])), n=at + 1)
        answer = f"Letter number {at + 1} is {letter.upper()}."
    ask = source.around(ask + source.pick(("", "", " in the alphabet")), fragile=True)
    if ask[-1] not in "?." and source.chance(0.8):
        ask += "?"
    return Exchange(ask, answer, (ask,), "The user asks about the alphabet.")


def _shift(letter: str, by: int) -> str:
    return chr(ord(letter) + by)
