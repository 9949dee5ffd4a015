"""What the prefix cache and the disk give each other: what reaches it, and what comes back."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest

from mullama.engine.disk import DiskStore, Part
from mullama.engine.disk_tier import DiskTier, Fetched
from mullama.engine.engine import Engine
from mullama.engine.fetching import PATIENCE
from mullama.engine.options import EngineOptions
from mullama.engine.radix import Node
from mullama.engine.tiers import TierOptions
from mullama.types import Blob, Delta, Event, Failed, MemoryKind
from tests.engine.bench import Bench
from tests.engine.fakes import EOG, FakeRunner, FakeVocab, reference, request

PROMPT = [3 + i % 80 for i in range(100)]


def bench(**options: object) -> Bench:
    return Bench(EngineOptions(tiers=TierOptions(ram=10_000)), **options)  # type: ignore[arg-type]


def store(path: Path) -> DiskStore:
    return DiskStore(path, 10_000_000, "a model")


@pytest.mark.parametrize("memory", MemoryKind)
def test_a_restart_is_warm(tmp_path: Path, memory: MemoryKind) -> None:
    prompt = [*PROMPT, EOG, 5, 6]
    with_disk = store(tmp_path)
    it = bench(disk=DiskTier(with_disk), memory=memory, state_bytes=10)
    it.add(request(1, prompt, 3))
    it.run()
    with_disk.close()
    with_disk = store(tmp_path)
    assert with_disk.flush(10)
    it = bench(disk=DiskTier(with_disk), memory=memory, state_bytes=10)
    it.add(request(1, [*prompt, 50, 51], 3, n=2))
    until = time.monotonic() + 10
    while it.scheduler.has_work and time.monotonic() < until:
        it.step()
    with_disk.close()
    end = it.finished(1)
    assert end.n_cached == end.n_from_disk == {MemoryKind.ATTENTION: 103}.get(memory, 101)
    assert it.tokens()[1, 0] == it.tokens()[1, 1] == reference([*prompt, 50, 51], 3)


def test_a_state_reaches_the_disk_where_the_cells_are_there_without_one(tmp_path: Path) -> None:
    tokens = array("i", range(1, 40))
    root = Node(None, array("i"), 0)
    with_disk = store(tmp_path)
    tier = DiskTier(with_disk)
    for state in (None, Blob(39, 39, 3, memoryview(b"abc"))):
        cells = Blob(0, 39, 5, memoryview(b"cells"))
        node = Node(root, tokens, 0)
        node.cells, node.state = cells, state
        tier.save("", node, cells)
        found = tier.find(tokens, 39, "", exact=True)
        assert bool(found) == (state is not None)
    with_disk.close()


def branch(*lengths: int) -> list[Node]:
    """Copied nodes of so many tokens each, one below the other."""
    nodes = [Node(None, array("i"), 0)]
    for n in lengths:
        above = nodes[-1]
        node = Node(above, array("i", range(above.end, above.end + n)), above.end)
        above.children[node.tokens[0]] = node
        node.cells = Blob(node.start, node.end, n, memoryview(bytes(n)))
        nodes.append(node)
    return nodes[1:]


def save(tier: DiskTier, node: Node) -> None:
    assert node.cells is not None
    tier.save("", node, node.cells)


def test_what_was_dropped_is_written_before_what_stands_on_it(tmp_path: Path) -> None:
    """Once a beginning was dropped, nothing below it reached the disk until a restart."""
    with_disk = DiskStore(tmp_path, 10_000_000, "a model", queue_bytes=100)
    tier = DiskTier(with_disk)
    first, second, third = branch(40, 30, 20)
    gate = threading.Event()

    def hang() -> None:
        assert gate.wait(20)

    with_disk._writing.put(hang)
    (other,) = branch(95)
    assert other.cells is not None
    tier.save("other", other, other.cells)  # fills the queue
    for node in (first, second):
        save(tier, node)
        assert node.key is None
    gate.set()
    assert with_disk.flush(10)
    save(tier, third)
    tokens = third.prefix()
    assert tier.find(tokens, 90, "", exact=False)[-1].end == 90
    with_disk.close()


def test_what_left_the_disk_is_written_again_with_what_stands_on_it(tmp_path: Path) -> None:
    with_disk = store(tmp_path)
    tier = DiskTier(with_disk)
    first, second = branch(40, 30)
    save(tier, first)
    assert with_disk.flush(10)
    assert first.key is not None
    with_disk._shelf.forget(first.key)
    save(tier, second)
    assert tier.find(second.prefix(), 70, "", exact=False)[-1].end == 70
    with_disk.close()


def test_nothing_is_taken_from_a_disk_that_was_trusted_when_it_was_asked(tmp_path: Path) -> None:
    with_disk = store(tmp_path)
    tier = DiskTier(with_disk)
    (node,) = branch(40)
    save(tier, node)
    parts = tier.find(node.tokens, 40, "", exact=False)
    answers: list[list[Fetched]] = []
    tier.fetch(parts, answers.append)
    assert with_disk.flush(10)
    tier.distrust()
    tier.fetch(parts, answers.append)
    assert with_disk.flush(10)
    assert [len(found) for found in answers] == [1, 0]
    with_disk.close()


def test_private_prefixes_do_not_reach_the_disk(tmp_path: Path) -> None:
    with_disk = store(tmp_path)
    it = bench(disk=DiskTier(with_disk))
    it.add(request(1, PROMPT, 3, cache_prompt=False))
    it.run()
    with_disk.close()
    assert with_disk.stats().n_writes_total == 0


def test_what_was_being_answered_at_the_end_is_there_after_a_restart(tmp_path: Path) -> None:
    """Only what had been copied out before was: not the prompts of answers that the end cut off."""
    with_disk = store(tmp_path)
    events: SimpleQueue[Event] = SimpleQueue()

    def emit(some: list[Event]) -> None:
        for event in some:
            events.put(event)

    engine = Engine(
        FakeRunner(n_cells=50_000),
        FakeVocab(),
        emit=emit,
        options=EngineOptions(tiers=TierOptions(ram=1_000_000)),
        disk=DiskTier(with_disk),
    )
    thread = threading.Thread(target=engine.run)
    thread.start()
    engine.submit(request(1, PROMPT, None))
    while not isinstance(events.get(timeout=20), Delta):
        pass
    engine.close()
    thread.join(20)
    while not isinstance(last := events.get(timeout=20), Failed):
        assert isinstance(last, Delta)
    assert (last.error.code, events.empty()) == ("shutting_down", True)
    assert DiskTier(with_disk).find(array("i", PROMPT), 100, "", exact=False)[-1].end == 100
    with_disk.close()


def test_a_disk_that_hangs_keeps_a_request_waiting_for_a_while_only(tmp_path: Path) -> None:
    """It waited for ever."""

    class Hanging(DiskTier):
        def __init__(self) -> None:
            super().__init__(with_disk)
            self.asked: list[Callable[[list[Fetched]], None]] = []

        def fetch(self, parts: Sequence[Part], done: Callable[[list[Fetched]], None]) -> None:
            self.asked.append(done)

    with_disk = store(tmp_path)
    before = bench(disk=DiskTier(with_disk))
    before.add(request(1, PROMPT, 3))
    before.run()
    tier = Hanging()
    it = bench(disk=tier)
    it.add(request(1, [*PROMPT, 50], 3))
    assert it.step() == []
    it.clock.now += PATIENCE
    it.run()
    assert it.tokens()[1, 0] == reference([*PROMPT, 50], 3)
    it.scheduler.clear_cache()
    it.add(request(2, [*PROMPT, 60], 3))
    it.run()
    assert len(tier.asked) == 1  # of a disk that has not answered nothing more is asked
    tier.asked.pop()([])
    it.scheduler.clear_cache()
    it.step()
    it.add(request(3, [*PROMPT, 70], 3))
    it.step()
    assert len(tier.asked) == 1
    tier.asked.pop()([])
    it.run()
    with_disk.close()
    assert it.tokens()[3, 0] == reference([*PROMPT, 70], 3)
