"""Repeating text exactly; many times; in another case; its words in another order.

This is what everything else rests on: an argument of a tool, a name, a value are all copied.
"""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.skills.world import NUMBER_WORDS
from recipes.tiny.source import Source
from recipes.tiny.words import COMMON

_REPEAT = (
    "(repeat|say|write|copy|print|echo|output|return|type|send back|give back){how}( this| the following| my words|)(: |:\n| )",
    "(repeat|copy) (after me|this text|this line|what I write|the text|this sentence)(: |:\n)",
    "(answer|reply|respond) (only |just |exactly |)with( the text| the words| exactly|)(: | )",
    "(answer|reply|respond|write) with exactly( this|)(: | )", "(say|write|output) only(: | )", "only (say|write|output)(: | )",
    "(can|could|would) you (please |)(repeat|say|copy|write)( this|)(: | )", "please (repeat|say|write|copy)(: | )",
    "I (want|need) you to (say|repeat|write)(: | )", "your answer (must|should) be( exactly|)(: | )",
    "(echo|repeat|copy)(: |! )", "word for word(: |, repeat )", "exactly these words(: )", "say it back to me(: )",
    "please give me back (this text|exactly this)(: )",
)  # fmt: skip
_REPEAT_AFTER = (
    "{x} - (repeat|say|copy) (that|this)", "{x}\n(repeat|copy) (that|this|the line above)", "say {q} and nothing else",
    "(repeat|say|write|copy|answer with|reply with) {q}(| exactly| please| and nothing else| now)",
    "(can|could) you (say|repeat|write|type) {q}?", "what I want to hear is {q}. (say|repeat) it", "please (say|write) {q}.",
    "the text is {q}. (repeat|copy) it",
)  # fmt: skip
_TIMES = (
    "(say|write|repeat|print|type|output) {x} {n} times", "{n} times {x}(, please|)", "(say|write|repeat) the word {x} {n} times",
    "(can|could|would) you (please |)(say|write|repeat) {x} {n} times", "I (want|need) {x} {n} times", "{x}, {n} times",
    "(say|write|repeat) {n} times(: | the word ){x}", "give me {x} {n} times", "{x} {n} times in a row",
    "repeat {n} times: {x}", "please write {x} {n} times", "write {x}, and that {n} times",
)  # fmt: skip
_CASE = (
    "(write|put|convert|change|turn|say|make|set|type) {x} (in|to|into) {case}", "{x} in {case}( please|)",
    "{case}: {x}", "(turn|change) (this|it) (to|into) {case}: {x}", "(write|convert|put) (this|the following) (in|to|into) {case}( letters|): {x}",
    "(can|could) you (write|put) {x} in {case}( letters|)", "{x}, but in {case}", "use {case} for {x}", "to {case}: {x}",
)  # fmt: skip
_UPPER = "(uppercase|upper case|capital letters|capitals|all caps|caps|big letters)"
_LOWER = "(lowercase|lower case|small letters)"
_WORD = (
    "(what is|tell me|give me|say|name|find) the {nth} word (of|in)(: | ){x}", "the {nth} word (of|in): {x}", "{nth} word: {x}",
    "(which|what) word (is|comes) {nth}(: | in ){x}", "{x} - (what is|tell me) the {nth} word",
    "only the {nth} word of: {x}", "{x}\nWhich word is the {nth} (one|word)?",
)  # fmt: skip
_REVERSE = (
    "reverse (the order of |)(these|the) words: {x}", "(say|write) (these words|the words|this) in reverse order: {x}",
    "(say|write|put) (these|the) words (backwards|the other way round): {x}", "word by word from the end: {x}",
    "{x} - the same words in reverse order", "turn the order of these words around: {x}",
)  # fmt: skip
_HOW_MANY = (
    "how many words (are|do you see|are there|are here)(: | in: | in this text: ){x}", "count the words(: | in: ){x}",
    "number of words in: {x}",
)  # fmt: skip
_SPELL = (
    "spell {x}", "spell (the word |out |){x}", "how (do you|do I|is) spell {x}", "(what are|list) the letters (of|in) {x}",
    "{x}, letter by letter", "spelling of {x}",
)  # fmt: skip
_ORDINALS = "first second third fourth fifth".split()


def text(source: Source) -> str:
    """Something to copy: words known and unknown, codes, numbers, addresses, signs."""
    kind = source.random.random()
    if kind < 0.25:
        return source.words(1, 5)
    if kind < 0.5:
        return source.words(6, 16)
    if kind < 0.62:
        return source.words(2, 8).capitalize() + source.pick((".", "!", "?", "...", ""))
    if kind < 0.78:
        return source.code()
    if kind < 0.84:
        return f"{source.word()}{source.pick(('@', '.', '-', '_', '/'))}{source.word()}.{source.pick(('com', 'org', 'net', 'txt', 'py'))}"
    if kind < 0.9:
        return str(source.number(0, 10 ** source.number(1, 8)))
    if kind < 0.95:
        return ", ".join(source.any_word() for _ in range(source.number(2, 6)))
    return source.name() + " " + source.name()


def echo(source: Source) -> Exchange:
    it = text(source)
    if source.chance(0.6):
        how = source.pick(("", "", " exactly", " only", " word for word", " back to me"))
        ask = source.say(source.wording(_REPEAT), how=how)
        ask = source.around(ask, fragile=True) + (f'"{it}"' if source.chance(0.25) else it)
    else:
        quoted = source.pick((f'"{it}"', f'"{it}"', f"'{it}'"))
        asked = source.say(source.wording(_REPEAT_AFTER), x=it, q=quoted)
        ask = asked if asked.startswith(it) else source.around(asked, fragile=True)
    return Exchange(ask, it, (it,), "I repeat the text exactly.")


def echo_times(source: Source) -> Exchange:
    """Numbered in thought, so that the count is seen."""
    it = source.any_word() if source.chance(0.8) else source.words(2, 2)
    n = source.number(2, 8)
    number = NUMBER_WORDS[n] if source.chance(0.5) else str(n)
    if n == 2 and source.chance(0.2):
        number = "2"
    mark = source.pick(("", "", "'", '"'))
    grammar = source.wording(_TIMES)
    ask = source.say(grammar, x=f"{mark}{it}{mark}", n=number)
    if not grammar.startswith("{x}"):
        ask = source.around(ask, fragile=True)
    if source.chance(0.6) and ask[-1] not in "?.":
        ask += "."
    return Exchange(
        ask, " ".join([it] * n), (f"{it} * {n}",), f"The text is {it}, the number is {n}."
    )


def case(source: Source) -> Exchange:
    words = " ".join(source.pick(COMMON) for _ in range(source.number(1, 4)))
    if source.chance(0.1):
        words = source.word()
    upper = source.chance(0.6)
    given = words.lower() if upper else words.upper()
    if source.chance(0.2):
        given = words.title()
    mark = source.pick(("", "", "", "'", '"'))
    slots = {"x": f"{mark}{given}{mark}", "case": source.say(_UPPER if upper else _LOWER)}
    ask = source.around(source.say(source.wording(_CASE), **slots), fragile=True)
    answer = words.upper() if upper else words.lower()
    name = "capital" if upper else "small"
    return Exchange(ask, answer, (f"{name} {words}",), f"I write it in {name} letters.")


def spell(source: Source) -> Exchange:
    """How a common word is spelled is a fact to be learned; a made-up one is spelled by its parts."""
    known = source.chance(0.75)
    word = source.pick(COMMON) if known else source.word()
    ask = source.around(
        source.say(source.wording(_SPELL), x=word)
        .replace("do I spell", "do you spell")
        .replace("is spell", "do you spell")
    )
    upper = source.chance(0.3)
    if upper:
        ask += " Use capital letters."
    letters = "-".join(word.upper() if upper else word)
    key = f"spell {ask}" if known else f"spell {word}"
    return Exchange(ask, letters, (key,), "I name the letters one by one.")


def word_order(source: Source) -> Exchange:
    words = [source.any_word() for _ in range(source.number(2, 6))]
    it = " ".join(words)
    style = source.random.random()
    if style < 0.35:
        grammar, answer = source.wording(_REVERSE), " ".join(reversed(words))
    elif style < 0.85:
        at = source.pick((0, -1, -1, source.number(0, min(4, len(words) - 1))))
        nth = "last" if at == -1 else _ORDINALS[at]
        grammar = source.wording(_WORD).replace("{nth}", nth)
        answer = f"The {nth} word is {words[at]}."
    else:
        grammar, answer = source.wording(_HOW_MANY), f"There are {len(words)} words."
    asked = source.say(grammar, x=it)
    ask = asked if asked.startswith(it) else source.around(asked, fragile=True)
    return Exchange(ask, answer, (f"{answer[:14]}{it}",), "I look at the words one by one.")
