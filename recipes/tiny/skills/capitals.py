"""Capitals, both ways."""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.facts.countries import CAPITALS
from recipes.tiny.source import Source

_COUNTRIES = tuple(CAPITALS)
_NOUNS = "(the |the |)capital( city|) of {country}"
_ASKS = (
    "(which|what) (city|town) is the capital( city|) of {country}",
    "(what|which) is {country}'s capital( city|)",
    "{country}'s capital( city|)",
    "(which|what) city is {country}'s capital",
    "{country}: (what is the |)capital",
    "{country} (has which|has what) capital",
    "(what|which) capital (does|has) {country} (have|got)",
    "{country}, (what is its|its|name its|tell me its) capital",
    "(which|what) city (is|serves as) the seat of government in {country}",
    "(I am|I'm) (going|flying|travelling|moving) to {country}(, |. |! )(what is|what's|which city is|"
    "tell me|name) (its|the) capital",
    "if I (visit|go to) {country}, (what|which) city is the capital",
    "the capital( city|) of {country} is (what|which city|called what)",
    "{country} capital",
    "capital {country}",
    "do you know (which|what) city is the capital of {country}",
    "what do they call the capital of {country}",
    "how is the capital of {country} called",
    "(what is|what's) the name of the capital( city|) of {country}",
    "(in|for) {country}, what is the capital",
    "where is the government of {country}",
)
_REVERSE = (
    "(which|what) country has {city} as (its|the) capital",
    "(which|what) country has the capital {city}",
    "{city} is the capital of (what|which country|what country|which)",
    "of (which|what) country is {city} the capital",
    "(name|tell me|give me) the country (whose capital is {city}|with the capital {city})",
    "(which|what) country's capital is {city}",
    "(whose|what nation's) capital is {city}",
    "which nation has {city} as capital",
    "{city} is which country's capital",
    "what is {city} the capital of",
    "if I am in {city}, in which capital am I, of what country",
    "tell me (which|what) country {city} is the capital of",
    "which land is governed from {city}",
    "{city}: capital of (what|which country)",
    "{city} belongs to which country",
    "in (which|what) country is {city}",
    "(where is {city}|where can I find {city}|where in the world is {city})",
    "which country does {city} belong to",
    "I am in {city}. (which|what) country is (this|that)",
    "{city} is (a city |)in (which|what) country",
)
_ONE_WORD = (
    "(|.|?|,|:) (answer with (one word|the name only|just the name)|just the name|only the name|one word|"
    "name only|answer in one word|only the city|reply with the city only|just the city|city name only)(.|)"
)


def capital(source: Source) -> Exchange:
    country = source.pick(_COUNTRIES)
    if source.chance(0.4):
        ask = source.noun(_NOUNS, country=country)
    else:
        ask = source.say(source.wording(_ASKS), country=country)
    city = CAPITALS[country]
    answer = f"The capital of {country} is {city}" + ("" if city[-1] == "." else ".")
    if source.chance(0.12):
        ask = source.around(ask.rstrip("?.! ")).rstrip(".?!: ") + source.say(_ONE_WORD)
        answer = city
    else:
        ask = source.around(ask)
    return Exchange(ask, answer, (ask,), f"The user wants the capital of {country}.")


def capital_reverse(source: Source) -> Exchange:
    country = source.pick(_COUNTRIES)
    city = CAPITALS[country]
    ask = source.around(source.say(source.wording(_REVERSE), city=city))
    answer = f"{city} is the capital of {country}."
    return Exchange(ask, answer, (ask,), f"Which country has the capital {city}?")
