"""What the disk holds, in memory: which stored segments continue a prefix. No I/O, no locks.

A walk goes down from a root. At a segment whose first n tokens are the sequence's, it goes on with
the children that begin within those n:

    parent  |0 . . . . . . . . 1000 . . . 1500|       stored with the first conversation
    child                     |1000 . . . . . . 1700| parted from it at 1000

so a match is a list of segments, each with how many of its tokens are wanted of it.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mullama.engine.disk.format import Entry
from mullama.engine.radix import common_length


class Part(NamedTuple):
    """A segment of a match: its first `n_tokens` are the sequence's tokens from its start on."""

    entry: Entry
    n_tokens: int

    @property
    def end(self) -> int:
        return self.entry.start + self.n_tokens


@dataclass(frozen=True, slots=True)
class _Step:
    """A part, and the steps of the walk above it."""

    part: Part
    above: _Step | None

    @property
    def has_state(self) -> bool:
        entry, n_tokens = self.part
        return entry.n_state > 0 and n_tokens == len(entry.tokens)

    def path(self) -> tuple[Part, ...]:
        """The parts from the root to here, each up to where the next begins."""
        parts, step = [self.part], self.above
        while step is not None:
            entry = step.part.entry
            parts.append(Part(entry, parts[-1].entry.start - entry.start))
            step = step.above
        return tuple(reversed(parts))


class Index:
    """Entries by key, and by where they continue their parent."""

    def __init__(self) -> None:
        self._entries: dict[bytes, Entry] = {}
        self._starts: dict[bytes, Counter[int]] = {}  # of a parent's children
        self._at: dict[_Place, list[Entry]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: bytes) -> bool:
        return key in self._entries

    def get(self, key: bytes) -> Entry | None:
        return self._entries.get(key)

    def keys(self) -> set[bytes]:
        return set(self._entries)

    def add(self, entry: Entry) -> None:
        """Remember `entry`; its parent may come later, or never."""
        if entry.key in self._entries:
            return
        self._entries[entry.key] = entry
        self._starts.setdefault(entry.parent, Counter())[entry.start] += 1
        self._at.setdefault(_place(entry), []).append(entry)

    def remove(self, key: bytes) -> None:
        """Forget an entry, if it is there; what is below it can't be reached any more."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        starts, siblings = self._starts[entry.parent], self._at[_place(entry)]
        starts[entry.start] -= 1
        siblings.remove(entry)
        if not siblings:
            del self._at[_place(entry)]
        if not starts[entry.start]:
            del starts[entry.start]
        if not starts:
            del self._starts[entry.parent]

    def chain(self, key: bytes) -> Iterator[Entry]:
        """The entry and those above it, as far as they are there."""
        entry = self._entries.get(key)
        while entry is not None:
            yield entry
            entry = None if entry.is_first else self._entries.get(entry.parent)

    def match(
        self, root: bytes, tokens: array[int], limit: int, *, with_state: bool = False
    ) -> tuple[Part, ...]:
        """The stored segments that spell the longest prefix of `tokens[:limit]`; maybe none.

        With `with_state`, the longest that ends where a segment with a state ends.
        """
        limit = min(limit, len(tokens))
        best: _Step | None = None
        todo: list[tuple[bytes, int, int, _Step | None]] = [(root, -1, 0, None)]
        while todo:
            parent, start, reach, above = todo.pop()
            for entry in self._continuing(parent, start, reach, tokens, limit):
                n = common_length(entry.tokens, tokens, entry.start, limit - entry.start)
                step = _Step(Part(entry, n), above)
                longer = best is None or step.part.end > best.part.end
                if longer and (step.has_state or not with_state):
                    best = step
                todo.append((entry.key, entry.start, step.part.end, step))
        return () if best is None else best.path()

    def _continuing(
        self, parent: bytes, after: int, reach: int, tokens: array[int], limit: int
    ) -> Iterator[Entry]:
        """Children of `parent` that start in (after, reach] as the sequence goes on there."""
        for start in self._starts.get(parent, ()):
            if after < start <= reach:
                yield from self._at.get((parent, start, None), ())
                if start < limit:
                    yield from self._at.get((parent, start, tokens[start]), ())


# Parent, start, and the first token; None for a state alone.
_Place = tuple[bytes, int, int | None]


def _place(entry: Entry) -> _Place:
    return entry.parent, entry.start, entry.tokens[0] if entry.tokens else None
