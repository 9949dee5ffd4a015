"""Whether and how much a model is asked to think, in the words of its template.

Clients say `enable_thinking`, yes or no, or `reasoning_effort`, one of seven degrees. Templates
know the one, the other or both, by several names. What a template does not know is said in what it
does:

- An effort that it refuses, as its model was not trained on it, is the nearest that it takes; of
  two that are as near, the greater.
- To one that knows efforts only, a no is the least that it knows, and a yes is what it does by
  itself: a medium effort where that is none.
- To one that knows the switch only, an effort is a yes, and `none` a no.

What is given by a template's own names is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mullama.text.sandbox import variables_of

EFFORT, SWITCH, NONE = "reasoning_effort", "enable_thinking", "none"
_NAMES = (EFFORT, "thinking_effort", "reasoning_strength")
_SWITCHES = (SWITCH, "thinking")
_DEGREES = ("minimal", "low", "medium", "high", "xhigh", "max")
_RARE = (NONE, "minimal")  # which a template must name, or its model was hardly trained on them


@dataclass(frozen=True, slots=True)
class Known:
    """What a template knows: `names` of the effort, the `switch`, and the `rare` degrees."""

    names: tuple[str, ...] = ()
    switch: bool = False
    rare: tuple[str, ...] = ()

    @property
    def least(self) -> tuple[str, ...]:
        """The degrees from the least on."""
        return (*self.rare, *(degree for degree in _DEGREES if degree not in _RARE))


def names_in(source: str) -> tuple[str, ...]:
    """The names that a template with this source has for the effort."""
    return tuple(name for name in _NAMES if re.search(rf"\b{name}\b", source))


def known_in(source: str) -> Known:
    """What a template with this source knows. Raises as compiling it does."""
    named = any(name in source for name in _SWITCHES)
    return Known(
        names_in(source),
        named and bool(variables_of(source) & set(_SWITCHES)),
        tuple(degree for degree in _RARE if re.search(rf"(['\"]){degree}\1", source)),
    )


def spoken(
    given: Mapping[str, Any], known: Known, is_silent: Callable[[], bool]
) -> Iterator[dict[str, Any]]:
    """A template's variables in its words: as given, then what is nearest, as it may refuse some.

    `is_silent` is asked whether its model does not think where nothing is said.
    """
    variables = {**_switched(given, known), **given}
    if SWITCH in variables:
        variables.setdefault("thinking", variables[SWITCH])
    for degree in _degrees(given, known, is_silent):
        said = dict.fromkeys(known.names, degree) if degree is not None else {}
        yield {**said, **variables, **({EFFORT: degree} if EFFORT in given else {})}


def _switched(given: Mapping[str, Any], known: Known) -> dict[str, bool]:
    """The switch, where an effort is given and the template knows nothing but it."""
    effort = given.get(EFFORT)
    if known.names or not known.switch or effort not in (NONE, *_DEGREES):
        return {}
    return {} if given.keys() & set(_SWITCHES) else {SWITCH: effort != NONE}


def _degrees(
    given: Mapping[str, Any], known: Known, is_silent: Callable[[], bool]
) -> Sequence[str | None]:
    """The efforts to try, one after the other; None for one that is not said."""
    effort = given.get(EFFORT)
    if effort is None:
        return _of_switch(given, known, is_silent)
    if not known.names:
        return [effort]
    if effort == NONE:
        return [NONE, *known.least]
    return _nearest(effort) if effort in _DEGREES else [effort]


def _of_switch(
    given: Mapping[str, Any], known: Known, is_silent: Callable[[], bool]
) -> Sequence[str | None]:
    """The efforts that a yes or a no means to a template that knows no switch."""
    thinks = given.get(SWITCH, given.get("thinking"))
    if not known.names or known.switch or not isinstance(thinks, bool):
        return [None]
    if given.keys() & set(known.names):
        return [None]
    if not thinks:
        return [*known.least, None]
    return [*_nearest("medium"), None] if NONE in known.rare and is_silent() else [None]


def _nearest(effort: str) -> list[str]:
    place = _DEGREES.index(effort)
    return sorted(_DEGREES, key=lambda other: _distance(_DEGREES.index(other), place))


def _distance(place: int, other: int) -> tuple[int, int]:
    return abs(place - other), -place
