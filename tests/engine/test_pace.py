from __future__ import annotations

import random

import pytest

from mullama.engine.pace import SLOWDOWN, Pace


class Machine:
    """Takes `overhead` seconds a step and `per_row` a row, more or less."""

    def __init__(self, overhead: float, per_row: float, noise: float = 0.0) -> None:
        self.overhead, self.per_row, self.noise = overhead, per_row, noise
        self.rng = random.Random(1)

    def seconds(self, n_rows: int) -> float:
        return self.overhead + self.per_row * n_rows

    def step(self, pace: Pace, n_streaming: int, n_prompt: int) -> None:
        spread = self.rng.uniform(1 - self.noise, 1 + self.noise)
        pace.record(n_streaming, n_prompt, self.seconds(n_streaming + n_prompt) * spread)

    def converse(self, pace: Pace, n_streaming: int, n_steps: int) -> float:
        """A prompt as long as so many chunks beside streams; the last step's time."""
        for _ in range(n_steps):
            self.step(pace, n_streaming, pace.chunk(n_streaming))
        return self.seconds(n_streaming + pace.chunk(n_streaming))


def test_before_any_measurement_chunks_are_small() -> None:
    assert Pace(0.1, n_tile=16).chunk(2) == 14


def test_steps_stay_within_the_target_gap() -> None:
    pace, machine = Pace(0.1, n_tile=1), Machine(overhead=0.010, per_row=0.001)
    machine.step(pace, 0, 128)
    machine.step(pace, 2, 0)
    assert machine.converse(pace, 2, n_steps=50) == pytest.approx(0.1, rel=0.05)


def test_where_streaming_alone_is_slow_a_prompt_slows_it_by_a_bounded_factor() -> None:
    pace, machine = Pace(0.1, n_tile=1), Machine(overhead=0.040, per_row=0.006)
    machine.step(pace, 0, 128)
    machine.step(pace, 2, 0)
    step = machine.converse(pace, 2, n_steps=50)
    assert step == pytest.approx(SLOWDOWN * machine.seconds(2), rel=0.05)


def test_a_long_prompt_of_equal_noisy_steps_does_not_lose_the_measure() -> None:
    """A line fitted through all steps took the overhead for zero here, and chunks shrank to
    the least."""
    pace, machine = Pace(0.1, n_tile=1), Machine(overhead=0.040, per_row=0.006, noise=0.3)
    machine.step(pace, 0, 128)
    machine.step(pace, 2, 0)
    step = machine.converse(pace, 2, n_steps=500)
    assert step == pytest.approx(SLOWDOWN * machine.seconds(2), rel=0.35)


def test_without_a_step_that_only_streams_the_bound_is_kept_roughly() -> None:
    pace, machine = Pace(0.1, n_tile=1), Machine(overhead=0.040, per_row=0.006)
    machine.step(pace, 0, 128)
    assert machine.converse(pace, 2, n_steps=50) < 1.5 * SLOWDOWN * machine.seconds(2)


def test_chunks_follow_a_machine_that_slows_down() -> None:
    pace = Pace(0.1, n_tile=1)
    Machine(0.001, 0.001).step(pace, 2, 0)
    Machine(0.001, 0.001).converse(pace, 2, n_steps=20)
    slow = Machine(0.003, 0.003)
    assert slow.converse(pace, 2, n_steps=20) == pytest.approx(0.1, rel=0.1)


def test_a_step_has_at_least_a_tile_of_rows() -> None:
    pace, machine = Pace(0.1, n_tile=64), Machine(overhead=0.010, per_row=0.005)
    machine.step(pace, 0, 128)
    machine.step(pace, 2, 0)
    assert pace.chunk(2) == 62


def test_a_step_has_whole_tiles() -> None:
    pace, machine = Pace(0.1, n_tile=16), Machine(overhead=0.010, per_row=0.001)
    machine.step(pace, 0, 128)
    machine.step(pace, 2, 0)
    assert pace.chunk(2) == 78  # 80 rows take 90 ms, 96 would take 106


def test_many_streams_never_stop_a_prompt() -> None:
    pace, machine = Pace(0.1, n_tile=1), Machine(overhead=0.010, per_row=0.005)
    machine.step(pace, 0, 128)
    machine.step(pace, 64, 0)
    assert pace.chunk(64) >= 60


def test_a_stopped_clock_teaches_nothing() -> None:
    pace = Pace(0.1, n_tile=1)
    Machine(0.01, 0.001).step(pace, 0, 128)
    before = pace.chunk(2)
    pace.record(2, 100, 0.0)
    assert pace.chunk(2) == before


def test_streams_give_way_further_to_a_crowd_that_waits_for_its_first_token() -> None:
    pace, machine = Pace(0.1, n_tile=1), Machine(overhead=0.040, per_row=0.006)
    machine.step(pace, 0, 128)
    machine.step(pace, 2, 0)
    machine.converse(pace, 2, n_steps=50)
    chunks = [pace.chunk(2, n_waiting) for n_waiting in (0, 1, 2, 10, 100)]
    assert chunks[0] < chunks[1] < chunks[2] < chunks[3] == chunks[4]


def test_copying_out_has_its_own_speed_and_what_putting_back_leaves_of_the_share() -> None:
    pace, machine = Pace(0.1, n_tile=1), Machine(overhead=0.010, per_row=0.005)
    machine.step(pace, 2, 0)  # 20 ms, of which half may be spent moving
    for _ in range(50):
        pace.record_loading(4_000_000, 0.001)
        pace.record_saving(200_000, 0.001)
    assert pace.n_bytes_to_load(2) == pytest.approx(40_000_000, rel=0.01)
    assert pace.n_bytes_to_save(2, 0) == pytest.approx(2_000_000, rel=0.01)
    assert pace.n_bytes_to_save(2, 20_000_000) == pytest.approx(1_000_000, rel=0.01)
    assert pace.n_bytes_to_save(2, 50_000_000) == 0
