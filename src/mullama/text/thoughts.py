"""How a model marks its thoughts, found in what its template writes.

Asked in this order, the first answer is taken:

1. What stands around a thought of an earlier message, printed alone or beside a call?
2. With what does the prompt open a thought, or open and close an empty one?
3. Which marks does the source name that open and close a thought, by their names, or where does it
   cut what a message says?

Where the first that is found has no end in the source, but the third question has an answer, too,
the thought has two parts: a prompt opens the first, and old answers are cut behind the second.

A model whose template says nothing is taken to write `<think>` if its answer begins so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mullama.text.pieces import (
    FIRST_TAG,
    LAST_TAG,
    NO_THOUGHT,
    TAG,
    after_common,
    closing_of,
    common_prefix,
    opening_of,
    pair,
)
from mullama.text.syntax import Reasoning

_NAMED = re.compile(
    r"[<\[◁【][^<>\[\]◁▷【】\s/]*(?:think|thought|reason)[^<>\[\]◁▷【】\s]*[>\]▷】]", re.I
)
_CUT = re.compile(
    rf"split\(\s*(['\"])(?:\\n)*({TAG.pattern})(?:\\n)*\1\s*\)?(\s*\[\s*0\s*\]|\s*\|\s*first)?"
)
_OTHER = {"on": "off", "off": "on"}
_ON_OFF = re.compile(r"(?<![a-z])(?:on|off)(?![a-z])")
# Words that stand for marks, in templates that tell their model of them.
_WORDS = (("Here is my thought process:", "Here is my response:"),)
# Marks around no thought; the first may go on in a word of its kind: `<|channel>thought`.
_EMPTY = re.compile(
    rf"(({TAG.pattern})(?:\s*|\w*(?:think|thought|reason)\w*\s*))({TAG.pattern})\s*\Z"
)


def printed(told: str, thought: str, plain: str) -> Reasoning | None:
    """From a message with the words `thought` in it, and `plain`, the same up to where they are.

    `told` ends with whatever the message says after the thought.
    """
    before, found, after = told.partition(thought)
    if not found:
        return None
    first = FIRST_TAG.match(after)
    close = first.group() if first else after
    if not close.strip():  # an answer would have no words then
        return None
    common = common_prefix(before, plain)
    if before[len(common) :].strip():
        return Reasoning(before[len(common) :].lstrip(), close)
    # The plain message has the same mark (around no thought), or nothing opens a thought.
    last = LAST_TAG.search(before)
    return Reasoning(last.group() if last and pair(last.group(), close) else "", close)


def prompted(openings: Sequence[str], message: str, plain: str, source: str) -> Reasoning | None:
    """From ways in which the prompt may open the answer; `plain` is an answer without thoughts."""
    added = [
        text
        for opening in openings
        # A prompt that ends otherwise than messages begin has only a head of its own.
        if (text := after_common(opening, message)) != opening
        or len(set(openings)) > 1
        or _NAMED.search(opening)
    ]
    for text in (message, *openings):
        empty = _EMPTY.search(text)
        if empty and pair(empty.group(2), empty.group(3)):
            return Reasoning(empty.group(1).strip(), empty.group(3))
    for text in added:
        last = LAST_TAG.search(text)
        if last and NO_THOUGHT.match(last.group()):
            continue
        if last and last.group().strip() not in plain and not last.group().startswith("</"):
            return Reasoning(last.group(), closing_of(last.group().strip(), source))
        if last and last.group().strip() not in plain and (opening := opening_of(last.group())):
            return Reasoning(opening, last.group())  # one that thinks opens it itself
    return None


def cut_around(source: str, reasoning: Reasoning) -> tuple[str, str]:
    """The marks around words for the user that a source cuts off from earlier answers, if any."""
    others = (reasoning.open.strip(), reasoning.close.strip())
    for _, mark, _ in _CUT.findall(source):
        of_words = "/" not in mark and "tool" not in mark.lower() and not _NAMED.match(mark)
        closing = closing_of(mark, source)
        if of_words and mark not in others and closing in source:
            return mark, closing
    return "", ""


def named(source: str) -> Reasoning | None:
    """From a source that names marks which open and close a thought."""
    for opening, closing in _WORDS:
        if opening in source and closing in source:
            return Reasoning(opening, closing)
    for opening in _NAMED.findall(source):
        closing = closing_of(opening, source)
        if closing in source:
            return Reasoning(opening, closing)
    cut = _CUT.findall(source)
    before, behind = ({mark for _, mark, first in cut if bool(first) is it} for it in (False, True))
    for _, mark, _ in cut:
        of_words = mark in behind - before and opening_of(mark) in before
        if "/" in mark and "tool" not in mark.lower() and not of_words:
            return Reasoning(opening_of(mark), mark)
    return None


def second(source: str, found: Reasoning) -> Reasoning | None:
    """The second part of a thought of which the source does not tell the first one's end."""
    if not found.open.strip() or found.close.strip() in source:
        return None
    other = named(source)
    return other if other and other.close in source else None


def switches(source: str) -> Iterator[str]:
    """Marks by which a model says whether it will think: `<think_on>`, `<think_off>`. A source cuts
    old answers at one that nothing closes."""
    for _, mark, _ in _CUT.findall(source):
        if _NAMED.fullmatch(mark) and closing_of(mark, source) not in source:
            yield from {mark, _ON_OFF.sub(lambda found: _OTHER[found.group()], mark)}
