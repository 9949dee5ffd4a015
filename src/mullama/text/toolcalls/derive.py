"""The syntax of calls, derived from what a template writes for calls that are known.

One call with two arguments shows how name and arguments are written, two calls what is around each
and what is around all. `texts` are the parts between what is known:

    one call:    head NAME … arguments tail
    two calls:   head NAME … arguments middle NAME … arguments tail

Of the middle, what the tail begins with ends each call, what the head ends with begins each call,
and what is left stands between them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mullama.text.pieces import common_prefix, common_suffix
from mullama.text.syntax import JSON_ARGUMENTS, TYPE, Arguments, CallSyntax, JsonCall, Slot, Style

NAMES = ("zqfirst", "zqsecond")
IDS = ("zqCallid0", "zqCallid1")  # nine letters and digits: the strictest form that is known
TEXT_KEY, NUMBER_KEY = "zqkeya", "zqkeyb"  # in this order even where keys are sorted
ARGUMENTS: tuple[dict[str, Any], ...] = (
    {TEXT_KEY: "zqvalue", NUMBER_KEY: 73519},
    {TEXT_KEY: "zqother", NUMBER_KEY: 86421},
)


# Stand-ins for slots inside of literal text.
_STAND_INS = {"\1": Slot.NAME, "\2": Slot.ARGUMENTS, "\3": Slot.ID, "\4": Slot.INDEX}
_KEY = "\5"
_INTEGERS = ("integer", "number")  # what types are called where values have them
_CLOSING = re.compile(r"[)}\]\"]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Written:
    """A call as it stands in a text: from where to where, and with stand-ins for what is known."""

    begin: int
    end: int
    text: str
    arguments: Arguments = JSON_ARGUMENTS
    json: JsonCall | None = None


def derive(one: str, two: str) -> CallSyntax | None:
    """The syntax, from what is written for the first call and for both; None if it is not clear.

    `two` is empty where the template takes one call at a time.
    """
    object_ = _object(one, 0, 0)
    named = object_ is not None and NAMES[0] in one[: object_.begin]  # before the object, too
    for find in (_in_parts, _object) if named else (_object, _in_parts):
        single = find(one, 0, 0)
        if not single:
            continue
        first = find(two, 0, 0)
        second = find(two, 1, first.end) if first else None
        if not first or not second:
            return _syntax(single, None, one[: single.begin], "", _after(one, single, 0))
        middle = _after(two[: second.begin], first, 0)
        return _syntax(first, second, two[: first.begin], middle, _after(two, second, 1))
    return None


def _after(text: str, call: Written, number: int) -> str:
    """What follows a call, which may have its name or its id once more."""
    return text[call.end :].replace(NAMES[number], "\1").replace(IDS[number], "\3")


def _syntax(
    first: Written, second: Written | None, head: str, middle: str, tail: str
) -> CallSyntax:
    """The syntax of a call that stands between these texts."""
    begin, prefix, between, suffix, end = "", head, "", tail, ""
    if second:
        suffix = common_prefix(middle, tail) or _common_closing(middle, tail)
        prefix = common_suffix(head, middle[len(suffix) :])
        between = middle[len(suffix) : len(middle) - len(prefix)]
        begin = head[: len(head) - len(prefix)]
        end = tail[len(suffix) :] if begin.strip() else ""
    # White space before everything is the message's, and between calls it is just that.
    begin = begin.lstrip()
    if not begin:
        blank = prefix[: len(prefix) - len(prefix.lstrip())]
        between, prefix = between + blank if second else "", prefix[len(blank) :]
    other = prefix + second.text + suffix if second else ""
    return CallSyntax(
        call=_slots(prefix + first.text + suffix, other),
        begin=begin,
        between=between,
        end=end.rstrip(),
        arguments=first.arguments,
        json=first.json,
        many=second is not None,
    )


def _common_closing(text: str, other: str) -> str:
    """The closing brackets with which both begin; these stick together, as in `)]`."""
    brackets = _CLOSING.match(text), _CLOSING.match(other)
    ones, others = (found.group() if found else "" for found in brackets)
    alike = 0
    while alike < min(len(ones), len(others)) and ones[alike] == others[alike]:
        alike += 1
    return ones[:alike]


def _slots(text: str, other: str) -> tuple[str | Slot, ...]:
    """Literal texts and slots; where the texts of two calls differ, there is the call's number."""
    if other and text != other:
        for place, letter in enumerate(text):
            following = {"0": "1", "1": "2"}.get(letter)
            if following and text[:place] + following + text[place + 1 :] == other:
                text = text[:place] + "\4" + text[place + 1 :]
                break
    parts = re.split(r"([\1-\4])", text)
    return tuple(_STAND_INS.get(part, part) for part in parts if part)


# ------------------------------------------------------------------------------ one JSON object


def _object(text: str, number: int, start: int) -> Written | None:
    """A call that is one JSON object with name and arguments in it."""
    name, arguments = NAMES[number], ARGUMENTS[number]
    for begin, end, value in _objects(text, start):
        if not _has(value, name) or not _has(value, arguments):
            continue
        inner = next(found for found in _objects(text, begin) if found[2] == arguments)
        written = text[begin : inner[0]] + "\2" + text[inner[1] : end]
        written = written.replace(f'"{name}"', '"\1"', 1).replace(IDS[number], "\3")
        keys = {
            slot: found.group(1)
            for slot, found in (
                ("name", re.search(r'"(\w+)"\s*:\s*"' + "\1", written)),
                ("arguments", re.search(r'"(\w+)"\s*:\s*' + "\2", written)),
                ("id", re.search(rf'"(\w+)"\s*:\s*"?(?:{chr(3)}|{number}\b)', written)),
            )
            if found
        }
        return Written(begin, end, written, json=JsonCall(**keys)) if len(keys) > 1 else None
    return None


def _objects(text: str, start: int) -> Iterator[tuple[int, int, Any]]:
    """All JSON objects in a text: where each begins and ends, and its value."""
    begin = text.find("{", start)
    while begin >= 0:
        try:
            value, end = _DECODER.raw_decode(text, begin)
        except (ValueError, RecursionError):
            pass
        else:
            yield begin, end, value
        begin = text.find("{", begin + 1)


def _has(value: Any, wanted: Any) -> bool:
    if isinstance(value, dict):
        return any(item == wanted or _has(item, wanted) for item in value.values())
    return False


# -------------------------------------------------------------- a name, and arguments after it


def _in_parts(text: str, number: int, start: int) -> Written | None:
    """A call that is a name, and arguments in any style after it."""
    name = NAMES[number]
    named = text.find(name, start)
    if named < 0:
        return None
    identified = text.find(IDS[number], start, named)
    begin = named if identified < 0 else identified
    after = named + len(name)
    for find in (_json_arguments, _keywords, _braced, _tagged):
        if found := find(text, number, after):
            header = text[after : found.begin].replace(name, "\1")
            written = text[begin:named] + "\1" + header + "\2"
            return replace(found, begin=begin, text=written.replace(IDS[number], "\3"))
    return None


def _json_arguments(text: str, number: int, start: int) -> Written | None:
    for begin, end, value in _objects(text, start):
        if value == ARGUMENTS[number]:
            return Written(begin, end, "")
    return None


def _keywords(text: str, number: int, start: int) -> Written | None:
    said, count = ARGUMENTS[number].values()
    found = re.compile(
        rf"{TEXT_KEY}\s*=\s*(['\"]){said}\1\s*,\s*{NUMBER_KEY}\s*=\s*\1?{count}\1?"
    ).search(text, start)
    return found and Written(found.start(), found.end(), "", Arguments(Style.KEYWORDS))


def _braced(text: str, number: int, start: int) -> Written | None:
    said, count = ARGUMENTS[number].values()
    found = re.compile(
        rf"\{{\s*{TEXT_KEY}\s*:\s*(\S+?){said}\1\s*,\s*{NUMBER_KEY}\s*:\s*{count}\s*\}}"
    ).search(text, start)
    if not found:
        return None
    return Written(found.start(), found.end(), "", Arguments(Style.BRACED, quote=found.group(1)))


def _tagged(text: str, number: int, start: int) -> Written | None:
    """Arguments of which each stands alone, its key and value between marks."""
    said, count = ARGUMENTS[number].values()
    place, gaps = start, []
    for known in (TEXT_KEY, said, NUMBER_KEY, str(count)):
        found = text.find(known, place)
        if found < 0:
            return None
        gaps.append(text[place:found])
        place = found + len(known)
    before, key_end, between, number_key_end = gaps
    after = text[place:]
    if TEXT_KEY in between:
        return _nested(before, key_end, between, after, start, place)
    end = common_prefix(between, after)
    begin = common_suffix(before, between[len(end) :])
    if not begin or not end or not key_end.strip() or not (begin + end).strip():
        return None
    syntax = Arguments(Style.TAGGED, "", begin, key_end, "", end)
    if number_key_end != key_end:
        other, integer = _typed(key_end, number_key_end)
        syntax = replace(syntax, key_end_json=other, integer=integer)
    return Written(start + len(before) - len(begin), place + len(end), "", syntax)


def _typed(text_end: str, number_end: str) -> tuple[str, str]:
    """The end of a key before what is no text, and the name of integers in it, if it has one."""
    for word in _INTEGERS:
        if number_end.replace(word, "string", 1) == text_end != number_end:
            return number_end.replace(word, TYPE, 1), word
    return number_end, "number"


def _nested(
    before: str, key_end: str, between: str, after: str, start: int, place: int
) -> Written | None:
    """Elements that close with their own key, as in XML."""
    between = between.replace(TEXT_KEY, _KEY, 1)
    closed = common_prefix(between, after.replace(NUMBER_KEY, _KEY, 1))
    begin = common_suffix(before, between[len(closed) :])
    end, key, rest = closed.partition(_KEY)
    if not begin or not key or not rest.startswith(key_end):
        return None
    syntax = Arguments(Style.NESTED, "", begin, key_end, "", end)
    length = len(closed) + len(NUMBER_KEY) - len(_KEY)
    return Written(start + len(before) - len(begin), place + length, "", syntax)
