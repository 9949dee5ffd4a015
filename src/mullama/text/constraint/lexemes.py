"""Whether a grammar's lexemes can be cut from a text, each as long as it can be, without harm.

A lexer that takes the longest fit is right if, wherever a lexeme may end, the next character can't
be both: the beginning of what may follow, and the continuation of this lexeme or of another that
might have begun at the same place. That is checked here for all lexemes of a grammar at once, on
their positions (Glushkov's automaton: one state for each character of an expression) and on what
may follow what. Both are over-estimated where that is simpler: repetition counts are forgotten, and
what follows a lexeme anywhere is taken to follow it everywhere. So a conflict may be found that is
none, and none is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import product

from mullama.errors import InvalidRequest
from mullama.text.constraint.gbnf_parse import Alt, Chars, Expr, Repeat, Seq

_MAX_WORK = 100_000

Ranges = tuple[tuple[int, int], ...]


@dataclass(slots=True)
class Positions:
    """The positions of a regular expression: what is first, last, and what comes after each."""

    chars: list[Ranges] = field(default_factory=list)
    after: list[set[int]] = field(default_factory=list)
    first: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)
    nullable: bool = False

    @classmethod
    def of(cls, expr: Expr) -> Positions:
        made = cls()
        made.first, made.last, made.nullable = made._add(expr)
        return made

    def begins(self) -> list[Ranges]:
        """The characters that it may begin with."""
        return [self.chars[p] for p in self.first]

    def _add(self, expr: Expr) -> tuple[set[int], set[int], bool]:
        """First and last positions of `expr`, and whether it matches nothing at all."""
        match expr:
            case Chars(ranges):
                self.chars.append(ranges)
                self.after.append(set())
                here = {len(self.chars) - 1}
                return here, here, False
            case Seq(parts):
                return self._sequence(parts)
            case Alt(options):
                found = [self._add(option) for option in options]
                first = set().union(*(one[0] for one in found))
                last = set().union(*(one[1] for one in found))
                return first, last, any(one[2] for one in found)
            case Repeat(part, low, high):
                first, last, nullable = self._add(part)
                if high is None or high > 1:
                    self._link(last, first)
                return first, last, nullable or low == 0
        return set(), set(), False  # a token has no characters

    def _sequence(self, parts: Iterable[Expr]) -> tuple[set[int], set[int], bool]:
        first: set[int] = set()
        last: set[int] = set()
        nullable = True
        for part in parts:
            begin, end, empty = self._add(part)
            self._link(last, begin)
            if nullable:
                first = first | begin
            last = last | end if empty else end
            nullable = nullable and empty
        return first, last, nullable

    def _link(self, before: set[int], behind: set[int]) -> None:
        check_work(len(before) * len(behind))
        for position in before:
            self.after[position] |= behind


def check_work(n: int) -> None:
    """Refuse what would take seconds: `n` is how many pairs of things are to be looked at."""
    if n > _MAX_WORK:
        raise InvalidRequest(
            "The grammar is too complex: too many of its parts may follow one another. Write it "
            "with fewer repetitions and alternatives, or without recursion."
        )


def overlap(some: Iterable[Ranges], others: Iterable[Ranges]) -> bool:
    """Whether two sets of characters, each given in parts, have one in common."""
    merged = sorted(span for ranges in others for span in ranges)
    spans = sorted(span for ranges in some for span in ranges)
    i = j = 0
    while i < len(spans) and j < len(merged):
        if spans[i][1] < merged[j][0]:
            i += 1
        elif merged[j][1] < spans[i][0]:
            j += 1
        else:
            return True
    return False


def swallows(longer: Positions, shorter: Positions, following: list[Ranges]) -> bool:
    """Whether `longer`, begun at the same place, could run on over what follows `shorter`.

    They may be the same lexeme, which could end where it also goes on.
    """
    return any(
        q in shorter.last and overlap((longer.chars[n] for n in longer.after[p]), following)
        for p, q in _in_step(longer, shorter)
    )


def meet(one: Positions, other: Positions) -> bool:
    """Whether some text is both."""
    return any(p in one.last and q in other.last for p, q in _in_step(one, other))


def _in_step(one: Positions, other: Positions) -> Iterator[tuple[int, int]]:
    """The pairs of positions that both may have reached after the same text."""
    check_work(len(one.first) * len(other.first))
    todo = list(product(one.first, other.first))
    seen = set(todo)
    while todo:
        p, q = todo.pop()
        if overlap([one.chars[p]], [other.chars[q]]):
            yield p, q
            new = set(product(one.after[p], other.after[q])) - seen
            seen |= new
            check_work(len(seen))
            todo += new
