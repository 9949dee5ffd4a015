"""A scheduler on a fake runner, with a clock of its own."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable

from mullama.engine.disk_tier import DiskTier
from mullama.engine.options import EngineOptions
from mullama.engine.scheduler import Scheduler
from mullama.types import Delta, Event, Finished, GenerateRequest, Token
from tests.engine.fakes import FakeClock, FakeRunner, FakeVocab


class Bench:
    """A scheduler on a fake runner, stepped by hand; each step takes
    `seconds_per_step`, and `seconds_per_row` a row."""

    def __init__(
        self,
        options: EngineOptions | None = None,
        *,
        seconds_per_row: float = 0.001,
        seconds_per_step: float = 0.0,
        disk: DiskTier | None = None,
        **runner: object,
    ) -> None:
        self.runner = FakeRunner(**runner)  # type: ignore[arg-type]
        self.clock = FakeClock()
        self.posted: deque[Callable[[], list[Event]]] = deque()
        self.scheduler = Scheduler(
            options or EngineOptions(),
            self.runner,
            FakeVocab(),
            self.clock,
            disk=disk,
            post=self.posted.append,
        )
        self.seconds_per_row = seconds_per_row
        self.seconds_per_step = seconds_per_step
        self.events: list[Event] = []

    def add(self, *requests: GenerateRequest) -> None:
        for one in requests:
            self.scheduler.check(one)
            self.events += self.scheduler.add(one)

    def step(self) -> list[int]:
        """One step; returns the rows of each of its chunks."""
        while self.posted:
            self.events += self.posted.popleft()()
        self.events += self.scheduler.expire()
        plan = self.scheduler.plan()
        output = self.runner.execute(plan)
        seconds = plan.n_rows * self.seconds_per_row + bool(plan.chunks) * self.seconds_per_step
        self.clock.now += seconds
        self.events += self.scheduler.apply(plan, output, seconds)
        self.scheduler.audit(self.runner)
        return [len(chunk.tokens) for chunk in plan.chunks]

    def run(self, limit: int = 1000) -> None:
        for _ in range(limit):
            if not self.scheduler.has_work:
                return
            self.step()
        raise AssertionError("the work does not end")

    def tokens(self) -> dict[tuple[int, int], list[Token]]:
        found: dict[tuple[int, int], list[Token]] = defaultdict(list)
        for event in self.events:
            if isinstance(event, Delta):
                found[event.id, event.index] += event.tokens
        return found

    def finished(self, id: int = 1, index: int = 0) -> Finished:
        ends = [e for e in self.events if isinstance(e, Finished)]
        return next(e for e in ends if (e.id, e.index) == (id, index))

    @property
    def n_computed(self) -> int:
        return sum(plan.n_rows for plan in self.runner.plans)
