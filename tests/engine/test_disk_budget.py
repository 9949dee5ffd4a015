from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from mullama.engine.disk import Drop, Miss
from mullama.engine.disk.shelf import TOUCH_SECONDS
from tests.engine.disk_helpers import (
    FINGERPRINT,
    N_FILE,
    TIMEOUT,
    Clock,
    Stores,
    bytes_in,
    chain,
    fetch,
    file_of,
    make,
    save,
    single,
    stored,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def open_store(path: Path) -> Iterator[Stores]:
    stores = Stores(path)
    yield stores
    stores.close()


def test_the_budget_holds_at_every_moment(open_store: Stores, path: Path) -> None:
    budget = 10 * N_FILE + N_FILE // 2
    most = 0

    def write(file: BinaryIO, parts: Sequence[bytes]) -> None:
        nonlocal most
        for part in parts:
            file.write(part)
            file.flush()
            most = max(most, bytes_in(path))

    store = open_store(budget, write=write)
    for i in range(40):
        save(store, single(store, i))
        assert bytes_in(path) <= budget
    assert 9 * N_FILE < most <= budget
    stats = store.stats()
    assert len(stored(path)) == stats.n_segments == 10
    assert (stats.n_evicted_total, stats.n_bytes_evicted_total) == (30, 30 * N_FILE)
    assert stats.n_bytes == bytes_in(path)


def test_the_least_recently_used_is_evicted(open_store: Stores) -> None:
    wall = Clock()
    store = open_store(4 * N_FILE, wall_clock=wall)
    keys = []
    for i in range(4):
        keys += save(store, single(store, i))
        wall.now += 1
    wall.now += TOUCH_SECONDS
    fetch(store, [keys[0]])
    store.touch(keys[1])
    wall.now += 1
    save(store, single(store, 2))  # stored already: a use
    wall.now += 1
    save(store, single(store, 99))
    assert [store.has(key) for key in keys] == [True, True, True, False]


def test_a_use_is_a_use_of_all_that_a_segment_stands_on(open_store: Stores, path: Path) -> None:
    wall = Clock()
    store = open_store(wall_clock=wall)
    segments = chain(store.root(), 3)
    keys = save(store, *segments)
    wall.now += TOUCH_SECONDS
    fetch(store, keys[1:2])
    assert store.flush(TIMEOUT)
    ages = [wall.now - file_of(path, segment).stat().st_mtime for segment in segments]
    assert ages == [0, 0, TOUCH_SECONDS]


def test_uses_are_noted_now_and_then_only(open_store: Stores, path: Path) -> None:
    wall = Clock()
    store = open_store(wall_clock=wall)
    segment = single(store, 0)
    save(store, segment)
    noted = set()
    for _ in range(100):
        wall.now += TOUCH_SECONDS / 10
        store.touch(segment.key)
        assert store.flush(TIMEOUT)
        noted.add(file_of(path, segment).stat().st_mtime)
    assert len(noted) == 11


def test_a_use_noted_before_a_restart_is_remembered(open_store: Stores, path: Path) -> None:
    wall = Clock()
    store = open_store(wall_clock=wall)
    segment = single(store, 0)
    save(store, segment)
    store.close()
    noted = wall.now
    wall.now += TOUCH_SECONDS / 2
    again = open_store(wall_clock=wall)
    fetch(again, [segment.key])
    assert file_of(path, segment).stat().st_mtime == noted
    wall.now += TOUCH_SECONDS / 2
    fetch(again, [segment.key])
    assert again.flush(TIMEOUT)
    assert file_of(path, segment).stat().st_mtime == wall.now


def test_a_chain_is_evicted_from_its_end(open_store: Stores) -> None:
    store = open_store(5 * N_FILE)
    keys = save(store, *chain(store.root(), 5))
    for i in range(5):
        save(store, single(store, 50 + i))
        kept = [store.has(key) for key in keys]
        assert kept == sorted(kept, reverse=True)
        assert len(fetch(store, keys)) == sum(kept)


def test_what_stands_on_nothing_goes_first(open_store: Stores, path: Path) -> None:
    wall = Clock()
    store = open_store(4 * N_FILE, wall_clock=wall)
    old = save(store, single(store, 50))
    wall.now += 1
    segments = chain(store.root(), 3)
    keys = save(store, *segments)
    file_of(path, segments[1]).unlink()
    save(store, single(store, 60), single(store, 70))
    assert not store.has(keys[2])
    assert store.has(keys[0])
    assert store.has(old[0])


def test_models_share_one_budget(open_store: Stores, path: Path) -> None:
    wall = Clock()
    one = open_store(4 * N_FILE, wall_clock=wall)
    save(one, *[single(one, i) for i in range(4)])
    wall.now += 1
    two = open_store(4 * N_FILE, FINGERPRINT.replace("a model", "b model"), wall_clock=wall)
    keys = save(two, *chain(two.root(), 3))
    assert len(fetch(two, keys)) == 3
    assert len(stored(path)) == 4
    assert sum(bool(fetch(one, [single(one, i).key])) for i in range(4)) == 1
    assert one.stats().n_misses_total == {Miss.VANISHED: 3}


def test_a_smaller_budget_is_kept_from_the_start(open_store: Stores, path: Path) -> None:
    store = open_store()
    keys = save(store, *chain(store.root(), 6))
    store.close()
    again = open_store(4 * N_FILE)
    assert bytes_in(path) <= 4 * N_FILE
    assert [again.has(key) for key in keys] == [True] * 4 + [False] * 2


def test_what_can_never_fit_is_dropped_and_evicts_nothing(open_store: Stores, path: Path) -> None:
    store = open_store(3 * N_FILE)
    save(store, single(store, 50))
    assert len(save(store, make(store.root(), 0, [1], n_data=4 * N_FILE))) == 1
    assert store.stats().n_drops_total == {Drop.NO_ROOM: 1}
    assert len(stored(path)) == 1
    save(store, *chain(store.root(), 5))
    assert store.stats().n_drops_total == {Drop.NO_ROOM: 2, Drop.ORPHAN: 1}
    assert store.match(store.root(), array("i", range(50)), 50)[-1].end == 30
    assert store.stats().n_evicted_total == 1
