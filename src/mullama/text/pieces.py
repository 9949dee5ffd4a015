"""Comparing rendered texts without cutting a mark in two.

Two renderings that differ in one thing show what the template writes for it. But `<think>` and
`<tool_call>` begin alike, and so do their last letters; so texts are compared by pieces: marks,
white space characters, and what is between.
"""

from __future__ import annotations

import re

_RARE = "|".join(  # brackets that a few models have
    rf"{first}[^{first}{last}\s]+{last}" for first, last in ("◁▷", "【】", "⟨⟩", "〈〉")
)
# A mark of several tokens, with words in it: `<|open|>think<|sep|>`.
_SEVERAL = r"<\|(?:open|close)\|>[^<>\n]*<\|sep\|>"
_PIECES = re.compile(
    rf"{_SEVERAL}|<[^<>\s]*>?|\[[^\[\]\s{{}}\"']*\]|{_RARE}|\s|[^<\[◁【⟨〈\s]+|.", re.DOTALL
)
_TAG = rf"(?:{_SEVERAL}|<[^<>\s]+>|\[[^\[\]{{}}\"']+\]|{_RARE})"
TAG = re.compile(_TAG)
LAST_TAG = re.compile(_TAG + r"\s*\Z")
FIRST_TAG = re.compile(r"\s*" + _TAG + r"\s*")
# A mark with which a prompt asks for no thought: `<no_think>`.
NO_THOUGHT = re.compile(rf"(?=\W*no[\W_]*(?:think|thought|reason))\s*{_TAG}\s*", re.IGNORECASE)
_NOT_A_NAME = re.compile(r"start|begin|open|end|close|stop|[^a-z]+", re.IGNORECASE)


def pieces(text: str) -> list[str]:
    return _PIECES.findall(text)


def common_prefix(text: str, other: str) -> str:
    found = []
    for one, two in zip(pieces(text), pieces(other), strict=False):
        if one != two:
            break
        found.append(one)
    return "".join(found)


def common_words(text: str, other: str) -> str:
    """The beginning of `text` that `other` has, too, whatever the white space before its marks:
    templates are not careful with that where the parts of a conversation meet."""
    ones, others = ([one for one in pieces(each) if not one.isspace()] for each in (text, other))
    pairs = enumerate(zip(ones, others, strict=False))
    n = next((n for n, (one, two) in pairs if one != two), min(len(ones), len(others)))
    n_alike = sum(not letter.isspace() for letter in "".join(ones[:n]))
    end, other_end = (_after_letters(each, n_alike) for each in (text, other))
    blank = text[end : len(text) - len(text[end:].lstrip())]
    return text[:end] + common_prefix(blank, other[other_end:])


def _after_letters(text: str, n: int) -> int:
    """Where the first `n` characters that are no white space end."""
    places = [place for place, letter in enumerate(text, 1) if not letter.isspace()]
    return places[n - 1] if n else 0


def common_suffix(text: str, other: str) -> str:
    found = []
    for one, two in zip(reversed(pieces(text)), reversed(pieces(other)), strict=False):
        if one != two:
            break
        found.append(one)
    return "".join(reversed(found))


def after_common(text: str, other: str) -> str:
    """What `text` has beyond the beginning that both have."""
    return text[len(common_prefix(text, other)) :]


def pair(opening: str, closing: str) -> bool:
    """Whether two marks are the two ends of one thing: `<think>` and `</think>`."""
    names = {_NOT_A_NAME.sub("", mark).lower() for mark in (opening, closing)}
    return len(names) == 1 and bool(names.pop())


def closing_of(opening: str, source: str) -> str:
    """The mark that closes what this one opens, by its spelling; one that the source has."""
    candidates = [
        opening.replace(one, other)
        for one, other in (("begin", "end"), ("start", "end"), ("BEGIN", "END"), ("START", "END"))
        if one in opening
    ]
    if opening.startswith("<|"):
        candidates.append("<|/" + opening[2:])
    candidates.append(opening[0] + "/" + opening[1:])
    return next((closing for closing in candidates if closing in source), candidates[0])


def opening_of(closing: str) -> str:
    """The mark that is closed by this one, by its spelling; "" for one that closes nothing."""
    for one, other in (("/", ""), ("end", "begin"), ("END", "BEGIN")):
        if one in closing:
            return closing.replace(one, other, 1)
    return ""
