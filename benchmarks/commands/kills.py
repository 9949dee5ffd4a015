"""`kills`: workers that end while they write."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from benchmarks import report
from benchmarks.commands.settings import (
    FAILED,
    deliver,
    drawn,
    json_option,
    seed_option,
    tell,
    vocab_option,
)
from benchmarks.traffic import Load


@click.command(short_help="Kill workers while they write to disk: is the next start sound?")
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--times", default=50, show_default=True, type=click.IntRange(1, 10_000))
@vocab_option
@seed_option
@json_option
def kills(model: Path, times: int, vocab: int, seed: int | None, json_path: Path | None) -> int:
    """Kills workers at random moments while prefixes are written to disk.

    Fails if a start after it was not warm, an answer was another than without any cache, or a
    file was left unfinished.
    """
    from benchmarks.kills import card, kill
    from benchmarks.synthetic import exact

    seed = drawn(seed)
    load = Load(f"{seed}", vocab)
    with tempfile.TemporaryDirectory(prefix="benchmark-kills-") as folder:
        copy, cache = exact(model, Path(folder)), Path(folder) / "cache"
        tally = asyncio.run(kill(copy, cache, load, times, tell))
    facts = {"benchmark": "kills", "machine": report.machine(), "seed": seed}
    deliver(card(tally), facts | asdict(tally), json_path)
    return 0 if tally.is_sound else FAILED
