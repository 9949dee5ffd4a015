"""How much a model is asked to think, in the words of its template.

Clients say `reasoning_effort`, one of seven degrees. Templates have other names for it, and some
refuse degrees that their model was not trained on. Then the nearest one that they take is meant, of
two that are as near the greater.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

EFFORT = "reasoning_effort"
_NAMES = (EFFORT, "thinking_effort", "reasoning_strength")
_DEGREES = ("minimal", "low", "medium", "high", "xhigh", "max")


def names_in(source: str) -> tuple[str, ...]:
    """The names that a template with this source has for it."""
    return tuple(name for name in _NAMES if re.search(rf"\b{name}\b", source))


def spoken(given: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """A template's variables with the effort under its names: as given, then nearest degrees."""
    effort = given.get(EFFORT)
    degrees = [effort]
    if names and effort in _DEGREES:
        place = _DEGREES.index(effort)
        degrees = sorted(_DEGREES, key=lambda other: _distance(_DEGREES.index(other), place))
    for degree in degrees:
        said = dict.fromkeys(names, degree) if degree is not None else {}
        yield {**said, **given, **({EFFORT: degree} if EFFORT in given else {})}


def _distance(place: int, other: int) -> tuple[int, int]:
    return abs(place - other), -place
