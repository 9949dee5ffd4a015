from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mullama.engine.queue import PROMPT_WEIGHT, REMEMBERED, SHARE, TURN, FairQueue
from mullama.errors import Overloaded


@dataclass(eq=False)
class Entry:
    caller: str = "a"
    priority: int = 0
    deadline: float | None = None
    n_tokens: int = 100

    def __repr__(self) -> str:
        return f"{self.caller}/{self.priority}"


def queue_of(*entries: Entry) -> FairQueue[Entry]:
    queue: FairQueue[Entry] = FairQueue(512)
    for entry in entries:
        queue.push(entry)
    return queue


def serve(queue: FairQueue[Entry], entry: Entry, n_tokens: int = 0, n_prompt: int = 0) -> None:
    """The whole life of an entry, of which so much counts."""
    queue.push(entry)
    queue.take(entry)
    queue.charge(entry, n_prompt=n_prompt, n_generated=n_tokens)
    queue.finish(entry)


def callers(queue: FairQueue[Entry]) -> str:
    return " ".join(entry.caller for entry in queue.candidates())


class Machine:
    """Lanes that give every entry a token a step, and take a new one when its tokens are done."""

    def __init__(self, queue: FairQueue[Entry], n_lanes: int) -> None:
        self.queue, self.n_lanes = queue, n_lanes
        self.running: dict[Entry, int] = {}
        self.served: Counter[str] = Counter()  # tokens by caller
        self.of_class: Counter[int] = Counter()
        self.admitted: list[Entry] = []

    def step(self) -> None:
        for entry in islice(self.queue.candidates(), self.n_lanes - len(self.running)):
            self.queue.take(entry)
            self.running[entry] = entry.n_tokens
            self.admitted.append(entry)
        for entry in list(self.running):
            self.queue.charge(entry, n_generated=1)
            self.served[entry.caller] += 1
            self.of_class[entry.priority] += 1
            self.running[entry] -= 1
            if not self.running[entry]:
                del self.running[entry]
                self.queue.finish(entry)

    def steps(self, n: int) -> None:
        for _ in range(n):
            self.step()


# -- the order ------------------------------------------------------------------------------------


def test_one_caller_is_served_in_the_order_of_arrival() -> None:
    entries = [Entry() for _ in range(5)]
    assert list(queue_of(*entries).candidates()) == entries


def test_the_lower_number_goes_first() -> None:
    late, normal, urgent = Entry(priority=5), Entry(), Entry(priority=-1)
    assert list(queue_of(late, normal, urgent).candidates()) == [urgent, normal, late]


def test_the_caller_that_was_served_least_goes_first() -> None:
    queue = queue_of(Entry("a"), Entry("a"), Entry("b"), Entry("b"))
    serve(queue, Entry("a"), 10)
    serve(queue, Entry("b"), 4)
    assert callers(queue) == "b b a a"


def test_a_prompt_counts_less_than_an_answer() -> None:
    queue = queue_of(Entry("a"), Entry("b"))
    serve(queue, Entry("b"), 10)
    serve(queue, Entry("a"), n_prompt=round(9 / PROMPT_WEIGHT))
    assert callers(queue) == "a b"
    serve(queue, Entry("a"), n_prompt=round(2 / PROMPT_WEIGHT))
    assert callers(queue) == "b a"


def test_what_is_in_flight_counts_before_it_was_served() -> None:
    queue = queue_of(*(Entry(name) for name in "aaabbb"))
    order = []
    for entry in queue.candidates():
        order.append(entry.caller)
        queue.take(entry)
    assert order == ["a", "b", "a", "b", "a", "b"]


def test_what_is_paid_in_advance_is_what_a_callers_entries_usually_cost() -> None:
    queue = queue_of(*(Entry("long") for _ in range(9)), *(Entry("short") for _ in range(9)))
    for _ in range(40):
        serve(queue, Entry("long"), 200)
        for _ in range(20):
            serve(queue, Entry("short"), 10)
    order = []
    for entry in islice(queue.candidates(), 10):
        order.append(entry.caller)
        queue.take(entry)
    assert order == ["long", *["short"] * 9]


def test_what_was_paid_in_advance_and_not_used_is_given_back() -> None:
    queue = queue_of(Entry("a"), Entry("b"))
    serve(queue, Entry("a"), 1)
    serve(queue, Entry("b"), 2)
    assert callers(queue) == "a b"


def test_what_is_passed_over_keeps_its_place() -> None:
    entries = [Entry("a"), Entry("b"), Entry("c"), Entry(priority=1)]
    queue = queue_of(*entries)
    for entry in queue.candidates():
        if entry is entries[2]:
            queue.take(entry)
            break
    assert list(queue.candidates()) == [entries[0], entries[1], entries[3]]


def test_after_a_take_the_passed_over_are_not_offered_again() -> None:
    entries = [Entry("a"), Entry("a"), Entry("a"), Entry("b")]
    queue = queue_of(*entries)
    offered = []
    for entry in queue.candidates():
        offered.append(entry)
        if entry is entries[1]:
            queue.take(entry)
    assert offered == [entries[0], entries[1], entries[3], entries[2]]


def test_a_preempted_entry_goes_first_in_its_class_only() -> None:
    urgent, normal, b = Entry(priority=-1), Entry(), Entry("b")
    older, younger = Entry("c"), Entry("c")
    queue = queue_of(older, younger, normal, b, urgent)
    for entry in (older, younger):
        queue.take(entry)
        queue.charge(entry, n_generated=1000)
    for entry in (younger, older):
        queue.push_front(entry)
    assert list(queue.candidates()) == [urgent, older, younger, normal, b]


def test_a_preempted_entry_is_taken_and_preempted_as_often_as_need_be() -> None:
    entry = Entry()
    queue = queue_of(entry, Entry())
    for _ in range(3):
        queue.take(entry)
        queue.charge(entry, n_generated=5)
        queue.push_front(entry)
        assert next(queue.candidates()) is entry


def test_who_arrives_when_a_preempted_entry_waits_is_no_better_off() -> None:
    """A preempted entry is before everyone, but nobody else starts from there."""
    c = Entry("c")
    queue = queue_of(c)
    queue.take(c)
    serve(queue, Entry("a"), 100)
    queue.push(Entry("a"))
    queue.push_front(c)
    serve(queue, Entry("b"), 1)
    queue.push(Entry("b"))
    assert callers(queue) == "c a b"


# -- in and out -----------------------------------------------------------------------------------


def test_a_removed_entry_is_gone() -> None:
    first, second = Entry(), Entry()
    queue = queue_of(first, second)
    queue.remove(first)
    assert list(queue.candidates()) == [second]
    with pytest.raises(KeyError):
        queue.remove(first)


def test_entries_are_counted_by_priority() -> None:
    queue = queue_of(Entry(), Entry("b"), Entry(priority=3))
    assert (len(queue), queue.counts()) == (3, {0: 2, 3: 1})
    for entry in islice(queue.candidates(), 2):
        queue.take(entry)
    assert (len(queue), queue.counts()) == (1, {3: 1})


def test_a_full_queue_says_so() -> None:
    queue: FairQueue[Entry] = FairQueue(2)
    queue.push(Entry())
    queue.check(1)
    with pytest.raises(Overloaded, match="1 answers are waiting already, and at most 2 may") as e:
        queue.check(2)
    assert (e.value.code, e.value.status) == ("queue_full", 503)
    assert e.value.retry_after


def test_the_overdue_leave_the_most_overdue_first() -> None:
    entries = [Entry("a", deadline=d, priority=p) for d, p in [(9, 0), (3, 1), (None, 0), (5, 0)]]
    queue = queue_of(*entries)
    assert queue.expire(2.9) == []
    assert queue.expire(5.0) == [entries[1], entries[3]]
    assert list(queue.candidates()) == [entries[0], entries[2]]


def test_what_was_taken_or_removed_never_expires() -> None:
    taken, removed, waiting = (Entry(deadline=1.0) for _ in range(3))
    queue = queue_of(taken, removed, waiting)
    queue.take(taken)
    queue.remove(removed)
    assert queue.expire(2.0) == [waiting]
    assert len(queue) == 0


def test_what_is_not_in_flight_can_not_be_charged_finished_or_preempted() -> None:
    entry = Entry()
    queue = queue_of(entry)
    for call in (queue.charge, queue.finish, queue.push_front):
        with pytest.raises(KeyError):
            call(entry)
    assert list(queue.candidates()) == [entry]


def test_callers_and_classes_of_long_ago_are_forgotten() -> None:
    queue = queue_of(Entry("patient", priority=5))
    for i in range(3 * REMEMBERED):
        serve(queue, Entry(f"caller {i}"), 1)
        serve(queue, Entry(priority=i), 1)
    assert len(queue._classes) <= REMEMBERED
    assert all(len(level.callers) <= REMEMBERED for level in queue._classes.values())
    assert callers(queue) == "patient"


# -- fair shares ----------------------------------------------------------------------------------


def test_a_thousand_requests_of_one_caller_do_not_delay_anothers_single_one() -> None:
    machine = Machine(queue_of(*(Entry("heavy") for _ in range(1000))), n_lanes=4)
    machine.steps(550)
    light = Entry("light")
    machine.queue.push(light)
    n_before = len(machine.admitted)
    while light not in machine.running:
        machine.step()
    assert machine.admitted.index(light) - n_before <= 1


def test_callers_that_wait_are_served_alike_whatever_their_requests_are() -> None:
    """The bound: they differ by at most what both can have in flight."""
    lengths = {"long": 400, "short": 10, "middle": 60}
    entries = [Entry(name, n_tokens=n) for name, n in lengths.items() for _ in range(20_000 // n)]
    machine = Machine(queue_of(*entries), n_lanes=8)
    for _ in range(4000):
        machine.step()
        spread = max(machine.served.values()) - min(machine.served.values())
        assert spread <= 8 * max(lengths.values())
    assert spread <= 2 * max(lengths.values())


def test_shares_follow_the_weights() -> None:
    queue: FairQueue[Entry] = FairQueue(512, {"paying": 3.0})
    for _ in range(200):
        queue.push(Entry("paying"))
        queue.push(Entry("other"))
    machine = Machine(queue, n_lanes=4)
    machine.steps(4000)
    assert machine.served["paying"] / machine.served["other"] == pytest.approx(3, rel=0.1)


def test_idle_time_saves_up_no_credit() -> None:
    machine = Machine(queue_of(*(Entry("busy", n_tokens=10) for _ in range(2000))), n_lanes=1)
    machine.steps(5000)
    for _ in range(1000):
        machine.queue.push(Entry("idle", n_tokens=10))
    before = machine.served.copy()
    machine.steps(2000)
    gained = machine.served - before
    assert gained["busy"] == pytest.approx(gained["idle"], rel=0.05)


def test_leaving_and_coming_back_does_not_wipe_out_what_one_was_served() -> None:
    queue = queue_of(Entry("c"))
    serve(queue, Entry("a"), 100)
    serve(queue, Entry("b"), 1)
    queue.push(Entry("a"))
    queue.push(Entry("b"))
    assert callers(queue) == "c b a"


def test_who_is_new_when_nobody_waits_starts_where_the_last_one_was() -> None:
    queue = queue_of()
    for _ in range(10):
        serve(queue, Entry("old"), 100)
    queue.push(Entry("new"))
    queue.push(Entry("old"))
    assert callers(queue) == "new old"
    serve(queue, Entry("new"), 150)
    assert callers(queue) == "old new"


# -- between classes ------------------------------------------------------------------------------

UNTIL_A_LANE_IS_FREE = 4 * 100


def contest(*lower: int, n_tokens: int = 100) -> Machine:
    """Plenty of class 0, and of each of the lower classes."""
    queue = queue_of(*(Entry("urgent") for _ in range(2000)))
    for priority in lower:
        for _ in range(500):
            queue.push(Entry("patient", priority, n_tokens=n_tokens))
    return Machine(queue, n_lanes=4)


def lower_admitted(machine: Machine, n_steps: int) -> list[tuple[int, int]]:
    """Each admission of a lower class: its priority, and what class 0 was served since a lower one
    was last."""
    found, higher = [], 0
    for _ in range(n_steps):
        n = len(machine.admitted)
        machine.step()
        lower = [entry for entry in machine.admitted[n:] if entry.priority]
        found += [(entry.priority, higher) for entry in lower]
        in_flight = Counter(entry.priority > 0 for entry in machine.running)
        higher = 0 if lower or in_flight[True] else higher + in_flight[False]
    return found


@pytest.mark.parametrize("n_tokens", [1, 100, 5000])
def test_a_lower_class_is_served_within_the_bound(n_tokens: int) -> None:
    found = lower_admitted(contest(7, n_tokens=n_tokens), 20_000)
    assert len(found) >= 4
    assert max(higher for _, higher in found) <= TURN / SHARE + UNTIL_A_LANE_IS_FREE


def test_a_lower_class_has_its_share_and_no_more() -> None:
    machine = contest(1)
    machine.steps(2000)
    before = machine.of_class.copy()
    machine.steps(20_000)
    served = machine.of_class - before
    assert served[1] / served[0] == pytest.approx(SHARE, rel=0.05)


def test_a_turn_is_one_entrys_even_where_many_lanes_are_free() -> None:
    machine = contest(1)
    machine.steps(2000)
    lanes = [Counter(entry.priority for entry in machine.running)]
    for _ in range(2000):
        machine.step()
        lanes.append(Counter(entry.priority for entry in machine.running))
    assert max(lane[1] for lane in lanes) == 1


def test_lower_classes_take_turns() -> None:
    found = [priority for priority, _ in lower_admitted(contest(1, 2, 3), 20_000)]
    assert len(found) > 30
    for i in range(len(found) - 2):
        assert set(found[i : i + 3]) == {1, 2, 3}


def test_new_classes_do_not_push_in_before_one_that_waits_for_its_turn() -> None:
    machine = contest(1000)
    for priority in range(1, 900):
        machine.step()
        machine.queue.push(Entry("pushy", priority))
    assert lower_admitted(machine, 5000)[0][0] == 1000


def test_a_lower_class_saves_up_nothing_while_it_does_not_wait() -> None:
    machine = contest()
    machine.steps(2000)
    machine.queue.push(Entry("patient", priority=1))
    assert lower_admitted(machine, 2000)[0][1] >= 0.9 * TURN / SHARE


def test_a_class_that_nobody_contests_runs_up_no_debt() -> None:
    machine = Machine(queue_of(*(Entry(priority=1) for _ in range(200))), n_lanes=4)
    machine.steps(2000)
    for _ in range(1000):
        machine.queue.push(Entry("urgent"))
    assert lower_admitted(machine, 5000)[0][1] <= TURN / SHARE + UNTIL_A_LANE_IS_FREE


# -- any life of a queue --------------------------------------------------------------------------

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(
            ["push", "push", "push", "take", "take", "finish", "preempt", "remove", "expire"]
        ),
        st.sampled_from("abc"),
        st.sampled_from([0, 0, 1, 5]),
        st.integers(0, 50),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(OPERATIONS)
def test_whatever_happens_every_entry_that_waits_is_offered_once(
    operations: list[tuple[str, str, int, int]],
) -> None:
    queue = queue_of()
    waiting: list[Entry] = []
    running: list[Entry] = []
    for now, (operation, caller, priority, n) in enumerate(operations):
        gone: list[Entry] = []
        if operation == "push":
            waiting.append(Entry(caller, priority, deadline=now + n if n % 2 else None))
            queue.push(waiting[-1])
        elif operation == "preempt" and running:
            waiting.append(running.pop(n % len(running)))
            queue.push_front(waiting[-1])
        elif operation == "expire":
            gone = queue.expire(now)
            overdue = [e for e in waiting if e.deadline is not None and e.deadline <= now]
            assert set(gone) == set(overdue)
        elif operation == "remove" and waiting:
            gone = [waiting[n % len(waiting)]]
            queue.remove(gone[0])
        elif operation == "take" and waiting:
            gone = [waiting[n % len(waiting)]]
            running += gone
            queue.take(gone[0])
            queue.charge(gone[0], n_prompt=n)
        elif operation == "finish" and running:
            queue.finish(running.pop(n % len(running)))
        waiting = [entry for entry in waiting if entry not in gone]
        offered = list(queue.candidates())
        assert set(offered) == set(waiting)
        assert len(offered) == len(waiting) == len(queue)
        assert queue.counts() == Counter(entry.priority for entry in waiting)


def test_a_class_that_is_forgotten_while_candidates_are_asked_for_is_passed_over() -> None:
    queue = queue_of(*(Entry(priority=priority) for priority in range(REMEMBERED)))
    serve(queue, Entry("b"), n_tokens=int(TURN / SHARE))  # now the lower classes have their turn
    candidates = queue.candidates()
    taken = next(candidates)
    assert taken.priority == 1
    queue.take(taken)
    queue.finish(taken)
    queue.push(Entry(priority=REMEMBERED))
    assert next(candidates).priority == 2
