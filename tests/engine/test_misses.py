"""Why no more of a prompt came from the cache."""

from __future__ import annotations

import logging
from array import array

import pytest

from mullama.engine.misses import Reason, Shortfall, describe
from mullama.engine.options import EngineOptions
from mullama.engine.radix import GONE_TOKENS, MOST_GONE, Node, tokens_of, unlink
from mullama.engine.stats import Stats, flat
from mullama.engine.tiers import TierOptions
from mullama.types import MemoryKind
from tests.engine.bench import Bench
from tests.engine.fakes import EOG, request

PROMPT = [3 + i % 80 for i in range(100)]


def bench(ram: int = 100_000, *, cache: bool = True, **runner: object) -> Bench:
    tiers = TierOptions(ram=ram, min_tokens=8)
    options = EngineOptions(tiers=tiers, prefix_cache=cache)
    return Bench(options, **{"n_cells": 512, "n_ubatch": 64, **runner})  # type: ignore[arg-type]


def reason(it: Bench, prompt: list[int], **options: object) -> str:
    """Run one request; why no more of it was cached."""
    before = it.scheduler.snapshot().n_prefixes_total.copy()
    it.add(request(1 + sum(before.values()), prompt, 2, **options))
    it.run()
    (found,) = it.scheduler.snapshot().n_prefixes_total - before
    return str(found)


def test_at_first_nothing_is_cached() -> None:
    assert reason(bench(), PROMPT) == "nothing_cached"


def test_the_same_prompt_again_is_cached_whole() -> None:
    it = bench()
    reason(it, PROMPT)
    assert reason(it, PROMPT) == "whole"


def test_a_next_turn_is_new_from_where_the_answer_ended() -> None:
    it = bench()
    reason(it, PROMPT)
    turn = [*PROMPT, *it.tokens()[1, 0]]
    assert reason(it, [*turn, 50, 51]) == "new"


@pytest.mark.parametrize("at", [0, 1, 50, 99])
def test_a_changed_prompt_differs(at: int, caplog: pytest.LogCaptureFixture) -> None:
    it = bench()
    reason(it, PROMPT)
    changed = [*PROMPT[:at], 96, *PROMPT[at + 1 :], 5]
    with caplog.at_level(logging.DEBUG, "mullama.engine"):
        assert reason(it, changed) == "differs"
    piece = it.scheduler._delivery.shown
    assert f"{at} of 101 prompt tokens cached; differs at token {at}: " in caplog.text
    assert f"cached {piece(PROMPT[at])}, asked {piece(96)}" in caplog.text


def test_nothing_is_logged_unless_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "mullama.engine"):
        reason(bench(), PROMPT)
    assert caplog.text == ""


def test_a_prefix_that_was_evicted_is_known_to_be_gone() -> None:
    it = bench(ram=0)
    reason(it, PROMPT)
    it.scheduler._residents.cache.evict(64)
    assert reason(it, PROMPT) == "evicted"
    it.scheduler._residents.cache.evict(512)
    assert reason(it, PROMPT) == "evicted"
    it.scheduler._residents.cache.evict(64)
    assert reason(it, [*PROMPT[:38], 96]) != "evicted"


def test_a_memory_that_forgets_needs_a_checkpoint() -> None:
    it = bench(memory=MemoryKind.RECURRENT, state_bytes=10)
    reason(it, [*PROMPT, EOG, 5, 6])
    assert reason(it, [*PROMPT[:70], 96]) == "no_checkpoint"
    assert reason(it, [*PROMPT, EOG, 96, 95]) == "differs"


def test_what_is_sooner_computed_is_not_worth_restoring() -> None:
    it = bench(seconds_per_row=0.001)
    reason(it, PROMPT)
    it.add(request(50, [90, 91, 92], 40))
    it.run()
    for _ in range(99):  # a slow way back: a byte a second
        it.scheduler._pace.record_loading(10, 10.0)
    assert reason(it, PROMPT) == "not_worth_restoring"


def test_another_salt_has_it() -> None:
    it = bench()
    reason(it, PROMPT, cache_salt="a")
    assert reason(it, PROMPT, cache_salt="b") == "other_namespace"
    assert reason(it, [96, 95], cache_salt="b") == "differs"


@pytest.mark.parametrize("options", [{"cache_prompt": False}, {"prompt_logprobs": True}])
def test_some_requests_do_not_share(options: dict[str, object]) -> None:
    it = bench()
    reason(it, PROMPT)
    assert reason(it, PROMPT, **options) == "not_shared"


def test_without_a_cache_nothing_is_shared() -> None:
    assert reason(bench(cache=False), PROMPT) == "not_shared"


def test_each_request_counts_once_whatever_becomes_of_it() -> None:
    it = bench(n_cells=100, ram=0)
    it.add(request(1, [1, 2, 3, 4], 90, n=2), request(2, [5, 6, 7, 8], 80))
    it.run()
    stats = it.scheduler.snapshot()
    assert stats.n_preempted_total > 0
    assert sum(stats.n_prefixes_total.values()) == 2


def test_a_line_says_what_is_known_but_could_not_be_used() -> None:
    found = Shortfall(Reason.NO_CHECKPOINT, 70)
    line = describe(7, found, tokens_of(range(90)), 64, repr)
    assert line == "request 7: 64 of 90 prompt tokens cached; no_checkpoint: 70 are known"


def test_a_node_remembers_the_beginnings_of_some_of_its_children() -> None:
    root = Node(None, array("i"), 0)
    for first in range(MOST_GONE + 5):
        child = Node(root, tokens_of([first, *range(100)]), 0, live=False)
        root.children[first] = child
        unlink(child)
    assert list(root.gone) == list(range(5, MOST_GONE + 5))
    assert {len(tokens) for tokens in root.gone.values()} == {GONE_TOKENS}


def test_counters_by_reason_have_a_name_each_from_the_start() -> None:
    names = flat(Stats())
    assert {f"n_prefixes_total.{one}" for one in Reason} < names.keys()
    assert all(type(value) in (int, float) for value in names.values())
