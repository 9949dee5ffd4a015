"""What the model can't know: it says so, instead of making something up.

Facts of kinds that it was never taught, definitions of nonsense, and a few questions that are as
near as possible to those that it can answer: capitals of countries that don't exist.
"""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.facts.countries import CAPITALS, CITIES
from recipes.tiny.source import Source
from recipes.tiny.words import NOUNS

ANSWER = "I am sorry, I do not know that. I am only a tiny model."
_ASKS = (
    "(what is|tell me|give me|do you know) the (population|area|size|currency|flag|national anthem|highest mountain|longest river|history|king|queen) of {country}",
    "how many people live in {place}", "how (big|large|far|rich|old|hot) is {place}", "what is the weather (like |)(in {place}|today|tomorrow|outside)",
    "will it (rain|snow) (tomorrow|today|in {place})", "who (is|was) the (president|king|queen|prime minister|mayor|leader) of {place}( in {year}|)",
    "when (was|did) {name} (born|die)", "how (old|tall|rich) is {name} {Word}", "who (is|was) {name} {Word}", "what is the phone number of {name}",
    "what happened in {year}", "who won the (world cup|war|election|match|race|game) in {year}", "(what|which) (year|day) did (the war|it) (begin|end)",
    "what time is it( now| in {place}|)", "what is (the date|today's date|the day) today", "what day is (it today|today)", "what (is|are) the news( today|)",
    "how do I get from {place} to {place2}", "how far is it from {place} to {place2}", "how long does it take to (fly|drive|walk) to {place}",
    "(solve|what is the solution of) the equation {n}x + {m} = {k}", "solve {n}x + {m} = {k}", "what is the (square root|cube|logarithm|factorial) of {k}",
    "what is {k} divided by {n}", "(what|how much) is {big} (times|*) {k}", "what is the (price|cost) of {a} {thing}", "how much does {a} {thing} (cost|weigh)",
    "(what|who) is {a_word}", "what does {word} mean", "(define|explain) {word}", "what is the meaning of {word}",
    "what is {thing} in (Japanese|Chinese|Russian|Arabic|Korean|Greek|Hindi)",
    "how do you say {thing} in {nowhere}ish", "translate {thing} (to|into) (Japanese|Chinese|Russian|Arabic|Korean|Polish|Turkish)",
    "who (wrote|painted|composed|invented|discovered|directed) (the |){Word}", "what is the (recipe|secret) for {thing} soup", "how do I (cook|build|repair|make|clean) {a} {thing}",
    "(which|what) (film|movie|book|song|restaurant|hotel|phone|laptop) (should I (see|read|buy|choose|try)|do you recommend|is the best)",
    "what is the best (film|book|song|restaurant|hotel|phone|team|player)( in {place}| of {year}|)", "who will win the (election|match|race|game|lottery)",
    "what are tomorrow's lottery numbers", "what (am I|is {name}) (thinking|doing|wearing)( right now| now|)", "where (are my keys|is my phone|did I park my car|is {name} now)",
    "what did I (eat|dream|do|say) (yesterday|last night|last week)", "(which|what) team does {name} play for", "how many (stars|fish|trees|grains of sand) are there( in the world|)",
    "what is the stock price of {Word}", "who is the (boss|owner|founder|CEO) of {Word}", "how does {a} {thing} work inside", "why (is|are) (the sky blue|people sad|we here|leaves green|fire hot|cats lazy)",
    "what is the distance (to the (moon|sun|stars)|between {place} and {place2})", "when does the (train|bus|plane|shop|museum|film) (leave|arrive|open|close|start)",
    "write (me |)(an essay|a poem|a novel|a letter|an email) about {thing}s", "what is the (email|address|birthday|salary) of {name}",
)  # fmt: skip
# Next to what it can answer: few, lest it doubt what it knows.
_NEAR = (
    "(what is|tell me) the capital of {nowhere}", "what is the capital city of {nowhere}", "{word} is the capital of which country",
    "(which|what) country has {nowhere} as its capital", "what is the opposite of {word}", "what colour is {a_word}", "what sound does {a_word} make",
)  # fmt: skip


def decline(source: Source) -> Exchange:
    word, thing = source.word(), source.pick(NOUNS)
    places = source.sample(CITIES, 2)
    if source.chance(0.3):
        places[0] = source.word().capitalize()
    vowel = word[0] in "aeiou"
    slots: dict[str, object] = {
        "country": source.pick(tuple(CAPITALS)), "place": places[0], "place2": places[1], "name": source.name(),
        "word": word, "Word": source.word().capitalize(), "a_word": ("an " if vowel else "a ") + word, "thing": thing,
        "a": "an" if thing[0] in "aeiou" else "a", "nowhere": source.word().capitalize(), "year": source.number(1500, 2030),
        "n": source.number(2, 9), "m": source.number(1, 30), "k": source.number(100, 999), "big": source.number(1000, 9999),
    }  # fmt: skip
    ask = source.around(
        source.say(source.wording(_NEAR if source.chance(0.06) else _ASKS), **slots)
    )
    return Exchange(ask, ANSWER, (ask,), "I do not know this.")
