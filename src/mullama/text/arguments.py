"""The arguments of a tool call: one JSON object, whatever a client sends for it.

On the wire arguments are text; templates want them as text or as an object. A call whose arguments
are no JSON (a small model wrote them, or an answer was cut) stays in its conversation for good: so
it is repaired here rather than refused. Repair closes what a cut left open; where that does not
help, the text as it is becomes the one argument `arguments`, so that nothing is lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

_CLOSING = {"{": "}", "[": "]"}
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a surrogate pair, mostly beside the other
_decoder = json.JSONDecoder(strict=False)  # models write line ends into strings


def as_object(arguments: str | dict[str, Any]) -> dict[str, Any]:
    """The arguments as an object, repaired if they must be. Never raises."""
    if isinstance(arguments, dict):
        return arguments
    text = arguments.strip()
    if not text:
        return {}
    for attempt in (text, *_closed(text)):
        found = _read(attempt)
        if isinstance(found, str):  # encoded twice
            found = _read(found)
        if isinstance(found, dict):
            return _whole_letters(found) if _HALF.search(attempt) else found
    return {"arguments": arguments}


def as_text(arguments: str | dict[str, Any]) -> str:
    """The arguments as JSON text: as they came where they are an object, else repaired."""
    if isinstance(arguments, str):
        try:
            if isinstance(json.loads(arguments), dict):
                return arguments
        except (ValueError, RecursionError):
            pass
    return json.dumps(as_object(arguments), ensure_ascii=False)


def _read(text: str) -> Any:
    """The JSON value; None where it is none. A closing bracket too many does no harm."""
    try:
        value, end = _decoder.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return value if not text[end:].strip("]} \n\r\t") else None


def _whole_letters(value: dict[str, Any]) -> Any:
    """The value with each half of a surrogate pair replaced, as that is no text."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _closed(text: str) -> Iterator[str]:
    """Ways to end a text that was cut, the one that keeps most of it first."""
    brackets, in_string, comma = _scan(text)
    whole = text + '"' if in_string else text
    for value in ("", ": null", " null"):
        yield whole + value + _closing(brackets)
    if comma:
        yield text[:comma] + _closing(_scan(text[:comma])[0])


def _closing(brackets: list[str]) -> str:
    return "".join(_CLOSING[bracket] for bracket in reversed(brackets))


def _scan(text: str) -> tuple[list[str], bool, int]:
    """What a text leaves open: brackets, and whether a string; and where its last comma is."""
    brackets: list[str] = []
    comma = 0
    in_string = escaped = False
    for at, char in enumerate(text):
        if in_string:
            in_string = escaped or char != '"'
            escaped = char == "\\" and not escaped
        elif char == '"':
            in_string = True
        elif char in _CLOSING:
            brackets.append(char)
        elif brackets and char == _CLOSING[brackets[-1]]:
            brackets.pop()
        elif char == ",":
            comma = at
    return brackets, in_string, comma
