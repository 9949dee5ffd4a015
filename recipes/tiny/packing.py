"""Conversations as rows of one length, in the compact form in which they lie on disk.

An entry is a token in 16 bits: the lower twelve are the token, the highest says that it is trained
on (predicted, with a loss), the next that a conversation begins here. Rows are filled up with the
end of text, each a conversation of its own. So a row needs nothing beside itself: what attends to
what follows from where conversations begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recipes.tiny.bpe import END_OF_TEXT, Tokenizer
from recipes.tiny.chats import Segment

TRAINED, BEGINS, TOKEN = 0x8000, 0x4000, 0x0FFF
Row = NDArray[np.uint16]
_OPEN = 24


def entries(tokenizer: Tokenizer, segments: list[Segment]) -> list[int]:
    """A conversation's tokens with their marks."""
    made: list[int] = []
    for segment in segments:
        mark = TRAINED if segment.trained else 0
        made += [token | mark for token in tokenizer.encode(segment.text)]
    made[0] |= BEGINS
    return made


def pack(conversations: Iterator[list[int]], length: int, n_rows: int) -> NDArray[np.uint16]:
    """Fill `n_rows` rows, each conversation into the first open row that has room for it.

    Those longer than a row are left out. (n_rows, length)
    """
    rows = np.full((n_rows, length), END_OF_TEXT | BEGINS, dtype=np.uint16)
    done = 0
    unfilled: list[list[int]] = [[] for _ in range(_OPEN)]
    while done < n_rows:
        conversation = next(conversations)
        if len(conversation) > length:
            continue
        fits = next((row for row in unfilled if len(row) + len(conversation) <= length), None)
        if fits is None:
            fullest = max(range(_OPEN), key=lambda i: len(unfilled[i]))
            rows[done, : len(unfilled[fullest])] = unfilled[fullest]
            done += 1
            fits = unfilled[fullest] = []
        fits += conversation
    return rows


def write(path: Path, rows: NDArray[np.uint16]) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(rows.tobytes())
    part.replace(path)


class Rows:
    """All rows of one bucket, as one array over its files. Read as they are wanted."""

    def __init__(self, paths: list[Path], length: int) -> None:
        self._shards = [np.memmap(path, np.uint16, "r").reshape(-1, length) for path in paths]
        self._per_shard = len(self._shards[0])

    def batch(self, index: int, rows: int) -> NDArray[np.uint16]:
        """The `index`th batch of `rows` rows, from the beginning again after the end."""
        shards, per = self._shards, self._per_shard
        numbers = [(index * rows + i) % (len(shards) * per) for i in range(rows)]
        return np.stack([shards[n // per][n % per] for n in numbers])


def tokens(rows: Row) -> NDArray[np.int64]:
    return (rows & TOKEN).astype(np.int64)


def documents(rows: Row) -> NDArray[np.int64]:
    """The number of the conversation that each entry belongs to; it attends only to that."""
    # Some versions of numpy say Any.
    numbers: NDArray[np.int64] = np.cumsum((rows & BEGINS) != 0, axis=-1)
    return numbers


def targets(rows: Row) -> NDArray[np.int64]:
    """What each position is to predict, -1 where it is not trained."""
    following = np.roll(rows, -1, axis=-1)
    wanted = np.where((following & TRAINED) != 0, (following & TOKEN).astype(np.int64), -1)
    wanted[..., -1] = -1
    return wanted
