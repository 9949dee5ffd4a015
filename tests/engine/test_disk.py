from __future__ import annotations

import os
import shutil
import time
import weakref
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mullama.engine.disk import Miss, Segment
from tests.engine.disk_helpers import (
    FINGERPRINT,
    TIMEOUT,
    Gate,
    Stores,
    bytes_in,
    chain,
    fetch,
    file_of,
    make,
    save,
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


# -- what is saved is there -------------------------------------------------------------------


def test_what_is_saved_is_found_and_read(open_store: Stores, path: Path) -> None:
    store = open_store()
    segments = chain(store.root(), 3)
    assert save(store, *segments) == [segment.key for segment in segments]
    assert len(stored(path)) == 3
    parts = store.match(store.root(), array("i", range(25)), 25)
    assert [part.n_tokens for part in parts] == [10, 10, 5]
    assert len(fetch(store, [part.entry.key for part in parts])) == 3
    stats = store.stats()
    assert (stats.n_hits_total, stats.n_bytes_read_total) == (3, 3000)
    assert (stats.n_segments, stats.n_writes_total) == (3, 3)
    assert stats.n_bytes_written_total == bytes_in(path)
    assert stats.writes


def test_a_restart_sees_everything(open_store: Stores) -> None:
    store = open_store()
    segments = chain(store.root(), 3)
    branch = make(segments[1].key, 15, [7, 8, 9], n_data=50, n_state=60)
    alone = make(segments[0].key, 4, [], n_data=0, n_state=70)
    salted = make(store.root("salt"), 0, range(10))
    keys = save(store, *segments, branch, alone, salted)
    store.close()
    again = open_store()
    assert all(map(again.has, keys))
    assert len(fetch(again, keys)) == len(keys) == 6
    parts = again.match(again.root(), array("i", [*range(15), 7, 8, 9]), 18, with_state=True)
    assert [part.n_tokens for part in parts] == [10, 5, 3]
    assert again.match(again.root("salt"), array("i", range(30)), 30)[-1].end == 10
    assert not again.match(again.root("pepper"), array("i", range(30)), 30)


def test_a_segment_is_there_before_its_file_is(open_store: Stores, path: Path) -> None:
    gate = Gate()
    store = open_store(write=gate)
    segments = chain(store.root(), 2)
    for segment in segments:
        assert store.save(segment)
    assert store.has(segments[1].key)
    assert len(store.match(store.root(), array("i", range(20)), 20)) == 2
    assert fetch(store, [segment.key for segment in segments]) == tuple(segments)
    assert not stored(path)
    assert store.stats().n_bytes_queued == 2000
    gate.open.set()
    assert store.flush(TIMEOUT)
    assert len(stored(path)) == 2
    assert store.stats().n_bytes_queued == 0


def test_bytes_are_let_go_once_they_are_written(open_store: Stores) -> None:
    store = open_store()
    data = memoryview(bytes(1000))
    kept = weakref.ref(data)
    store.save(Segment(store.root(), 0, array("i", [1]), data))
    del data
    end = time.monotonic() + TIMEOUT
    while kept() is not None and time.monotonic() < end:
        time.sleep(0.001)
    assert kept() is None


def test_equal_segments_are_written_once(open_store: Stores) -> None:
    one, two = open_store(), open_store()
    for store in (one, one, two, two):
        save(store, *chain(store.root(), 3))
    assert (one.stats().n_writes_total, two.stats().n_writes_total) == (3, 0)
    assert two.stats().n_drops_total == {}
    assert len(fetch(two, [segment.key for segment in chain(two.root(), 3)])) == 3


def test_models_do_not_see_each_other(open_store: Stores, path: Path) -> None:
    one, two = open_store(), open_store(fingerprint="another")
    save(one, *chain(one.root(), 3))
    assert one.root() != two.root()
    assert not two.match(one.root(), array("i", range(30)), 30)
    assert len({item.parent for item in stored(path)}) == 1
    save(two, *chain(two.root(), 2))
    assert len({item.parent for item in stored(path)}) == 2


def test_what_another_process_writes_is_taken_up_at_the_next_look(open_store: Stores) -> None:
    one, two = open_store(), open_store()
    keys = save(one, *chain(one.root(), 3))
    assert not two.has(keys[0])
    save(two, make(two.root(), 0, [99]))
    assert len(fetch(two, keys)) == 3


# -- what can't be read is a miss -------------------------------------------------------------


def truncate(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


SPOILED: dict[Miss, Callable[[Path], object]] = {
    Miss.TRUNCATED: truncate,
    Miss.CORRUPT: flip,
    Miss.VANISHED: Path.unlink,
    Miss.UNREADABLE: replace_by_folder,
}


@pytest.mark.parametrize("reason", SPOILED, ids=str)
def test_a_spoiled_file_is_a_miss_and_is_written_again(
    open_store: Stores, path: Path, reason: Miss
) -> None:
    store = open_store()
    segments = chain(store.root(), 3)
    keys = save(store, *segments)
    file = file_of(path, segments[1])
    SPOILED[reason](file)
    assert len(fetch(store, keys)) == 1, "what follows a gap is of no use"
    assert store.stats().n_misses_total == {reason: 1}
    assert not store.has(keys[1])
    assert not file.is_file()
    if file.is_dir():
        file.rmdir()
    save(store, *segments)
    assert len(fetch(store, keys)) == 3
    assert store.stats().n_writes_total == 4


@pytest.mark.parametrize("keep", [0, 1, 8, 16, 87, 88, 100, 150, 1000])
def test_a_file_truncated_anywhere_is_a_miss(open_store: Stores, path: Path, keep: int) -> None:
    store = open_store()
    segment = make(store.root(), 0, range(10))
    [key] = save(store, segment)
    file = file_of(path, segment)
    os.truncate(file, keep)
    assert fetch(store, [key]) == ()
    assert store.stats().n_misses_total == {Miss.TRUNCATED: 1}
    assert not file.exists()


def test_what_was_spoiled_between_two_starts_is_removed(open_store: Stores, path: Path) -> None:
    store = open_store()
    segments = [make(store.root(), 0, [i]) for i in range(5)]
    keys = save(store, *segments)
    store.close()
    truncate(file_of(path, segments[0]))
    file_of(path, segments[1]).write_bytes(b"")
    version = bytearray(file_of(path, segments[2]).read_bytes())
    version[8] ^= 1
    file_of(path, segments[2]).write_bytes(version)
    flip(file_of(path, segments[3]))  # in the data, which is not read at the start
    again = open_store()
    assert again.stats().n_misses_total == {Miss.TRUNCATED: 2, Miss.VERSION: 1}
    assert len(stored(path)) == 2
    assert fetch(again, [keys[4]])
    assert not fetch(again, [keys[3]])
    assert again.stats().n_misses_total[Miss.CORRUPT] == 1
    assert stored(path) == [file_of(path, segments[4])]


def test_another_models_file_is_a_miss(open_store: Stores, path: Path) -> None:
    other = open_store(fingerprint=FINGERPRINT.replace("a model", "b model"))
    store = open_store()
    foreign, own = make(other.root(), 0, range(10)), make(store.root(), 0, range(10))
    save(other, foreign)
    [key] = save(store, own)
    own_folder = file_of(path, own).parent
    shutil.copy(file_of(path, foreign), file_of(path, own))
    assert fetch(store, [key]) == ()
    assert store.stats().n_misses_total == {Miss.FOREIGN: 1}
    shutil.copy(file_of(path, foreign), own_folder)
    assert open_store().stats().n_misses_total == {Miss.FOREIGN: 1}


def test_a_key_that_nobody_stored_is_a_miss(open_store: Stores) -> None:
    store = open_store()
    assert fetch(store, [bytes(16)]) == ()
    assert fetch(store, []) == ()
    assert store.stats().n_misses_total == {Miss.UNKNOWN: 1}


def test_a_folder_that_is_deleted_is_made_again(open_store: Stores, path: Path) -> None:
    store = open_store()
    segments = chain(store.root(), 2)
    save(store, *segments)
    shutil.rmtree(path)
    save(store, make(store.root(), 0, [99]))
    assert store.stats().n_segments == 1
    assert len(save(store, *segments)) == 2
    assert len(stored(path)) == 3
