"""Ten thousand requests of every kind on a made-up clock: all end, and nobody starves.

The runner keeps no books of tokens and takes a given time a step, so that an hour passes in
seconds. What is asserted is what docs/scheduling.md promises.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from types import UnionType

import pytest

from mullama.engine.options import EngineOptions
from mullama.engine.pace import MOST_CROWDED, MOVING_SHARE, SLOWDOWN
from mullama.engine.scheduler import Scheduler
from mullama.engine.tiers import MOST_PIECE_TOKENS, TierOptions
from mullama.errors import Overloaded
from mullama.types import (
    Chunk,
    Event,
    Failed,
    Finished,
    FinishReason,
    GenerateRequest,
    Load,
    LoadState,
    MemoryKind,
    Plan,
    Sample,
    Save,
    SaveState,
    Started,
    Status,
    StepOutput,
    Token,
)
from tests.engine.fakes import EOG, FakeClock, FakeVocab, request

TARGET_GAP = 0.1
OVERHEAD, PER_ROW = 0.005, 0.0005  # seconds of a step, and of a row
BYTES_PER_SECOND, SAVED_PER_SECOND = 2e9, 4e8
CELL_BYTES, STATE_BYTES = 10_000, 1_000_000
N_PARALLEL, QUEUE_SIZE = 16, 200
ARRIVALS = 12  # a second, about what the machine can do
ANSWER = 7  # the only token that is ever drawn


class Machine:
    """Executes plans in no time; tells how long they would have taken."""

    n_cells = 8192
    n_lanes = 64
    n_batch = 2048
    n_ubatch = 512
    n_tile = 64
    n_outputs = 64
    cell_bytes = CELL_BYTES

    def __init__(self, memory: MemoryKind) -> None:
        self.memory = memory
        self.state_bytes = 0 if memory is MemoryKind.ATTENTION else STATE_BYTES

    def execute(self, plan: Plan) -> StepOutput:
        n_loaded = bytes_of(plan, Load | LoadState)
        n_saved = bytes_of(plan, Save | SaveState)
        samples = [
            [Sample(ANSWER)] * (1 + chunk.n_draft) if chunk.sample else [] for chunk in plan.chunks
        ]
        scores: list[list[Sample]] = [[] for _ in plan.chunks]
        return StepOutput(
            Status.DONE,
            samples,
            scores,
            n_bytes_loaded=n_loaded,
            seconds_loading=n_loaded / BYTES_PER_SECOND,
            n_bytes_saved=n_saved,
            seconds_saving=n_saved / SAVED_PER_SECOND,
        )

    def lane_length(self, lane: int) -> int:
        raise AssertionError("this runner knows no lanes")


def bytes_of(plan: Plan, kinds: UnionType) -> int:
    return sum(op.blob.n_bytes for op in plan.ops if isinstance(op, kinds))


def seconds_of(n_rows: int) -> float:
    return OVERHEAD + PER_ROW * n_rows


def longest_step(alone: float) -> float:
    """The bound of docs/scheduling.md, where a step of the streams alone takes `alone`."""
    tile = PER_ROW * Machine.n_tile
    return max(TARGET_GAP, SLOWDOWN * MOST_CROWDED * alone) + tile


def longest_restoring(alone: float) -> float:
    """The same for prefixes that are put back: a share of the gap, and the piece that ends it."""
    return MOVING_SHARE * alone + MOST_PIECE_TOKENS * CELL_BYTES / BYTES_PER_SECOND


def is_stream(chunk: Chunk) -> bool:
    return chunk.sample and len(chunk.tokens) - chunk.n_draft == 1


@dataclass
class Client:
    """What one request should come to."""

    request: GenerateRequest
    arrived: float
    cancel_at: float | None
    keys: range
    n_ended: int = 0
    began: float | None = None
    reasons: set[str] = field(default_factory=set)


class World:
    """Requests that come and go, and what is seen of them at each step."""

    def __init__(self, memory: MemoryKind, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = FakeClock()
        self.machine = Machine(memory)
        options = EngineOptions(
            n_parallel=N_PARALLEL,
            queue_size=QUEUE_SIZE,
            target_gap=TARGET_GAP,
            tiers=TierOptions(ram=20_000 * CELL_BYTES),
            draft_tokens=4,
        )
        self.scheduler = Scheduler(options, self.machine, FakeVocab(), self.clock)
        self.clients: dict[int, Client] = {}
        self.by_key: dict[int, Client] = {}
        self.open: set[int] = set()
        self.over: set[int] = set()  # keys whose sequences have ended
        self.streaming: set[int] = set()
        self.cancels: list[tuple[float, int]] = []
        self.since: dict[int, Counter[str]] = defaultdict(Counter)  # admissions while one waits
        self.n_refused = self.n_steps = self.n_keys = 0
        self.n_preempted = 0
        self.least_measured = seconds_of(Machine.n_tile)
        self.systems = [[*self.words(300), EOG] for _ in range(12)]

    def words(self, n: int) -> list[Token]:
        return self.rng.choices(range(8, 90), k=n)

    # -- what comes ---------------------------------------------------------------------------

    def arrive(self, id: int) -> None:
        rng = self.rng
        options: dict[str, object] = {
            "priority": rng.choices([-1, 0, 1], [10, 70, 20])[0],
            "caller": f"caller {min(int(rng.expovariate(0.2)), 30)}",
            "n": rng.choices([1, 2, 4], [94, 4, 2])[0],
            "max_wait": rng.choice([0.5, 2.0, 10.0]) if rng.random() < 0.08 else None,
            "progress": rng.random() < 0.1,
        }
        kind = rng.random()
        if kind < 0.02:
            prompt, n_tokens = self.words(3000), rng.randrange(1, 20)
        elif kind < 0.05:  # an only child: nobody shares with it, and it comes first
            prompt, n_tokens = self.words(40), 5
            options |= {"caller": f"single {id}", "priority": -1, "n": 1, "max_wait": None}
        else:
            turn = [*self.words(rng.randrange(2, 60)), EOG, *self.words(3)]
            prompt, n_tokens = rng.choice(self.systems) + turn, rng.randrange(0, 30)
            if kind > 0.99:  # grows until cells run out
                n_tokens = 1500
        self.submit(request(id, prompt, n_tokens, return_tokens=False, **options))

    def submit(self, one: GenerateRequest) -> None:
        if len(self.scheduler._waiting) + one.options.n > QUEUE_SIZE:
            with pytest.raises(Overloaded):
                self.scheduler.check_queue(one.options.n)
            self.n_refused += 1
            return
        self.scheduler.check_queue(one.options.n)
        cancel_at = None
        if self.rng.random() < 0.08:
            cancel_at = self.clock.now + self.rng.expovariate(2)
            self.cancels.append((cancel_at, one.id))
        keys = range(self.n_keys + 1, self.n_keys + 1 + one.options.n)
        self.n_keys += one.options.n
        client = Client(one, self.clock.now, cancel_at, keys)
        self.clients[one.id] = client
        self.by_key |= dict.fromkeys(keys, client)
        self.open.add(one.id)
        self.take(self.scheduler.add(one))

    def cancel_some(self) -> None:
        due = [id for at, id in self.cancels if at <= self.clock.now]
        self.cancels = [(at, id) for at, id in self.cancels if at > self.clock.now]
        for id in due:
            self.take(self.scheduler.cancel(id))
            assert id not in self.open

    # -- a step -------------------------------------------------------------------------------

    def step(self) -> None:
        self.cancel_some()
        self.take(self.scheduler.expire())
        plan = self.scheduler.plan()
        output = self.machine.execute(plan)
        seconds = output.seconds_moving
        if plan.chunks:
            seconds += seconds_of(plan.n_rows)
            self.look(plan)
        self.clock.now += seconds
        self.take(self.scheduler.apply(plan, output, seconds))
        self.n_steps += 1
        if self.n_steps % 100 == 0:
            self.scheduler.audit()

    def look(self, plan: Plan) -> None:
        keys = {chunk.key for chunk in plan.chunks}
        assert not keys & self.over, "rows of a sequence that has ended"
        for opened in plan.opened:
            self.admitted(opened.key)
        n_preempted = self.scheduler.stats.n_preempted_total
        self.streaming -= self.over
        left_out = self.streaming - keys
        assert len(left_out) <= n_preempted - self.n_preempted, "a stream without a row"
        streaming = self.streaming & keys
        if streaming:
            n_rows = sum(len(chunk.tokens) for chunk in plan.chunks if is_stream(chunk))
            alone = max(seconds_of(n_rows), self.least_measured)
            assert seconds_of(plan.n_rows) <= longest_step(alone), (plan.n_rows, n_rows)
            loaded = sum(op.blob.n_bytes for op in plan.ops if isinstance(op, Load))
            assert loaded / BYTES_PER_SECOND <= longest_restoring(alone) * 1.01
        if plan.n_rows - sum(map(is_stream, plan.chunks)) <= Machine.n_tile // 2:
            self.least_measured = min(self.least_measured, seconds_of(plan.n_rows))
        self.n_preempted = n_preempted
        self.streaming = {chunk.key for chunk in plan.chunks if chunk.sample}

    def admitted(self, key: int) -> None:
        client = self.by_key[key]
        options = client.request.options
        if client.began is None:
            client.began = self.clock.now
            max_wait = options.max_wait
            assert max_wait is None or self.clock.now <= client.arrived + max_wait
            others = self.since.pop(client.request.id, Counter())
            assert not others or max(others.values()) == 1, others
        if options.priority == -1 and key == client.keys[0]:
            for counter in self.since.values():
                counter[options.caller] += 1

    def take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Started):
                if self.clients[event.id].request.options.caller.startswith("single"):
                    self.since[event.id] = Counter()
            elif isinstance(event, Finished):
                client = self.clients[event.id]
                self.ended(client, event.reason, client.keys[event.index])
            elif isinstance(event, Failed):
                client = self.clients[event.id]
                assert event.error.code == "max_wait"
                late = self.clock.now - client.arrived - (client.request.options.max_wait or 0)
                assert 0 <= late <= longest_step(seconds_of(64)), "told too early, or too late"
                for key in client.keys:
                    self.ended(client, "max_wait", key)

    def ended(self, client: Client, reason: str, key: int) -> None:
        assert key not in self.over, "an answer that ended twice"
        self.over.add(key)
        client.n_ended += 1
        client.reasons.add(reason)
        if client.n_ended == client.request.options.n:
            self.open.discard(client.request.id)
            self.since.pop(client.request.id, None)


def live(memory: MemoryKind, n_requests: int) -> World:
    """All of `n_requests` come, in fits and starts, and end."""
    world = World(memory, seed=1)
    due = 0.0
    for id in range(1, n_requests + 1):
        due += world.rng.expovariate(ARRIVALS) if id % 1000 > 250 else 0.0  # many at once
        while world.clock.now < due:
            if world.scheduler.has_work:
                world.step()
            else:
                world.clock.now = due
        world.arrive(id)
    while world.scheduler.has_work:
        world.step()
    return world


@pytest.mark.parametrize(
    ("memory", "n_requests"), [(MemoryKind.ATTENTION, 10_000), (MemoryKind.RECURRENT, 2_000)]
)
def test_all_requests_end_and_nobody_starves(memory: MemoryKind, n_requests: int) -> None:
    world = live(memory, n_requests)
    assert not world.open
    assert len(world.clients) + world.n_refused == n_requests
    for client in world.clients.values():
        assert client.n_ended == client.request.options.n
        if client.cancel_at is None:
            assert "cancelled" not in client.reasons
    seen = set().union(*(client.reasons for client in world.clients.values()))
    assert seen == {FinishReason.LENGTH, FinishReason.CANCELLED, "max_wait"}
    books_are_right(world)


def books_are_right(world: World) -> None:
    world.scheduler.audit()
    stats = world.scheduler.snapshot()
    assert (stats.n_waiting, stats.n_running) == (0, 0)
    assert stats.n_cells_free + stats.n_cells_cached == world.machine.n_cells
    assert stats.n_host_bytes <= 20_000 * CELL_BYTES
    assert stats.n_finished_total == stats.n_requests_total == len(world.clients)
    assert sum(stats.n_prefixes_total.values()) == sum(
        client.began is not None for client in world.clients.values()
    )
    # The world was as unkind as it was meant to be.
    assert stats.n_preempted_total > 0
    assert stats.n_restored_tokens_total > 10_000
    assert stats.n_evicted_cells_total > 10 * world.machine.n_cells
    assert world.n_refused > 0


def test_a_cancel_inside_a_long_prompt_takes_effect_at_the_next_chunk() -> None:
    world = World(MemoryKind.ATTENTION, seed=2)
    world.scheduler.add(request(1, world.words(3000), 5))
    plan = world.scheduler.plan()
    assert 0 < plan.n_rows <= world.machine.n_ubatch
    world.scheduler.apply(plan, world.machine.execute(plan), seconds_of(plan.n_rows))
    (end,) = world.scheduler.cancel(1)
    assert isinstance(end, Finished)
    assert (end.reason, end.n_generated) == (FinishReason.CANCELLED, 0)
    assert not world.scheduler.plan().chunks
    world.scheduler.add(request(2, [*plan.chunks[0].tokens, 5, 6], 1))  # it was not for nothing
    (chunk,) = world.scheduler.plan().chunks
    assert chunk.pos == plan.n_rows
