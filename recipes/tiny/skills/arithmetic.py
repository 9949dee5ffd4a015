"""Sums, differences, products; single, in lists, and worked out digit by digit in thought.

Between non-negative numbers up to 99, never below zero. The scratchpad goes from the ones to the
tens, as on paper, so that each step depends only on digits that stand nearby.
"""

from __future__ import annotations

from recipes.tiny.chats import Exchange
from recipes.tiny.held_out import sum_key
from recipes.tiny.source import Source

_ADD = (
    "{a} + {b}", "{a}+{b}", "(what is|what's|whats|calculate|compute|work out|solve|evaluate) {a} + {b}",
    "{a} plus {b}", "(what is|what's|how much is|calculate|compute) {a} plus {b}", "how much is {a} + {b}",
    "add {a} and {b}", "add {b} to {a}", "(what is|find|tell me|give me|calculate) the sum of {a} and {b}",
    "{a} + {b} =( ?|)", "what do you get if you add {b} to {a}", "sum {a} and {b}",
    "what does {a} + {b} (equal|make|give|come to)", "what is {b} more than {a}",
    "how much do {a} and {b} make(| together)", "the sum of {a} and {b}",
    "I have {a} {things} and get {b} more. How many( {things}|) do I have( now|)",
    "{name} has {a} {things} and {name2} has {b}. How many are there( together| in total|)",
    "there are {a} {things} and {b} more (come|are added). How many are there( now|)",
    "put {a} and {b} together", "total of {a} and {b}", "if you add {a} and {b}, what do you get",
)  # fmt: skip
_SUBTRACT = (
    "{a} - {b}", "{a}-{b}", "(what is|what's|whats|calculate|compute|work out|solve|evaluate) {a} - {b}",
    "{a} minus {b}", "(what is|what's|how much is|calculate|compute) {a} minus {b}", "how much is {a} - {b}",
    "subtract {b} from {a}", "take {b} away from {a}", "take {b} from {a}", "{a} take away {b}",
    "(what is|find|tell me|give me|calculate) the difference between {a} and {b}", "{a} - {b} =( ?|)",
    "what is left if you take {b} from {a}", "what does {a} - {b} (equal|make|give|come to)",
    "what is {b} less than {a}", "how much is {a} less {b}", "deduct {b} from {a}",
    "I have {a} {things} and (lose|give away|sell) {b}. How many( {things}|) (do I have left|are left)",
    "{name} had {a} {things} and (lost|sold|gave away) {b}. How many are left",
    "there are {a} {things} and {b} (go|leave|are taken). How many are left",
    "what remains when {b} is taken from {a}",
)  # fmt: skip
_MULTIPLY = (
    "{a} * {b}", "{a}*{b}", "{a} x {b}", "{a} times {b}",
    "(what is|what's|whats|calculate|compute|work out|solve) {a} (*|x|times|multiplied by) {b}",
    "how much is {a} (*|x|times|multiplied by) {b}", "multiply {a} (by|and|with) {b}", "{a} * {b} =( ?|)",
    "(what is|find|tell me|give me|calculate) the product of {a} and {b}", "the product of {a} and {b}",
    "{a} multiplied by {b}", "what does {a} (*|times) {b} (equal|make|give)",
    "there are {a} (boxes|bags|baskets) with {b} {things} each. How many {things} are there",
    "what do you get if you multiply {a} by {b}", "{a} groups of {b}: how many",
)  # fmt: skip
_THINGS = ("apples pears books coins eggs pencils stamps cards balls marbles cookies toys").split()
_LISTS = (
    "(calculate|compute|work out|solve|add up|do these sums|sums|do the maths)(: |:\n| these: )",
    "what are the (results|answers)(: |:\n)", "solve (these|the following)(: |:\n)",
    "(calculate|solve) each( one|)(: |:\n)", "some sums for you(: |:\n)",
)  # fmt: skip


def pair(source: Source) -> tuple[int, str, int]:
    """Two operands, with every size of number about as often."""
    a, b = source.number(0, 99), source.number(0, 99)
    if source.chance(0.25):
        b = source.number(0, 9)
    if source.chance(0.5):
        return a, "+", b
    return max(a, b), "-", min(a, b)


def result(a: int, sign: str, b: int) -> int:
    return {"+": a + b, "-": a - b, "*": a * b}[sign]


def scratchpad(a: int, sign: str, b: int) -> str:
    """The column method in words, ones first, below the digits of both: a number of one digit has
    no tens, and what is added must not depend on how many digits stand there."""
    total = result(a, sign, b)
    tens_a, ones_a, tens_b, ones_b = a // 10, a % 10, b // 10, b % 10
    digits = f"{tens_a} {ones_a}, {tens_b} {ones_b}.\n"
    if sign == "+":
        ones = ones_a + ones_b
        carry = ones // 10
        text = f"Ones: {ones_a} + {ones_b} = {ones}"
        text += f", write {ones % 10}, carry 1.\n" if carry else ".\n"
        more = " + 1" if carry else ""
        text += f"Tens: {tens_a} + {tens_b}{more} = {tens_a + tens_b + carry}.\n"
    else:
        borrow = ones_a < ones_b
        top = ones_a + 10 * borrow
        text = f"Ones: {ones_a} < {ones_b}, borrow 10. " if borrow else "Ones: "
        text += f"{top} - {ones_b} = {top - ones_b}.\n"
        less = " - 1" if borrow else ""
        text += f"Tens: {tens_a}{less} - {tens_b} = {tens_a - borrow - tens_b}.\n"
    return f"{digits}{text}So {a} {sign} {b} = {total}."


def arithmetic(source: Source) -> Exchange:
    a, sign, b = pair(source)
    grammar = source.wording(_ADD if sign == "+" else _SUBTRACT)
    name, name2 = source.name(), source.name()
    text = source.say(grammar, a=a, b=b, things=source.pick(_THINGS), name=name, name2=name2)
    ask = source.around(text, fragile=source.chance(0.5) or "{name" in grammar)
    answer = f"{a} {sign} {b} = {result(a, sign, b)}."
    return Exchange(ask, answer, (sum_key(a, sign, b),), scratchpad(a, sign, b))


def multiply(source: Source) -> Exchange:
    """Tables are learned by heart: what is held out is the wording."""
    a, b = source.number(0, 12), source.number(0, 12)
    text = source.say(source.wording(_MULTIPLY), a=a, b=b, things=source.pick(_THINGS))
    ask = source.around(text, fragile=source.chance(0.5))
    thought = f"The user wants the product of {a} and {b}."
    return Exchange(ask, f"{a} * {b} = {a * b}.", (ask,), thought)


def arithmetic_list(source: Source) -> Exchange:
    sums = []
    for _ in range(source.number(2, 7)):
        if source.chance(0.12):
            sums.append((source.number(0, 12), "*", source.number(0, 12)))
        else:
            sums.append(pair(source))
    separator = source.pick((", ", ", ", "\n", "; "))
    text = separator.join(f"{a} {sign} {b}" for a, sign, b in sums)
    ask = source.around(source.say(source.wording(_LISTS)), fragile=True) + text
    answer = "\n".join(f"{a} {sign} {b} = {result(a, sign, b)}" for a, sign, b in sums)
    keys = tuple(sum_key(a, sign, b) for a, sign, b in sums if sign != "*")
    return Exchange(ask, answer, keys or (text,), "I work them out one after another.")
