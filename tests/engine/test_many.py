"""Ten thousand short requests leave nothing behind: no memory, no lanes, no cells."""

from __future__ import annotations

import gc
import random
import sys

from mullama.engine.options import EngineOptions
from mullama.engine.scheduler import Scheduler
from mullama.types import Finished, MemoryKind, Plan, Sample, Status, StepOutput
from tests.engine.fakes import FakeClock, FakeVocab, request


class QuickRunner:
    """Draws the same token for every row that wants one, and keeps no books."""

    n_cells = 4096
    n_lanes = 32
    n_batch = 512
    n_ubatch = 512
    n_tile = 64
    n_outputs = 64
    memory = MemoryKind.ATTENTION
    cell_bytes = 0
    state_bytes = 0

    def execute(self, plan: Plan) -> StepOutput:
        return StepOutput(
            Status.DONE,
            [[Sample(7)] if chunk.sample else [] for chunk in plan.chunks],
            [[] for _ in plan.chunks],
        )

    def lane_length(self, lane: int) -> int:
        raise AssertionError("this runner knows no lanes")


def test_ten_thousand_requests_leave_no_growth() -> None:
    runner = QuickRunner()
    scheduler = Scheduler(EngineOptions(), runner, FakeVocab(), FakeClock())
    rng = random.Random(1)
    n_finished = 0

    def serve(first: int, n: int) -> int:
        """`n` requests, 32 at a time, some cancelled; blocks of memory that are in use then."""
        nonlocal n_finished
        for id in range(first, first + n):
            prompt = [rng.randrange(1, 90) for _ in range(rng.randrange(1, 40))]
            events = scheduler.add(request(id, prompt, rng.randrange(0, 4)))
            if id % 10 == 0:
                events += scheduler.cancel(id)
            while len(scheduler._jobs) >= 32 or (id == first + n - 1 and scheduler.has_work):
                plan = scheduler.plan()
                events += scheduler.apply(plan, runner.execute(plan), 0.001)
            n_finished += sum(isinstance(event, Finished) for event in events)
        scheduler.audit()
        gc.collect()
        return sys.getallocatedblocks()

    before = serve(1, 3000)
    after = serve(3001, 7000)
    assert n_finished == 10_000
    snapshot = scheduler.snapshot()
    assert (snapshot.n_waiting, snapshot.n_running) == (0, 0)
    assert snapshot.n_cells_free + snapshot.n_cells_cached == runner.n_cells
    # The cache is full before and after; its nodes come and go.
    assert after - before < 1000
