"""Text that is still arriving, as coroutines read it.

A reader is a generator that yields where it needs more text and returns what it found:
`found = yield from source.literal("<tool_call>")`. So a grammar is written straight down, as if all
text were there, and reads the same however the text is cut. Two rules keep that and linear time:

1. Every decision is made from the text alone, never from where a piece of it ended.
2. What is taken is not read again. Reading ahead is bounded by the length of a mark.

While `hold` is on, what is taken is remembered, so that it can be given back as plain text when it
turns out not to be what it looked like.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from mullama.text.syntax import is_label, marks

T = TypeVar("T")
Reader = Generator[None, None, T]

_SPACE = re.compile(r"\s+")
_WORD = re.compile(r"[\w.\-]+")
_LABEL = re.compile(r"[^<]+")


class Triggers:
    """Texts to look for, all at once. None is the beginning of another."""

    def __init__(self, texts: Iterable[str]) -> None:
        found = sorted({text for text in texts if text})
        self.texts = [
            text
            for text in found
            if not any(text != other and text.startswith(other) for other in found)
        ]
        self.pattern = re.compile("|".join(map(re.escape, self.texts)) or r"(?!)")
        firsts = "".join(sorted({re.escape(text[0]) for text in self.texts}))
        self.first = re.compile(f"[{firsts}]" if firsts else r"(?!)")
        self.longest = max(map(len, self.texts), default=0)


class Source:
    """The text that has not been taken yet.

    `offset` is how much was taken, `n_aside` how much of that is not understood yet, `before` the
    last character of it.
    """

    def __init__(self) -> None:
        self.text = ""
        self.position = 0
        self.offset = 0
        self.n_aside = 0
        self.before = ""
        self.ended = False
        self._held: list[str] | None = None
        self._held_before = ""
        self._doubtful: list[str] | None = None

    def feed(self, text: str) -> None:
        self.text = self.text[self.position :] + text
        self.position = 0

    # ------------------------------------------------------------------ without waiting

    @property
    def n_here(self) -> int:
        """Characters that are here and not taken."""
        return len(self.text) - self.position

    def take(self, count: int) -> str:
        """The next `count` characters, which must be here."""
        taken = self.text[self.position : self.position + count]
        self.position += count
        self.offset += count
        self.before = taken[-1:] or self.before
        if self._held is not None:
            self._held.append(taken)
        if self._doubtful is not None:
            self._doubtful.append(taken)
            self.n_aside += count
        return taken

    def hold(self) -> None:
        """Remember from here on what is taken."""
        self._held = []
        self._held_before = self.before

    def release(self) -> str:
        """What was taken since `hold`, which is over."""
        held, self._held = self._held, None
        return "".join(held or ())

    def give_back(self) -> None:
        """Have what was taken since `hold` come once more."""
        text = self.release()
        self.text = text + self.text[self.position :]
        self.position = 0
        self.offset -= len(text)
        self.before = self._held_before
        if self._doubtful is not None and text:
            self._doubtful = ["".join(self._doubtful)[: -len(text)]]
            self.n_aside -= len(text)

    def doubt(self) -> None:
        """What is taken from here on may turn out to be something else."""
        self._doubtful = []

    def decide(self) -> str:
        """What was taken since `doubt`, which is over."""
        taken, self._doubtful = self._doubtful, None
        self.n_aside = 0
        return "".join(taken or ())

    def match(self, pattern: re.Pattern[str]) -> str:
        """Take what of the text that is here matches from its beginning; "" if nothing does."""
        found = pattern.match(self.text, self.position)
        return self.take(found.end() - self.position) if found else ""

    # ------------------------------------------------------------------ waiting

    def at(self, index: int) -> Reader[str]:
        """The character `index` places ahead, "" past the end."""
        while self.position + index >= len(self.text):
            if self.ended:
                return ""
            yield
        return self.text[self.position + index]

    def run(self, pattern: re.Pattern[str]) -> Reader[str]:
        """Take all that matches a pattern of single characters (`[…]+`)."""
        taken = []
        while (yield from self.at(0)):
            found = self.match(pattern)
            if not found:
                break
            taken.append(found)
        return "".join(taken)

    def space(self) -> Reader[str]:
        """Take white space; how much there was."""
        return (yield from self.run(_SPACE))

    def word(self) -> Reader[str]:
        """Take letters, digits and `_.-`."""
        return (yield from self.run(_WORD))

    def mark(self, text: str) -> Reader[bool]:
        """Take exactly this, or nothing.

        What is cut by the end of the text counts as taken: a cut answer is read as far as it goes.
        """
        for index, expected in enumerate(text):
            found = yield from self.at(index)
            if not found and index:
                self.take(index)
                return True
            if found != expected:
                return False
        self.take(len(text))
        return True

    def literal(self, text: str) -> Reader[bool]:
        """Take the marks of this text, with any white space before and between them, and any word
        in the place of a label.

        What matched is taken even if the rest does not. Where the whole text ends behind some of
        them, it was cut, and that counts as a match.
        """
        pieces = marks(text)
        for number, piece in enumerate(pieces):
            yield from self.space()
            if is_label(pieces, number):
                yield from self.run(_LABEL)
            elif not (yield from self.mark(piece)):
                return number > 0 and not (yield from self.at(0))
        return True

    def one_of(self, names: Iterable[str]) -> Reader[str]:
        """Take the longest of the names that the text begins with; "" if it begins with none."""
        candidates, best, index = list(names), "", 0
        while candidates:
            found = yield from self.at(index)
            best = next((name for name in candidates if len(name) == index), best)
            candidates = [name for name in candidates if len(name) > index and name[index] == found]
            index += 1
        return self.take(len(best))

    def stands(self, text: str, ahead: int = 0) -> Reader[bool]:
        """Whether this text comes next, or so many places ahead; takes nothing."""
        for index, expected in enumerate(text, ahead):
            if (yield from self.at(index)) != expected:
                return False
        return True

    def stream(self, mark: str, drop: str, emit: Callable[[str], None]) -> Reader[bool]:
        """Take and emit all before the mark as it arrives, but for one `drop` in front of it.

        False, with everything taken and emitted, if the mark never comes.
        """
        while (found := self.text.find(mark, self.position)) < 0:
            emit(self.take(self.n_here - (0 if self.ended else self.tail(drop + mark, mark))))
            if self.ended:
                return False
            yield
        dropped = len(drop) if self.text.endswith(drop, self.position, found) else 0
        emit(self.take(found - self.position - dropped))
        self.take(dropped)
        return True

    def up_to(self, triggers: Triggers, emit: Callable[[str], None]) -> Reader[str]:
        """Take and emit all before the next trigger as it arrives.

        Gives the trigger, which is not taken, or "" where the text ends without one.
        """
        while not (found := triggers.pattern.search(self.text, self.position)):
            emit(self.take(self.n_here - (0 if self.ended else self._tail_of(triggers))))
            if self.ended:
                return ""
            yield
        emit(self.take(found.start() - self.position))
        return found.group()

    def tail(self, *texts: str) -> int:
        """How many of the last characters here may be the beginning of one of the texts."""
        return max((self._tail(text) for text in texts), default=0)

    def _tail_of(self, triggers: Triggers) -> int:
        """The same for all of them; mostly none of their first characters is there."""
        start = max(self.position, len(self.text) - triggers.longest + 1)
        if not triggers.first.search(self.text, start):
            return 0
        return self.tail(*triggers.texts)

    def _tail(self, mark: str) -> int:
        text = self.text
        at = text.find(mark[0], len(text) - min(len(mark) - 1, self.n_here))
        while at >= 0 and not mark.startswith(text[at:]):
            at = text.find(mark[0], at + 1)
        return len(text) - at if at >= 0 else 0
