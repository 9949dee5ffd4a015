"""Whether and how much a model is asked to think, in the words of its template.

Clients say `enable_thinking`, yes or no, or `reasoning_effort`, one of seven degrees. Templates
know the one, the other or both, by several names. What a template does not know is said in what it
does:

- An effort that it refuses, as its model was not trained on it, is the nearest that it takes; of
  two that are as near, the greater.
- To one that knows efforts only, a no is the least that it knows, and a yes is what it does by
  itself: a medium effort where that is none.
- To one that knows the switch only, an effort is a yes, and `none` a no.
- One that knows neither may have a switch of its own: a variable of such a name whose values are
  words (`thinking_mode == "disabled"`), a budget that may be 0, or a flag, and which changes what a
  prompt says. That is found by printing one, and turned in its place; to a yes only where the
  template would do without by itself.
- One that refuses a no does what it does by itself, with the least effort.

What is given by a template's own names is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mullama.text.sandbox import variables_of

EFFORT, SWITCH, NONE = "reasoning_effort", "enable_thinking", "none"
_NAMES = (EFFORT, "thinking_effort", "reasoning_strength")
_SWITCHES = (SWITCH, "thinking")
_DEGREES = ("minimal", "low", "medium", "high", "xhigh", "max")
_RARE = (NONE, "minimal")  # which a template must name, or its model was hardly trained on them
_NO_EFFORT = "no_think"  # another word for NONE

_OWN_NAME = re.compile(r"think|reason")
_NEGATED = re.compile(r"(?:skip|no|disable|without|hide)_")
_FLAGS = ("True", "False")
_NO = ("disabled", "disable", "off", "no_think", "nothink", "none", "no", "never")
_YES = ("enabled", "enable", "on", "think", "thinking", "yes", "always")


@dataclass(frozen=True, slots=True)
class Known:
    """What a template knows: `names` of the effort, the `switch`, and the `rare` degrees; or the
    variables of its `own` that are a no and a yes."""

    names: tuple[str, ...] = ()
    switch: bool = False
    rare: tuple[str, ...] = ()
    own: Mapping[bool, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def none(self) -> str:
        """Its word for no effort; "" if it knows none."""
        return next((word for word in (NONE, _NO_EFFORT) if word in self.rare), "")

    @property
    def least(self) -> tuple[str, ...]:
        """The degrees from the least on."""
        return (*self.rare, *(degree for degree in _DEGREES if degree not in _RARE))


def names_in(source: str) -> tuple[str, ...]:
    """The names that a template with this source has for the effort."""
    return tuple(name for name in _NAMES if re.search(rf"\b{name}\b", source))


def known_in(source: str, render: Callable[[Mapping[str, Any]], str]) -> Known:
    """What a template with this source knows; `render` gives a prompt. Raises as compiling does."""
    if not _OWN_NAME.search(source):
        return Known()
    names, variables = names_in(source), variables_of(source)
    switch = bool(variables & set(_SWITCHES))
    rare = (NONE, _NO_EFFORT, "minimal")
    return Known(
        names,
        switch,
        tuple(degree for degree in rare if re.search(rf"(['\"]){degree}\1", source)),
        {} if names or switch else _own_switch(sorted(variables), source, render),
    )


def _own_switch(
    variables: Sequence[str], source: str, render: Callable[[Mapping[str, Any]], str]
) -> dict[bool, dict[str, Any]]:
    """The variables that turn a template's own switch, if it has one; of several, the first whose
    no is not what it does by itself (`force_reasoning` has none, and `skip_reasoning` has)."""
    spare: dict[bool, dict[str, Any]] = {}
    for name in filter(_OWN_NAME.search, variables):
        no, yes = _values(name, source)
        given: list[dict[str, Any]] = [{} if one is None else {name: one} for one in (no, yes)]
        with suppress(Exception):  # it refuses such a value
            silent, thinking, plain = map(render, (*given, {}))
            shown = [text.count(word) for text in (silent, thinking) for word in _FLAGS]
            if silent != thinking and shown[:2] == shown[2:]:  # it is not just printed
                if plain != silent:
                    return {False: given[0], True: {}}
                spare = spare or {False: given[0], True: given[1]}
    return spare


def _values(name: str, source: str) -> tuple[Any, Any]:
    """What may be a no and a yes of this variable; None for a yes that is not said."""
    filtered = r"(?:\s*\|\s*\w+(?:\([^()]*\))?)*"
    compared = re.findall(rf"\b{name}{filtered}\s*[=!]=\s*(['\"]?)(\w+)\1", source)
    words = [word for quote, word in compared if quote]
    no = next((word for word in _NO if word in words), None)
    if no:
        return no, next((word for word in _YES if word in words), None)
    if ("", "0") in compared:
        return 0, None
    return (True, False) if _NEGATED.match(name) else (False, True)


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
    if known.switch and variables.get(SWITCH) is False:  # it may not be to be turned off
        rest = {name: one for name, one in variables.items() if name not in _SWITCHES}
        for degree in (*known.least, None) if known.names and EFFORT not in given else (None,):
            yield {**dict.fromkeys(known.names, degree), **rest} if degree is not None else rest


def _switched(given: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """The switch, where an effort is given and the template knows nothing but it, or its own."""
    thinks = given.get(SWITCH, given.get("thinking"))
    effort = given.get(EFFORT)
    if thinks is None and not known.names and effort in (NONE, *_DEGREES):
        thinks = effort != NONE
    if known.own and isinstance(thinks, bool):
        return dict(known.own[thinks])
    if not known.switch or given.keys() & set(_SWITCHES) or thinks is None:
        return {}
    return {SWITCH: thinks}


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
        return [known.none or NONE, *known.least]
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
    return [*_nearest("medium"), None] if known.none and is_silent() else [None]


def _nearest(effort: str) -> list[str]:
    place = _DEGREES.index(effort)
    return sorted(_DEGREES, key=lambda other: _distance(_DEGREES.index(other), place))


def _distance(place: int, other: int) -> tuple[int, int]:
    return abs(place - other), -place
