"""What leaves the KV cache and comes back: in host memory."""

from __future__ import annotations

import pytest

from mullama.engine.options import EngineOptions
from mullama.engine.tiers import TierOptions
from mullama.types import Load, LoadState, MemoryKind, Save, SaveState, Status
from tests.engine.bench import Bench
from tests.engine.fakes import EOG, reference, request

PROMPT = [3 + i % 80 for i in range(100)]


def bench(ram: int = 10_000, **options: object) -> Bench:
    tiers = TierOptions(ram=ram, min_tokens=8)
    return Bench(EngineOptions(tiers=tiers), n_cells=256, n_ubatch=64, **options)  # type: ignore[arg-type]


def ops(bench: Bench, kind: type) -> list[object]:
    return [op for plan in bench.runner.plans for op in plan.ops if isinstance(op, kind)]


def test_an_idle_prefix_is_copied_when_there_is_time() -> None:
    it = bench()
    it.add(request(1, PROMPT, 3))
    it.run()
    (save,) = ops(it, Save)
    assert isinstance(save, Save)
    assert (save.blob.start, save.blob.end) == (0, 102)
    assert it.scheduler.snapshot().n_cells_cached == 102  # and stays, while nobody is in need


def test_a_saved_prefix_leaves_the_kv_cache_while_others_run_and_comes_back() -> None:
    it = bench()
    it.add(request(1, PROMPT, 3))
    it.run()
    it.add(request(2, [90, 91, 92], 20))
    it.run()
    assert it.scheduler.snapshot().n_cells_cached < 30
    before = it.n_computed
    it.add(request(3, [*PROMPT, 50, 51], 3))
    it.run()
    assert it.n_computed - before == 2 + 2
    end = it.finished(3)
    assert (end.n_cached, end.n_restored, end.n_from_disk) == (100, 100, 0)
    assert it.tokens()[3, 0] == reference([*PROMPT, 50, 51], 3)


def test_of_a_copied_piece_only_the_beginning_can_come_back() -> None:
    it = bench()
    it.add(request(1, PROMPT, 3))
    it.run()
    it.add(request(2, [90, 91, 92], 20))
    it.run()
    it.add(request(3, [*PROMPT[:50], 9, 9], 3), request(4, [*PROMPT, 9, 9], 3))
    it.run()
    assert it.finished(3).n_restored == 50
    assert it.finished(4).n_cached == 100
    assert it.tokens()[3, 0] == reference([*PROMPT[:50], 9, 9], 3)
    assert it.tokens()[4, 0] == reference([*PROMPT, 9, 9], 3)


def test_requests_for_one_copied_prefix_restore_it_once() -> None:
    it = bench()
    it.add(request(1, PROMPT, 3))
    it.run()
    it.add(request(2, [90, 91, 92], 20))
    it.run()
    it.add(*(request(id, [*PROMPT, id], 3) for id in range(3, 8)))
    it.run()
    assert len(ops(it, Load)) == 1
    for id in range(3, 8):
        assert it.tokens()[id, 0] == reference([*PROMPT, id], 3)


def test_a_preempted_sequence_is_put_back_and_not_computed_again() -> None:
    it = bench()
    first, second = list(range(1, 21)), list(range(40, 60))
    it.add(request(1, first, 150), request(2, second, 150))
    it.run()
    assert it.scheduler.snapshot().n_preempted_total > 0
    assert it.n_computed <= 2 * 20 + 2 * 150 + 4 * it.scheduler.snapshot().n_preempted_total
    assert it.tokens()[1, 0] == reference(first, 150)
    assert it.tokens()[2, 0] == reference(second, 150)


def test_the_budget_holds_and_the_least_recently_used_goes() -> None:
    it = bench(ram=400)
    for id in range(1, 8):
        it.add(request(id, [id, *PROMPT], 2))
        it.run()
    it.add(request(20, [99, 98], 30))  # the others leave the KV cache meanwhile
    it.run()
    tier = it.scheduler._residents.tier
    assert tier is not None
    assert tier.n_bytes <= 400 * 4 + 4 * 40
    it.add(request(30, [7, *PROMPT], 2), request(31, [1, *PROMPT], 2))
    it.run()
    assert it.finished(31).n_cached == 0


def test_a_prefix_too_short_is_not_copied() -> None:
    it = bench()
    it.add(request(1, [1, 2, 3], 2))
    it.run()
    assert ops(it, Save) == []


def test_what_cannot_be_put_back_is_computed() -> None:
    it = bench()
    it.add(request(1, PROMPT, 3))
    it.run()
    it.add(request(2, [90, 91, 92], 60))
    for _ in range(20):
        it.step()
    it.runner.lose = True
    it.add(request(3, [*PROMPT, 50], 3))
    n_evicted = [it.scheduler.snapshot().n_evicted_cells_total]
    while it.scheduler.snapshot().n_lost_total == 0:
        it.step()
        n_evicted.append(it.scheduler.snapshot().n_evicted_cells_total)
    assert n_evicted[0]
    assert n_evicted == sorted(n_evicted)  # a total never goes back
    it.run()
    assert it.scheduler.snapshot().n_lost_total == 1
    assert it.tokens()[2, 0] == reference([90, 91, 92], 60)
    assert it.tokens()[3, 0] == reference([*PROMPT, 50], 3)


def test_other_salts_share_nothing() -> None:
    it = bench()
    it.add(request(1, PROMPT, 3, cache_salt="a"))
    it.run()
    it.add(request(2, PROMPT, 3, cache_salt="b"))
    it.run()
    it.add(request(3, PROMPT, 3, cache_salt="a"))
    it.run()
    assert it.finished(2).n_cached == 0
    assert it.finished(3).n_cached == 99


def test_a_memory_that_forgets_goes_on_from_where_a_message_ends() -> None:
    it = bench(memory=MemoryKind.RECURRENT, state_bytes=10)
    first = [*range(10, 90), EOG, 5, 6]
    it.add(request(1, first, 4))
    it.run()
    assert len(ops(it, SaveState)) == 2  # after the message, and at the answer's end
    it.add(request(2, [*first[:81], 7, 7], 4))  # another answer's header
    it.add(request(3, [*first, *it.tokens()[1, 0], EOG, 20, 21], 4))
    it.run()
    assert it.finished(2).n_cached == 81
    assert it.finished(3).n_cached == len(first) + 3
    assert it.tokens()[2, 0] == reference([*first[:81], 7, 7], 4)


def test_a_state_counts_among_what_a_step_puts_back() -> None:
    """Of two sequences whose states are put back beside a stream only one starts in a step, if a
    state is as much as a step may move."""
    state_bytes = 2_000_000
    it = bench(memory=MemoryKind.RECURRENT, state_bytes=state_bytes, ram=100 * state_bytes)
    prompts = [[first, *range(10, 60), EOG, 5] for first in (1, 2)]
    for id, prompt in enumerate(prompts, 1):
        it.add(request(id, prompt, 2))
        it.run()
    it.add(request(3, [90, 91, 92], 40))
    for _ in range(20):  # the prefixes leave the KV cache
        it.step()
    it.runner.plans.clear()
    it.add(*(request(id, [*prompt, 7], 2) for id, prompt in enumerate(prompts, 4)))
    it.run()
    n_states = [sum(isinstance(op, LoadState) for op in plan.ops) for plan in it.runner.plans]
    assert max(n_states) == 1
    assert sum(n_states) == 2


@pytest.mark.parametrize("memory", [MemoryKind.ATTENTION, MemoryKind.RECURRENT])
def test_a_copy_without_room_to_restore_it_is_computed(memory: MemoryKind) -> None:
    """A copy that was split is loaded as a whole, and beside its own first half there was not room
    for all of it: the request waited for ever, though nobody else ran."""
    it = bench(memory=memory, state_bytes=10)
    prompt = [3 + i % 80 for i in range(200)]
    it.add(request(1, prompt, 3))
    it.run()
    it.add(request(2, [90, 91, 92], 30))
    it.run()
    it.add(request(3, [*prompt[:100], 9, 9], 3))
    it.run()
    it.add(request(4, [91, 91, 92], 60))
    it.run()
    it.add(request(5, [*prompt, 5, 5], 3))
    it.run()
    assert it.tokens()[5, 0] == reference([*prompt, 5, 5], 3)
    assert it.finished(5).n_cached <= 100


def test_what_is_saved_while_nothing_runs_stays_within_the_budget_too() -> None:
    it = bench(ram=1000)
    for id in range(1, 6):
        it.add(request(id, [id, *PROMPT], 2))
    while it.scheduler.snapshot().n_running or it.scheduler.snapshot().n_waiting:
        it.step()
    it.run()
    assert it.scheduler.snapshot().n_host_bytes <= 1000
    tier = it.scheduler._residents.tier
    assert tier is not None
    assert tier.n_bytes == sum(blob.n_bytes for blob in tier._users)


def test_a_sequence_that_is_tried_alone_stops_where_its_state_is_to_be_saved() -> None:
    """It went past the place, and its next chunk had fewer than no rows."""
    it = bench(memory=MemoryKind.RECURRENT, state_bytes=10, script=[Status.FATAL])
    first, second = ([first, *PROMPT[:40], EOG, *PROMPT[:50]] for first in (90, 91))
    it.add(request(1, first, 3), request(2, second, 3))
    it.run()
    assert it.tokens() == {(1, 0): reference(first, 3), (2, 0): reference(second, 3)}
    assert min(len(chunk.tokens) for plan in it.runner.plans for chunk in plan.chunks) > 0
    saved = [op.blob.end for op in ops(it, SaveState) if isinstance(op, SaveState)]
    assert saved.count(42) == 2
