"""The engine's thread: what comes in from other threads, and what happens at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from mullama.engine.engine import Engine
from mullama.engine.options import EngineOptions
from mullama.errors import ContextLengthExceeded, InvalidRequest, Overloaded
from mullama.types import Delta, Event, Failed, Finished, FinishReason, Matcher, Plan, StepOutput
from tests.engine.fakes import FakeRunner, FakeVocab, reference, request


class Inbox:
    """Collects events, and waits for those that end requests."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.batches: list[list[Event]] = []
        self._arrived = threading.Condition()

    def __call__(self, events: list[Event]) -> None:
        with self._arrived:
            self.batches.append(events)
            self.events += events
            self._arrived.notify_all()

    def wait(self, n_ends: int) -> None:
        def ended() -> bool:
            return sum(isinstance(e, Finished | Failed) for e in self.events) >= n_ends

        with self._arrived:
            assert self._arrived.wait_for(ended, timeout=20)

    def tokens(self, id: int) -> list[int]:
        return [t for e in self.events if isinstance(e, Delta) and e.id == id for t in e.tokens]


@contextmanager
def running(
    runner: FakeRunner, options: EngineOptions | None = None
) -> Iterator[tuple[Engine, Inbox]]:
    inbox = Inbox()
    engine = Engine(runner, FakeVocab(), emit=inbox, options=options)
    thread = threading.Thread(target=engine.run)
    thread.start()
    try:
        yield engine, inbox
    finally:
        engine.close()
        thread.join(20)
        assert not thread.is_alive()


def test_requests_from_several_threads_are_answered() -> None:
    with running(FakeRunner(n_cells=2000, n_lanes=16)) as (engine, inbox):
        threads = [
            threading.Thread(target=engine.submit, args=(request(id, [id, 2, 3], 20),))
            for id in range(1, 11)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        inbox.wait(10)
        for id in range(1, 11):
            assert inbox.tokens(id) == reference([id, 2, 3], 20)
    engine.audit()


def test_a_step_hands_over_its_events_together() -> None:
    inbox = Inbox()
    engine = Engine(FakeRunner(), FakeVocab(), emit=inbox)
    engine.submit(request(1, [1], 3))
    engine.submit(request(2, [2], 3))
    while engine.step():
        pass
    deltas = [[e.id for e in batch if isinstance(e, Delta)] for batch in inbox.batches]
    assert [ids for ids in deltas if ids] == [[1, 2]] * 3


def test_a_cancelled_stream_ends_within_a_step() -> None:
    inbox = Inbox()
    engine = Engine(FakeRunner(), FakeVocab(), emit=inbox)
    engine.submit(request(1, [1], None))
    engine.step()
    engine.cancel(1)
    engine.step()
    ends = [e for e in inbox.events if isinstance(e, Finished)]
    assert [e.reason for e in ends] == [FinishReason.CANCELLED]


def test_what_does_not_fit_is_refused_where_it_is_submitted() -> None:
    engine = Engine(FakeRunner(n_cells=16), FakeVocab(), emit=Inbox())
    with pytest.raises(ContextLengthExceeded):
        engine.submit(request(1, range(20)))


def test_a_full_queue_counts_what_is_still_in_the_inbox() -> None:
    options = EngineOptions(queue_size=2)
    engine = Engine(FakeRunner(), FakeVocab(), emit=Inbox(), options=options)
    engine.submit(request(1, [1], n=2))
    with pytest.raises(Overloaded, match="waiting"):
        engine.submit(request(2, [1]))


def test_closing_fails_what_has_not_ended_and_refuses_what_comes() -> None:
    with running(FakeRunner(n_cells=100_000)) as (engine, inbox):
        engine.submit(request(1, [1], None))
        engine.submit(request(2, [1], None))
    failed = [e for e in inbox.events if isinstance(e, Failed)]
    assert sorted(e.id for e in failed) == [1, 2]
    assert {e.error.kind for e in failed} == {"Overloaded"}
    with pytest.raises(Overloaded):
        engine.submit(request(3, [1]))


def test_an_unexpected_error_fails_every_request_and_is_raised() -> None:
    class Broken(FakeRunner):
        def execute(self, plan: Plan) -> StepOutput:
            raise RuntimeError("broken")

    inbox = Inbox()
    engine = Engine(Broken(), FakeVocab(), emit=inbox)
    engine.submit(request(1, [1]))
    with pytest.raises(RuntimeError, match="broken"):
        engine.run()
    (failed,) = [e for e in inbox.events if isinstance(e, Failed)]
    assert failed.error.kind == "InternalError"
    assert "broken" not in failed.error.message


def test_an_error_while_requests_arrive_ends_those_too_that_nobody_has_looked_at() -> None:
    """Some were neither known nor refused, and waited for ever."""

    def broken() -> Matcher:
        raise RuntimeError("broken")

    inbox = Inbox()
    engine = Engine(FakeRunner(), FakeVocab(), emit=inbox)
    engine.submit(request(1, [1]))
    engine.submit(replace(request(2, [2]), constraint=broken))
    engine.submit(request(3, [3]))
    with pytest.raises(RuntimeError, match="broken"):
        engine.run()
    assert sorted(e.id for e in inbox.events if isinstance(e, Failed)) == [1, 2, 3]


def test_an_error_between_queue_and_lane_still_ends_every_request() -> None:
    """Its requests were ended by the books, whose error then came in the way."""
    inbox = Inbox()
    engine = Engine(FakeRunner(n_lanes=1), FakeVocab(), emit=inbox)
    engine.submit(request(1, [1]))
    engine._scheduler._residents.cells.take_lane()  # as if it had been lost
    engine._scheduler._residents.has_lane = lambda: True  # type: ignore[method-assign]
    with pytest.raises(IndexError):
        engine.run()
    assert [e.id for e in inbox.events if isinstance(e, Failed)] == [1]


def test_more_answers_than_can_ever_wait_are_no_matter_of_time() -> None:
    """It was 503, try again later."""
    engine = Engine(FakeRunner(), FakeVocab(), emit=Inbox(), options=EngineOptions(queue_size=2))
    with pytest.raises(InvalidRequest, match="n is 3") as error:
        engine.submit(request(1, [1], n=3))
    assert error.value.param == "n"


def test_no_seconds_to_wait_mean_any_time_in_a_request_as_in_the_options() -> None:
    """A request with max_wait 0 never came to its turn."""
    inbox = Inbox()
    engine = Engine(FakeRunner(), FakeVocab(), emit=inbox, options=EngineOptions(max_wait=1e-9))
    engine.submit(request(1, [1], max_wait=0))
    while engine.step():
        pass
    assert inbox.tokens(1) == reference([1], 4)


def test_nobody_waits_while_an_idle_engine_looks_at_its_books() -> None:
    """`submit` waited for the end of it."""
    looking, may_go_on = threading.Event(), threading.Event()

    inbox, clock = Inbox(), iter(range(0, 10_000_000, 100))
    engine = Engine(FakeRunner(), FakeVocab(), emit=inbox, clock=lambda: float(next(clock)))

    def audit() -> None:
        looking.set()
        assert may_go_on.wait(20)

    engine.audit = audit  # type: ignore[method-assign]
    thread = threading.Thread(target=engine.run)
    thread.start()
    assert looking.wait(20)
    submitted = threading.Thread(target=engine.submit, args=(request(1, [1]),))
    submitted.start()
    submitted.join(5)
    waited = submitted.is_alive()
    may_go_on.set()
    inbox.wait(1)
    engine.close()
    thread.join(20)
    assert not waited


def test_an_idle_engine_notices_wrong_books(caplog: pytest.LogCaptureFixture) -> None:
    clock = iter(range(0, 10_000, 100))
    engine = Engine(FakeRunner(), FakeVocab(), emit=Inbox(), clock=lambda: float(next(clock)))
    engine._scheduler._residents.cells.n_private += 1
    thread = threading.Thread(target=engine.run)
    thread.start()
    engine.close()
    thread.join(20)
    engine._audit_now()
    assert "audit" in caplog.text
    stats = engine.stats()
    assert stats.n_audits_total >= stats.n_audits_failed_total > 0
