"""Comparing, sorting, counting."""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.source import Source

_SIZES = ((0, 9), (0, 99), (0, 99), (100, 999), (0, 999), (1000, 9999), (0, 9999))
_LARGER = "(larger|bigger|greater|higher)"
_SMALLER = "(smaller|less|lower)"
_COMPARE = (
    "(which|what) (number |one |)is {size}(, |: | - |, is it ){a} or {b}", "is {a} or {b} {size}",
    "{a} or {b}, which (one |number |)is {size}", "{a} or {b}: which is {size}",
    "(which|what) is the {size} (number|one)(, |: | of ){a} (or|and) {b}",
    "which of {a} and {b} is {size}", "compare {a} and {b}: which is {size}", "(tell me|say) which is {size}, {a} or {b}",
    "between {a} and {b}, which is {size}", "I have {a} and {b}. Which is {size}",
    "what number is {size}: {a} or {b}", "{a} and {b}: tell me which (one |)is {size}",
    "of {a} and {b}, which is the {size} one", "{size}: {a} or {b}",
)  # fmt: skip
_SORT = (
    "(sort|order|arrange)( these numbers| the numbers| these|)(: | from small to large: |, smallest first: ){list}",
    "put (these numbers|these|them) in( ascending|) order: {list}", "(sort|order) {list}",
    "sort this list: {list}", "(arrange|sort) from smallest to largest: {list}",
    "what is {list} in order", "list these from low to high: {list}",
    "{list}. (sort|order) (them|these numbers)", "bring these into order: {list}",
)  # fmt: skip
_EXTREME = (
    "what is the {size} (number |)(in|of|among|here:|in this list:) {list}",
    "(which|what) (number |one |)is the {size}(: |, | of ){list}",
    "find the {size} (number |)(in|of|among|in this list:) {list}", "{size} of {list}",
    "(give|tell) me the {size} (number |)(in|of|among|out of) {list}", "{list}: which (one |number |)is the {size}",
    "pick the {size} number from {list}", "which is the {size} of these numbers: {list}",
)  # fmt: skip
_COUNT = (
    "count (from |){a} to {b}", "count up from {a} to {b}", "count (from |){a} up to {b}",
    "(list|write|say|give me|name) the numbers from {a} to {b}", "numbers from {a} to {b}",
    "count starting at {a} and stop at {b}", "write all (the |)numbers between {a} and {b}, both included",
    "start at {a} and count to {b}", "go from {a} to {b}, one by one",
)  # fmt: skip
_COUNT_DOWN = (
    "count (down|backwards|back) from {a} to {b}", "count from {a} (down|back|backwards) to {b}",
    "(list|write|say) the numbers from {a} down to {b}", "start at {a} and count (down|backwards) to {b}",
)  # fmt: skip
_NEXT = (
    "(what|which) number (comes|is) (right |just |)(after|next after) {a}",
    "what comes after {a}", "(what|which) number follows {a}", "the number after {a}", "next number after {a}",
)  # fmt: skip
_PREVIOUS = (
    "(what|which) number (comes|is) (right |just |)before {a}", "what comes before {a}",
    "the number before {a}", "(what|which) number precedes {a}",
)  # fmt: skip


def compare(source: Source) -> Exchange:
    low, high = source.pick(_SIZES)
    a = source.number(low, high)
    b = source.number(*source.pick(((low, high), (low, high), source.pick(_SIZES))))
    if source.chance(0.35):  # one is the other's beginning, or they differ in one digit only
        b = (
            int(f"{a}{source.number(0, 9)}")
            if source.chance(0.3) and a < 1000
            else _neighbour(source, a)
        )
    if a == b:
        b = a + 1
    larger = source.chance(0.5)
    word = source.say(_LARGER if larger else _SMALLER)
    ask = source.around(source.say(source.wording(_COMPARE), a=a, b=b, size=word))
    first = max(a, b) if larger else min(a, b)
    second = a + b - first
    answer = f"{first} is {'larger' if larger else 'smaller'} than {second}."
    return Exchange(ask, answer, (f"{min(a, b)} <> {max(a, b)}",), _compared(a, b))


def _neighbour(source: Source, a: int) -> int:
    digits = list(str(a))
    at = source.number(0, len(digits) - 1)
    digits[at] = str(source.number(1 if at == 0 else 0, 9))
    return int("".join(digits))


def _compared(a: int, b: int) -> str:
    """Why one is larger: more digits, or the first digit that differs."""
    x, y = str(a), str(b)
    large, small = max(a, b), min(a, b)
    if len(x) != len(y):
        return f"{a} has {len(x)} digits, {b} has {len(y)}. So {large} > {small}."
    i = next(i for i in range(len(x)) if x[i] != y[i])
    sign = ">" if x[i] > y[i] else "<"
    return f"Digit {i + 1} differs: {x[i]} {sign} {y[i]}. So {large} > {small}."


def sort(source: Source) -> Exchange:
    count = source.number(2, 6)
    numbers = source.sample(range(100), count)
    text = source.pick((", ", ", ", " ")).join(map(str, numbers))
    key = "sort " + " ".join(map(str, sorted(numbers)))
    style = source.random.random()
    if style < 0.5 or count == 2:
        ask = source.say(source.wording(_SORT), list=text)
        answer = ", ".join(map(str, sorted(numbers)))
    else:
        largest = source.chance(0.5)
        word = source.say(
            "(largest|biggest|greatest|highest)" if largest else "(smallest|lowest|least)"
        )
        ask = source.say(source.wording(_EXTREME), size=word, list=text)
        found = max(numbers) if largest else min(numbers)
        answer = f"The {'largest' if largest else 'smallest'} number is {found}."
    return Exchange(source.around(ask), answer, (key,), "I look at each of the numbers.")


def count(source: Source) -> Exchange:
    a = source.pick((0, 1, 1, *(source.number(0, 90) for _ in range(4))))
    b = a + source.number(2, 18)
    style = source.random.random()
    if style < 0.6:
        ask = source.order(source.wording(_COUNT), a=a, b=b)
        answer = ", ".join(map(str, range(a, b + 1)))
        key = f"count {a} {b}"
    elif style < 0.8:
        ask = source.order(source.wording(_COUNT_DOWN), a=b, b=a)
        answer = ", ".join(map(str, range(b, a - 1, -1)))
        key = f"count {b} {a}"
    else:
        a = source.number(1, 999)
        after = source.chance(0.5)
        ask = source.say(source.wording(_NEXT if after else _PREVIOUS), a=a)
        answer = f"{a + 1} comes after {a}." if after else f"{a - 1} comes before {a}."
        key = f"{'after' if after else 'before'} {a}"
    return Exchange(source.around(ask), answer, (key,), "The user wants numbers in their order.")
