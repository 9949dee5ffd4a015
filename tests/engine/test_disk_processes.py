"""Several processes on one folder, and processes that are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from mullama.engine.disk import DiskStore
from tests.engine.disk_helpers import FINGERPRINT, TIMEOUT, bytes_in, fetch, files_in
from tests.engine.disk_process import N_DATA

ROOT = Path(__file__).parents[2]
BUDGET = 8 * N_DATA


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.engine.disk_process", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def check(path: Path) -> int:
    """A next start finds only whole segments, and nothing else; returns how many."""
    store = DiskStore(path, BUDGET, FINGERPRINT)
    try:
        assert store.flush(TIMEOUT)
        keys = [bytes.fromhex(item.name[:32]) for item in files_in(path)]
        for key in keys:
            assert fetch(store, [key])
        assert store.stats().n_misses_total == {}
        assert store.stats().n_segments == len(keys)
        assert bytes_in(path) <= BUDGET
        return len(keys)
    finally:
        store.close()


def watch(path: Path, processes: Sequence[subprocess.Popen[str]]) -> int:
    """The most bytes seen while the processes run."""
    most = 0
    while any(process.poll() is None for process in processes):
        most = max(most, bytes_in(path))
        time.sleep(0.001)
    return max(most, bytes_in(path))


def test_processes_that_write_and_evict_at_once_keep_the_budget_and_every_file_whole(
    tmp_path: Path,
) -> None:
    processes = [start("use", tmp_path, BUDGET, seed, 60) for seed in range(2)]
    try:
        most = watch(tmp_path, processes)
        assert [process.wait(TIMEOUT) for process in processes] == [0, 0]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert BUDGET // 2 < most <= BUDGET
    assert check(tmp_path) > 0


def test_killing_a_writing_process_leaves_nothing_that_a_next_start_trips_over(
    tmp_path: Path,
) -> None:
    moments = random.Random(1)
    hammer = start("hammer", tmp_path, BUDGET)
    assert hammer.stdin
    assert hammer.stdout
    found, n_temporary = [], 0
    try:
        for _ in range(20):
            hammer.stdin.write("\n")
            hammer.stdin.flush()
            pid = int(hammer.stdout.readline())
            time.sleep(moments.uniform(0.005, 0.05))
            os.kill(pid, signal.SIGKILL)
            assert hammer.stdout.readline() == "gone\n"
            n_temporary += any(item.suffix == ".tmp" for item in files_in(tmp_path))
            found.append(check(tmp_path))
    finally:
        hammer.communicate()  # its input's end is its own
    assert max(found) > 3, "a next start is warm"
    assert n_temporary, "no process was killed while it wrote"
