"""Workers that are killed while they write to disk: the next one is clean and warm."""

from __future__ import annotations

import asyncio
from pathlib import Path

from benchmarks.kills import kill
from benchmarks.scenarios import Load
from benchmarks.synthetic import exact

N_KILLS = 10


def test_a_worker_after_a_killed_one_is_clean_and_warm(tiny_model: Path, tmp_path: Path) -> None:
    told: list[str] = []
    model, folder = exact(tiny_model, tmp_path), tmp_path / "cache"
    tally = asyncio.run(kill(model, folder, Load("kills", 4000), N_KILLS, told.append))
    assert (tally.wrong, tally.left) == ([], [])
    assert tally.n_warm >= N_KILLS - 1  # a kill can come before the first segment is whole
    assert tally.n_survived > 0  # some were killed after something was written
    assert tally.n_killed_answers > 0  # and some before
    assert len(told) == N_KILLS
