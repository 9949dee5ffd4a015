"""Random lives of an engine: whatever is submitted, cancelled, evicted or fails, in any order,
every answer is the one a bare loop gives, and the books are right after every step. With and
without a host tier (one that is always too small), and for every kind of memory."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mullama.engine.options import EngineOptions
from mullama.engine.scheduler import Scheduler
from mullama.engine.tiers import TierOptions
from mullama.types import (
    Delta,
    Event,
    Failed,
    Finished,
    FinishReason,
    MemoryKind,
    Status,
    Token,
)
from tests.engine.fakes import (
    FakeClock,
    FakeRunner,
    FakeVocab,
    echoing_token,
    next_token,
    reference,
    request,
)

# Few distinct beginnings, so that prompts share prefixes often.
BEGINNINGS = [list(range(1, 40)), list(range(1, 25)) + list(range(60, 70)), [2, 3], [50] * 20]


class EngineLife(RuleBasedStateMachine):
    memory = MemoryKind.ATTENTION
    ram = 0
    draft_tokens = 0
    model = staticmethod(next_token)
    seconds_per_row = 0.001

    def __init__(self) -> None:
        super().__init__()
        self.runner = FakeRunner(
            n_cells=160,
            n_lanes=6,
            n_batch=48,
            n_ubatch=16,
            memory=self.memory,
            state_bytes=40,
            model=self.model,
        )
        self.clock = FakeClock()
        tiers = TierOptions(ram=self.ram, min_tokens=4)
        options = EngineOptions(
            n_parallel=4, target_gap=0.005, tiers=tiers, draft_tokens=self.draft_tokens
        )
        self.scheduler = Scheduler(options, self.runner, FakeVocab(), self.clock)
        self.next_id = 0
        self.prompts: dict[int, tuple[list[Token], int]] = {}
        self.answers: dict[tuple[int, int], list[Token]] = defaultdict(list)
        self.open: dict[int, int] = {}  # request: answers that have not ended

    @rule(
        beginning=st.sampled_from(BEGINNINGS),
        tail=st.lists(st.integers(1, 90), max_size=30),
        max_tokens=st.integers(0, 60),
        n=st.integers(1, 3),
        cache_prompt=st.booleans(),
        priority=st.integers(0, 1),
        caller=st.sampled_from("ab"),
    )
    def submit(
        self,
        beginning: list[Token],
        tail: list[Token],
        max_tokens: int,
        n: int,
        cache_prompt: bool,
        priority: int,
        caller: str,
    ) -> None:
        self.next_id += 1
        prompt = beginning + tail
        options = {"cache_prompt": cache_prompt, "priority": priority, "caller": caller}
        one = request(self.next_id, prompt, max_tokens, n=n, **options)
        self.scheduler.check(one)
        self.prompts[one.id] = prompt, min(max_tokens, 160 - len(prompt))
        self.open[one.id] = n
        self.take(self.scheduler.add(one))

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.open)))
        self.take(self.scheduler.cancel(id))
        assert id not in self.open

    @rule(n=st.integers(1, 12))
    def steps(self, n: int) -> None:
        for _ in range(n):
            self.step()

    @rule(status=st.sampled_from([Status.NO_SLOT, Status.FATAL, Status.INVALID, Status.ABORTED]))
    def trouble(self, status: Status) -> None:
        self.runner.script.append(status)
        self.step()

    @rule(n=st.integers(1, 100))
    def evict(self, n: int) -> None:
        self.scheduler._residents.cache.evict(n)

    @rule()
    def lose(self) -> None:
        self.runner.lose = True
        self.step()
        self.runner.lose = False

    def step(self) -> None:
        plan = self.scheduler.plan()
        output = self.runner.execute(plan)
        seconds = 0.001 + self.seconds_per_row * plan.n_rows
        self.clock.now += seconds
        self.take(self.scheduler.apply(plan, output, seconds))

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Delta):
                self.answers[event.id, event.index] += event.tokens
            elif isinstance(event, Failed):  # a lone sequence whose call failed
                del self.open[event.id]
            elif isinstance(event, Finished):
                self.end(event)

    def end(self, event: Finished) -> None:
        self.open[event.id] -= 1
        if not self.open[event.id]:
            del self.open[event.id]
        prompt, n = self.prompts[event.id]
        answer = self.answers[event.id, event.index]
        if event.reason is FinishReason.LENGTH:
            assert answer == reference(prompt, n, self.model)
        else:
            assert event.reason is FinishReason.CANCELLED
            assert answer == reference(prompt, len(answer), self.model)

    @invariant()
    def the_books_are_right(self) -> None:
        self.scheduler.audit(self.runner)

    def teardown(self) -> None:
        self.runner.script.clear()
        for _ in range(5000):
            if not self.scheduler.has_work:
                break
            self.step()
        assert not self.open, "requests that never end"
        assert self.runner.samplers == {}
        snapshot = self.scheduler.snapshot()
        assert len(self.runner.cells) == snapshot.n_cells_cached
        assert snapshot.n_cells_free + snapshot.n_cells_cached == self.runner.n_cells
        tier = self.scheduler._residents.tier
        assert tier is None or tier.n_bytes <= self.ram


class TieredLife(EngineLife):
    ram = 2000


class RecurrentLife(EngineLife):
    memory = MemoryKind.RECURRENT
    ram = 4000


class ForgetfulLife(EngineLife):
    """Without a host tier there is nowhere to save a state."""

    memory = MemoryKind.WINDOW


class DraftLife(EngineLife):
    """A model that repeats itself, on a machine where rows cost nothing."""

    ram = 2000
    draft_tokens = 4
    model = staticmethod(echoing_token)
    seconds_per_row = 0.0


def _case(machine: type[EngineLife]) -> object:
    machine.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
    return machine.TestCase


test_any_life_of_an_engine = _case(EngineLife)
test_any_life_with_a_host_tier = _case(TieredLife)
test_any_life_of_a_memory_that_forgets = _case(RecurrentLife)
test_any_life_of_a_memory_that_forgets_without_a_host_tier = _case(ForgetfulLife)
test_any_life_with_drafts = _case(DraftLife)
