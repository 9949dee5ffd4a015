"""A process that uses a disk store, for the tests of several of them: `python -m` this.

use PATH MAX_BYTES SEED N    save and fetch N times, then end
hammer PATH MAX_BYTES        for each line of input, print the pid of a process that saves and
                             fetches until it is killed, and wait for its end
"""

from __future__ import annotations

import os
import random
import sys
import time
from array import array
from collections.abc import Sequence
from typing import BinaryIO

from mullama.engine.disk import DiskStore, Miss, Segment
from mullama.engine.disk.format import Bytes
from tests.engine.disk_helpers import FINGERPRINT, TIMEOUT, fetch, make

N_DATA = 100_000


def converse(store: DiskStore, choice: random.Random) -> int:
    """Save a conversation of some turns, the same as others have, or as it was before."""
    conversation = choice.randrange(12)
    above: Segment | None = None
    for turn in range(choice.randrange(1, 5)):
        parent = above.key if above else store.root()
        n_data = random.Random(conversation * turn).randrange(N_DATA)
        above = make(parent, turn * 10, [conversation] * 10, n_data)
        store.save(above)
    return conversation


def use(store: DiskStore, seed: int, n: int) -> None:
    choice = random.Random(seed)
    for _ in range(n):
        conversation = converse(store, choice)
        assert store.flush(TIMEOUT)
        parts = store.match(store.root(), array("i", [conversation] * 40), 40)
        fetch(store, [part.entry.key for part in parts])
    spoiled = store.stats().n_misses_total.keys() - {Miss.VANISHED, Miss.UNKNOWN}
    assert not spoiled, spoiled
    store.close()


def write_slowly(file: BinaryIO, parts: Sequence[Bytes]) -> None:
    """Most of the time a part of a file is there."""
    content = b"".join(parts)
    for at in range(0, len(content), 10_000):
        file.write(content[at : at + 10_000])
        file.flush()
        time.sleep(0.0005)


def hammer(path: str, max_bytes: int) -> None:
    for n, _ in enumerate(sys.stdin):
        pid = os.fork()
        if not pid:
            store = DiskStore(path, max_bytes, FINGERPRINT, write=write_slowly)
            choice = random.Random(n)
            while True:
                converse(store, choice)
                time.sleep(0.001)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        print("gone", flush=True)


if __name__ == "__main__":
    command, folder, budget, *rest = sys.argv[1:]
    if command == "hammer":
        hammer(folder, int(budget))
    else:
        use(DiskStore(folder, int(budget), FINGERPRINT), *map(int, rest))
