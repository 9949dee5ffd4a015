from __future__ import annotations

import errno
import logging
import os
import resource
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from mullama.engine.disk import DiskStore, Drop, Segment, write_parts
from mullama.engine.disk.health import FIRST_PAUSE, LONGEST_PAUSE
from tests.engine.disk_helpers import (
    FINGERPRINT,
    PLENTY,
    TIMEOUT,
    Clock,
    Failing,
    Gate,
    Stores,
    chain,
    fetch,
    file_of,
    files_in,
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


# -- what can't be written is dropped ---------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_pauses_writing_with_one_warning(
    open_store: Stores, path: Path, caplog: pytest.LogCaptureFixture, code: int
) -> None:
    disk, clock = Failing(), Clock()
    store = open_store(write=disk, clock=clock)
    [before] = save(store, single(store, 0))
    disk.code = code
    pause, n_failed = FIRST_PAUSE, 0
    while pause < LONGEST_PAUSE:
        save(store, single(store, 1))
        n_failed += 1
        assert not store.save(single(store, 2))
        assert not store.stats().writes
        assert fetch(store, [before]), "reading goes on"
        clock.now += pause - 1
        assert not store.save(single(store, 2))
        clock.now += 1
        pause *= 2
    assert disk.n_tries == n_failed + 1
    assert store.stats().n_drops_total == {Drop.FAILED: n_failed, Drop.PAUSED: 2 * n_failed}
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert os.strerror(code) in warning.getMessage()
    assert len(files_in(path)) == 1, "half a file is left"
    disk.code = 0
    assert len(save(store, single(store, 3))) == 1
    assert store.stats().writes
    assert len(stored(path)) == 2


def test_a_pause_has_an_end(open_store: Stores) -> None:
    disk, clock = Failing(errno.ENOSPC), Clock()
    store = open_store(write=disk, clock=clock)
    for n in range(1, 20):
        save(store, single(store, 0))
        clock.now += LONGEST_PAUSE
        assert disk.n_tries == n
    disk.code = 0
    assert save(store, single(store, 0))
    disk.code = errno.ENOSPC
    save(store, single(store, 1))
    clock.now += FIRST_PAUSE
    assert store.stats().writes, "after a success the first pause is short again"


def test_what_is_queued_when_the_disk_fails_is_dropped(open_store: Stores) -> None:
    gate, clock = Gate(), Clock()

    def write(file: BinaryIO, parts: Sequence[bytes]) -> None:
        gate(file, parts)
        raise OSError(errno.ENOSPC, "full")

    store = open_store(write=write, clock=clock)
    segments = [single(store, i) for i in range(5)]
    assert all(map(store.save, segments))
    gate.open.set()
    assert store.flush(TIMEOUT)
    assert store.stats().n_drops_total == {Drop.FAILED: 1, Drop.PAUSED: 4}
    assert not any(store.has(segment.key) for segment in segments)
    assert store.stats().n_bytes_queued == 0


def test_a_real_limit_of_the_system_is_a_pause_too(open_store: Stores, path: Path) -> None:
    """File sizes are limited, as with `ulimit -f`: the claim fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        store = open_store()
        save(store, make(store.root(), 0, [1], n_data=2 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.stats().n_drops_total == {Drop.FAILED: 1}
    assert not store.stats().writes
    assert files_in(path) == []


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_a_folder_that_cannot_be_made_turns_the_store_off(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    store = DiskStore(tmp_path / name, PLENTY, FINGERPRINT)
    [warning] = caplog.records
    assert str(tmp_path / name) in warning.getMessage()
    segment = single(store, 0)
    assert not store.save(segment)
    assert store.stats().n_drops_total == {Drop.OFF: 1}
    assert not store.stats().writes
    assert fetch(store, [segment.key]) == ()
    assert not store.match(store.root(), segment.tokens, 10)
    store.touch(segment.key)
    assert store.flush(0)
    store.close()
    assert len(caplog.records) == 1


def test_a_full_queue_drops_but_one_segment_always_fits(open_store: Stores) -> None:
    gate = Gate()
    store = open_store(write=gate, queue_bytes=2500)
    assert store.save(make(store.root(), 0, [1], n_data=5000))
    assert not store.save(make(store.root(), 0, [2], n_data=1))
    gate.open.set()
    assert store.flush(TIMEOUT)
    gate.open.clear()
    saved = [store.save(single(store, i)) for i in range(4)]
    assert saved == [True, True, False, False]
    assert store.stats().n_drops_total == {Drop.QUEUE_FULL: 3}
    gate.open.set()
    assert store.flush(TIMEOUT)
    assert save(store, single(store, 3))


def test_a_segment_without_its_parent_is_dropped(open_store: Stores) -> None:
    store = open_store()
    segments = chain(store.root(), 2)
    assert not store.save(segments[1])
    assert store.stats().n_drops_total == {Drop.ORPHAN: 1}


def test_a_segment_whose_parent_vanishes_before_it_is_written_is_dropped(
    open_store: Stores, path: Path
) -> None:
    gate = Gate()
    store = open_store(write=gate)
    segments = chain(store.root(), 2)
    gate.open.set()
    save(store, segments[0])
    gate.open.clear()
    gate.reached.clear()
    store.save(single(store, 50))
    assert gate.reached.wait(TIMEOUT)
    store.save(segments[1])
    file_of(path, segments[0]).unlink()
    gate.open.set()
    assert store.flush(TIMEOUT)
    assert store.stats().n_drops_total == {Drop.ORPHAN: 1}
    assert not store.has(segments[1].key)


# -- threads ----------------------------------------------------------------------------------


def test_reading_does_not_wait_for_writing(open_store: Stores) -> None:
    gate = Gate()
    gate.open.set()
    store = open_store(write=gate)
    [key] = save(store, single(store, 0))
    gate.open.clear()
    store.save(single(store, 1))
    assert fetch(store, [key])
    assert not store.flush(0.01)
    gate.open.set()


def test_a_mistake_in_a_callback_stops_nothing(
    open_store: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    [key] = save(store, single(store, 0))

    def fail(segments: tuple[Segment, ...]) -> None:
        raise RuntimeError("our own mistake")

    store.fetch([key], fail)
    assert fetch(store, [key])
    assert "our own mistake" in caplog.text


def test_a_mistake_in_writing_stops_nothing(
    open_store: Stores, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = True

    def write(file: BinaryIO, parts: Sequence[bytes]) -> None:
        if wrong:
            raise RuntimeError("our own mistake")
        write_parts(file, parts)

    store = open_store(write=write)
    save(store, single(store, 0))
    assert store.stats().n_drops_total == {Drop.FAILED: 1}
    assert "our own mistake" in caplog.text
    wrong = False
    assert fetch(store, save(store, single(store, 0)))


def test_closing_writes_what_is_queued(open_store: Stores) -> None:
    store = open_store()
    segments = chain(store.root(), 20)
    for segment in segments:
        store.save(segment)
    store.close()
    assert len(fetch(open_store(), [segment.key for segment in segments])) == 20


def test_a_closed_store_holds_still(open_store: Stores) -> None:
    store = open_store()
    [key] = save(store, single(store, 0))
    store.close()
    store.close()
    assert fetch(store, [key]) == ()
    assert not store.save(single(store, 1))
    assert store.save(single(store, 0)), "it is stored"
    assert store.flush(TIMEOUT)


def test_closing_waits_for_a_slow_disk_no_longer_than_it_may(
    open_store: Stores, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()
    store = open_store(write=gate)
    for i in range(3):
        store.save(single(store, i))
    assert gate.reached.wait(TIMEOUT)
    store.close(0)
    assert "did not finish" in caplog.text
    gate.open.set()
    [writer] = [thread for thread in threading.enumerate() if thread.name == "disk-writer"]
    writer.join(TIMEOUT)
    assert store.stats().n_drops_total == {Drop.OFF: 2}
    assert len(stored(path)) == 1


def test_what_is_fetched_while_closing_is_answered(open_store: Stores) -> None:
    store = open_store()
    keys = save(store, *chain(store.root(), 3))
    answers: list[int] = []
    for _ in range(20):
        store.fetch(keys, lambda segments: answers.append(len(segments)))
    store.close()
    assert answers == [3] * 20


def test_the_speed_of_reading_is_measured(open_store: Stores) -> None:
    step = 0.0
    clock = Clock()

    def tick() -> float:
        clock.now += step
        return clock.now

    store = open_store(clock=tick)
    keys = save(store, *[make(store.root(), 0, [i], n_data=100_000) for i in range(30)])
    assert store.stats().read_bytes_per_second == store.read_bytes_per_second > 0
    step = 0.01
    fetch(store, keys)
    assert store.read_bytes_per_second == pytest.approx(100_000 / 0.01, rel=0.05)
