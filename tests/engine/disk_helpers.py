"""Segments whose bytes follow from their key, so that whoever reads one knows what it must hold."""

from __future__ import annotations

import os
import random
from array import array
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any, BinaryIO

from mullama.engine.disk import DiskStore, Segment, segment_key, write_parts

FINGERPRINT = '{"model":"a model"}'
TIMEOUT = 30.0  # against hanging only
PLENTY = 10**9
N_FILE = 88 + len(FINGERPRINT) + 40 + 1000  # of `make`'s segments with ten tokens


def make(
    parent: bytes, start: int, tokens: Iterable[int], n_data: int = 1000, n_state: int = 0
) -> Segment:
    run = array("i", tokens)
    content = random.Random(segment_key(parent, start, run))
    return Segment(parent, start, run, content.randbytes(n_data), content.randbytes(n_state))


def chain(root: bytes, n: int, *, n_tokens: int = 10, n_data: int = 1000) -> list[Segment]:
    """`n` segments, each below the one before."""
    made: list[Segment] = []
    for i in range(n):
        parent = made[-1].key if made else root
        start = i * n_tokens
        made.append(make(parent, start, range(start, start + n_tokens), n_data))
    return made


def is_genuine(segment: Segment) -> bool:
    """Whether it holds what `make` puts into a segment of its key."""
    expected = make(
        segment.parent, segment.start, segment.tokens, len(segment.data), len(segment.state)
    )
    same = segment.data == expected.data and segment.state == expected.state
    return same and segment.key == expected.key


def fetch(store: DiskStore, keys: Sequence[bytes]) -> tuple[Segment, ...]:
    answers: list[tuple[Segment, ...]] = []
    done = Event()

    def receive(segments: tuple[Segment, ...]) -> None:
        answers.append(segments)
        done.set()

    store.fetch(keys, receive)
    assert done.wait(TIMEOUT)
    assert len(answers) == 1
    assert all(map(is_genuine, answers[0]))
    return answers[0]


class Stores:
    """Opens stores on one folder; they have looked through it, and are closed at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: list[DiskStore] = []

    def __call__(
        self, max_bytes: int = PLENTY, fingerprint: str = FINGERPRINT, **options: Any
    ) -> DiskStore:
        store = DiskStore(self._path, max_bytes, fingerprint, **options)
        self._opened.append(store)
        assert store.flush(TIMEOUT)
        return store

    def close(self) -> None:
        for store in self._opened:
            store.close()


def save(store: DiskStore, *segments: Segment) -> list[bytes]:
    """Save and wait; the keys of those that were not refused."""
    keys = [segment.key for segment in segments if store.save(segment)]
    assert store.flush(TIMEOUT)
    return keys


def single(store: DiskStore, i: int) -> Segment:
    """A segment of its own, in a file of `N_FILE` bytes."""
    return make(store.root(), 0, range(i, i + 10))


def files_in(path: Path) -> list[Path]:
    """All files below `path`, whatever they are."""
    return sorted(item for item in path.rglob("*") if item.is_file())


def stored(path: Path) -> list[Path]:
    """The segments' files."""
    return [item for item in files_in(path) if item.suffix == ".kv"]


def file_of(path: Path, segment: Segment) -> Path:
    [found] = path.glob(f"*/{segment.key.hex()}*.kv")
    return found


def bytes_in(path: Path) -> int:
    """What the files below `path` held together at one moment, at least.

    Others write and remove files meanwhile; but what is there before and after the looking was
    there all at once in between. A claim has a length, and holds nothing until it is written.
    """
    seen = {}
    for item in files_in(path):
        with suppress(FileNotFoundError):
            stat = item.stat()
            seen[item] = min(stat.st_size, stat.st_blocks * 512)
    return sum(size for item, size in seen.items() if item.exists())


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Gate:
    """A disk that writes when it is told to."""

    def __init__(self) -> None:
        self.open = Event()
        self.reached = Event()

    def __call__(self, file: BinaryIO, parts: Sequence[bytes]) -> None:
        self.reached.set()
        assert self.open.wait(TIMEOUT)
        write_parts(file, parts)


class Failing:
    """A disk that fails in the middle of each write while it has an error to fail with."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.n_tries = 0

    def __call__(self, file: BinaryIO, parts: Sequence[bytes]) -> None:
        self.n_tries += 1
        if self.code:
            write_parts(file, parts[:2])
            raise OSError(self.code, os.strerror(self.code))
        write_parts(file, parts)
