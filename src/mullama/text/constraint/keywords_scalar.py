"""The keywords for numbers and strings, and `format`, which is for both.

The engine counts in 64-bit floats and integers and writes a number's range as a regular expression
over its digits. So a bound moves inwards to the next number that it can say; and divisors must be
small, as it multiplies them in 32 bits and follows every remainder while it compiles.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from mullama.text.constraint.formats import FORMATS, whole_pattern
from mullama.text.constraint.logic import INEXACT
from mullama.text.constraint.regex import translate
from mullama.text.constraint.regex_parse import RegexError
from mullama.text.constraint.walk import (
    Handler,
    Made,
    Place,
    Unsupported,
    Walk,
    least,
    most,
    number,
)

_MAX_INTEGER = 2**63 - 1024  # the largest that a float and 64 bits can both say
_OPEN_ENDED = 10**18  # from here on the engine wants the other bound of an integer, too
_DIGITS, _MAX_POWER = 15, 22  # of a number that the engine reads exactly
_MAX_DECIMALS = 4
# Characters that JSON can only write as \uXXXX, which the engine does not; it would leave them out.
_NEVER_WRITTEN = re.compile("[\x00-\x07\x0b\x0e-\x1f\x7f]")
_MAX_REMAINDERS = 2_000  # that a number's digits are followed through, for all divisors at once


def _bound(keyword: str, direction: int) -> Handler:
    """`direction` is where the range continues: 1 from a minimum, -1 from a maximum."""

    def handle(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
        value = node[keyword]
        if isinstance(value, bool):  # draft 4: the minimum itself is excluded
            plain = keyword.replace("exclusiveM", "m")
            if value and plain in made.plain:
                made.plain[keyword] = made.plain.pop(plain)
            if not walk.is_old:
                made.inexact()
            return
        made.plain[keyword] = _inwards(number(value), direction)
        if made.plain[keyword] != value:
            made.inexact()
        if made.plain[keyword] * direction >= _OPEN_ENDED and "integer" in made.types:
            other = "maximum" if direction > 0 else "minimum"
            made.plain.setdefault(other, direction * _MAX_INTEGER)

    return handle


def _inwards(value: float, direction: int) -> float:
    """`value`, or the next number inside the range that the engine can say."""
    if value * direction > _MAX_INTEGER:
        raise Unsupported(f"no number beyond {direction * _MAX_INTEGER} can be written")
    if abs(value) > _MAX_INTEGER:
        return -direction * _MAX_INTEGER
    if isinstance(value, float):
        return value if is_sayable(value) else _rounded(value, direction)
    near = float(value)
    if near == value:
        return value
    if (near - value) * direction < 0:
        near = math.nextafter(near, direction * math.inf)
    return int(near)


def is_sayable(value: float) -> bool:
    """Whether the engine reads these digits as this very number, and not as its neighbour.

    It multiplies or divides the digits by a power of ten, which is only exact where both are.
    """
    _, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    return int("".join(map(str, digits))) <= 2**53 and abs(exponent) <= _MAX_POWER


def _rounded(value: float, direction: int) -> float:
    """The next number inside the range with fewer digits."""
    rounding = ROUND_CEILING if direction > 0 else ROUND_FLOOR
    exact = Decimal(repr(value))
    place = max(exact.adjusted() - _DIGITS + 1, -_MAX_POWER)
    return float(exact.quantize(Decimal((0, (1,), place)), rounding))


def _multiple_of(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    divisor = Decimal(repr(abs(number(node["multipleOf"])))).normalize()
    decimals = _decimals(divisor)
    if not divisor:
        raise Unsupported("it must not be 0")
    if decimals > _MAX_DECIMALS or not _steps_exactly(float(divisor), decimals):
        raise Unsupported("it has too many decimals")
    if not _together({*walk.divisors, divisor}):
        raise Unsupported("it is too large, also together with the schema's other divisors")
    walk.divisors.add(divisor)
    made.plain["multipleOf"] = float(divisor) if decimals else int(divisor)
    # So that the engine knows in time which digits can still end in a multiple.
    for bound, limit in (("inimum", -_MAX_INTEGER), ("aximum", _MAX_INTEGER)):
        if f"m{bound}" not in made.plain and f"exclusiveM{bound}" not in made.plain:
            made.plain[f"m{bound}"] = limit


def _decimals(divisor: Decimal) -> int:
    exponent = divisor.as_tuple().exponent
    assert isinstance(exponent, int)
    return max(-exponent, 0)


def _together(divisors: set[Decimal]) -> bool:
    """Whether the engine can take numbers that are multiples of all, as allOf may ask for."""
    scale = max(map(_decimals, divisors))
    whole = [int(divisor.scaleb(scale)) for divisor in divisors]
    common = math.lcm(*whole)
    if common * max(whole) >= 2**32:
        return False
    for prime in (2, 5):  # the last digits tell
        while common % prime == 0:
            common //= prime
    return common <= _MAX_REMAINDERS


def _steps_exactly(value: float, n_decimals: int) -> bool:
    """Whether the engine, which multiplies by ten, gets to a whole number in so many steps."""
    for _ in range(n_decimals):
        value *= 10
    return value == int(value)


def exact(value: Any) -> Any:
    """A constant, if the engine can say it exactly."""
    if isinstance(value, str) and (found := _NEVER_WRITTEN.search(value)):
        raise Unsupported(f"{found.group()!a} is never written in a string")
    if isinstance(value, dict):
        return {key: exact(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [exact(inner) for inner in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        known = number(value)
        if abs(known) > _MAX_INTEGER or float(known) != known or not _is_exact(known):
            raise Unsupported(f"{value} has too many digits")
    return value


def _is_exact(value: float) -> bool:
    return isinstance(value, int) or is_sayable(value)


def patterns(pattern: Any) -> tuple[str, ...]:
    """What a text must match, all of it, to have `pattern` in it."""
    if not isinstance(pattern, str):
        raise Unsupported("it must be a string")
    try:
        found = translate(pattern, search=True)
    except RegexError as error:
        raise Unsupported(str(error)) from None
    if found.must_not:
        raise Unsupported("it has a negative look-ahead")
    return tuple(f"^(?:{one})$" for one in found.must)


def _pattern(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    for pattern in patterns(node["pattern"]):
        _hold(made, pattern)


def _hold(made: Made, pattern: str, *, exact: bool = True) -> None:
    if "pattern" not in made.plain:
        made.plain["pattern"] = pattern
        return
    # A part need not speak of types that the schema has ruled out.
    part = {"type": made.plain["type"]} if "type" in made.plain else {}
    made.parts.append({**part, "pattern": pattern, **({} if exact else {INEXACT: True})})


def _format(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    name = node["format"]
    known = FORMATS.get(name) if isinstance(name, str) else None
    if known is None:
        raise Unsupported(f"the format {name!r} is not known")
    made.inexact()
    if known.pattern and "string" in made.types:
        _hold(made, whole_pattern(name), exact=False)
    if known.max_length:
        longest = made.plain.get("maxLength", known.max_length)
        made.plain["maxLength"] = min(longest, known.max_length)
    if known.integers:
        low, high = known.integers
        made.plain["minimum"] = max(made.plain.get("minimum", low), low)
        made.plain["maximum"] = min(made.plain.get("maximum", high), high)


FOR_NUMBERS: dict[str, Handler] = {
    "minimum": _bound("minimum", 1),
    "maximum": _bound("maximum", -1),
    "exclusiveMinimum": _bound("exclusiveMinimum", 1),
    "exclusiveMaximum": _bound("exclusiveMaximum", -1),
    "multipleOf": _multiple_of,
}
FOR_STRINGS: dict[str, Handler] = {
    "minLength": least("minLength"),
    "maxLength": most("maxLength"),
    "pattern": _pattern,
}
FOR_BOTH: dict[str, Handler] = {"format": _format}
