from __future__ import annotations

import random

import pytest

from mullama.engine.pace import MIN_CHUNK, SLOWDOWN, Pace


def machine(pace: Pace, rows: list[int], overhead: float, per_row: float) -> None:
    for n in rows:
        pace.record(n, overhead + per_row * n)


def test_before_any_measurement_chunks_are_small() -> None:
    assert Pace(0.1).chunk(2) == MIN_CHUNK


def test_a_chunk_is_what_fits_into_the_target_gap_beside_the_streams() -> None:
    pace = Pace(0.1)
    machine(pace, [2, 2, 64, 2, 128], overhead=0.01, per_row=0.001)
    assert pace.chunk(2) == pytest.approx(88, abs=1)  # 10 ms, 2 streams, 88 rows: 100 ms


def test_where_streaming_alone_is_slow_a_prompt_slows_it_by_a_bounded_factor() -> None:
    pace = Pace(0.1)
    machine(pace, [2, 2, 64, 2, 128], overhead=0.05, per_row=0.005)
    streaming = 0.05 + 2 * 0.005
    step = streaming + 0.005 * pace.chunk(2)
    assert step == pytest.approx(SLOWDOWN * streaming, abs=0.01)


def test_the_line_follows_a_machine_that_slows_down() -> None:
    pace = Pace(0.1)
    machine(pace, [2, 64, 2, 128], overhead=0.001, per_row=0.001)
    before = pace.chunk(2)
    machine(pace, [2, 64, 2, 32] * 30, overhead=0.003, per_row=0.003)
    assert pace.chunk(2) == pytest.approx(before / 3, rel=0.1)


def test_steps_of_equal_size_and_noisy_time_keep_the_chunk_near_the_target() -> None:
    rng = random.Random(1)
    pace = Pace(0.1)
    machine(pace, [1, 1, 128], overhead=0.005, per_row=0.003)
    for _ in range(300):
        n = pace.chunk(2) + 2
        pace.record(n, (0.005 + 0.003 * n) * rng.uniform(0.8, 1.2))
    step = 0.005 + 0.003 * (pace.chunk(2) + 2)
    assert 0.08 < step < 0.12


def test_many_streams_never_stop_a_prompt() -> None:
    pace = Pace(0.1)
    machine(pace, [2, 64, 2, 128], overhead=0.01, per_row=0.005)
    assert pace.chunk(64) >= 64


def test_a_stopped_clock_teaches_nothing() -> None:
    pace = Pace(0.1)
    machine(pace, [2, 64, 2, 128], overhead=0.01, per_row=0.001)
    before = pace.chunk(2)
    pace.record(100, 0.0)
    assert pace.chunk(2) == before
