"""The training data: text for the tokenizer, then rows on disk, in shards, by several processes.

A shard depends on its name only, so neither the number of processes nor an interruption changes
anything. A shard that is there is not made again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import accumulate
from pathlib import Path

from recipes.tiny import bpe, packing
from recipes.tiny.chats import Chat, Segment, render
from recipes.tiny.held_out import is_for_evaluation, is_for_training
from recipes.tiny.mixture import MIXTURE, PLAIN
from recipes.tiny.progress import Progress
from recipes.tiny.settings import (
    BUCKETS,
    COPYING_SHARDS,
    ROWS_PER_SHARD,
    SCHEDULE,
    SEED,
    SHAPE,
    Bucket,
)
from recipes.tiny.skills import FAMILIES
from recipes.tiny.skills.completion import completion
from recipes.tiny.source import Source

_CAPITALS = re.compile(r"[A-Z]{2,}")
_TOKENIZER_CHATS = {"short": 60_000, "middle": 12_000, "long": 200}


def _made(family: str, source: Source) -> Chat:
    source.plain = source.chance(PLAIN)
    return FAMILIES[family](source)


def for_training(family: str, source: Source) -> Chat:
    """A chat of a family without anything that is held out."""
    while True:
        it = _made(family, source)
        if is_for_training(it.keys):
            return it


def for_evaluation(family: str, source: Source) -> Chat:
    """A chat of a family whose last question is held out."""
    while True:
        it = _made(family, source)
        if is_for_evaluation(it.keys):
            return it


def segments(mixture: str, source: Source) -> Iterator[list[Segment]]:
    """Endless conversations, as a mixture has them."""
    weights = MIXTURE[mixture]
    names, sums = list(weights), list(accumulate(weights.values()))
    while True:
        name = source.random.choices(names, cum_weights=sums)[0]
        if name == "completion":
            text = completion(source)
            yield [Segment(text[:4], False), Segment(text[4:] + "<|endoftext|>", True)]
        else:
            yield render(for_training(name, source))


def train_tokenizer(folder: Path) -> Path:
    """The tokenizer, from a sample of the same mixture."""
    path = folder / "tokenizer.json"
    if not path.exists():
        bpe.Tokenizer(bpe.train(_sample(), SHAPE.n_vocab)).save(path)
    return path


def _sample() -> Iterator[str]:
    """Text to find tokens in. Words in capitals are left out of it, so that they are letters: what
    it then takes to write any word in capitals is how it is spelled."""
    for bucket, n in _TOKENIZER_CHATS.items():
        made = segments(bucket, Source(f"{SEED}/tokenizer/{bucket}"))
        for _ in range(n):
            for segment in next(made):
                text = segment.text
                for name in bpe.SPECIAL:
                    text = text.replace(name, "")
                yield _CAPITALS.sub("", text)


def shards(folder: Path, bucket: Bucket) -> list[Path]:
    """The files of a bucket, as many as a run takes."""
    rows = SCHEDULE.batches()[bucket.name] * bucket.rows
    n = -(-rows // ROWS_PER_SHARD[bucket.name])
    return [folder / f"{bucket.name}-{i:03}.rows" for i in range(n)]


def _make(folder: Path, bucket: Bucket, path: Path) -> None:
    tokenizer = bpe.Tokenizer.load(folder / "tokenizer.json")
    source = Source(f"{SEED}/{path.stem}")
    first = path in shards(folder, BUCKETS[0])[:COPYING_SHARDS]
    mixture = "first" if first else bucket.name
    made = (packing.entries(tokenizer, it) for it in segments(mixture, source))
    packing.write(path, packing.pack(made, bucket.length, ROWS_PER_SHARD[bucket.name]))


def generate(folder: Path) -> None:
    """Make whatever of the data is not there yet."""
    wanted = [(bucket, path) for bucket in BUCKETS for path in shards(folder, bucket)]
    missing = [(bucket, path) for bucket, path in wanted if not path.exists()]
    progress = Progress("data", len(wanted), len(wanted) - len(missing))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        running = [pool.submit(_make, folder, bucket, path) for bucket, path in missing]
        for future in as_completed(running):
            future.result()
            progress.advance()
