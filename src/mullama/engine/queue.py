"""The waiting queue: whose turn it is when a lane becomes free.

The order has three levels:

1. Class. `priority` is an integer, 0 where nobody says otherwise, and the lower number goes first.
2. Caller. Within a class callers share what is served. Each has a virtual time, which advances by
   the cost of what it is served, divided by its weight; the caller that is furthest behind goes
   first. One that comes back after a while starts where the furthest behind of those waiting is:
   idle time saves up no credit. So a thousand requests of one caller are no reason for another's
   single one to wait longer.
3. Arrival.

A preempted entry comes back with `push_front`: it goes before all others of its class.

Cost is counted in generated tokens; a prompt's token counts `PROMPT_WEIGHT`, since it is computed
along with many others. An entry's life is `push`, `take`, `charge` as it is served, `finish`; or
from `take` back to `push_front`. With `take` its caller pays what its entries usually cost, and
with `finish` or `push_front` it gets back what was not used. Otherwise who is a little behind would
be given all lanes before the first of their tokens counts.

What is bounded:

- Two callers of a class that both wait: what they were served, divided by their weights, differs by
  at most what each can have in flight, divided by its weight.
- A new caller is admitted after at most one entry of every other caller waiting in its class (and
  those that were preempted).
- A class that waits is never shut out by higher ones. Those come first until they have been served
  `TURN / SHARE`; then it is the turn of one entry of the lower classes, and what these are served
  makes up for `1 / SHARE` as much of the higher. So the lower classes have their share, and at most
  `TURN / SHARE` passes from when one of them was last served until one is admitted. They take
  turns: with m of them waiting, each is admitted once in m times. The bound is a share and not a
  time because a backlog older than any time limit would otherwise outrank what is urgent just when
  that matters.

The queue does not know what its entries are, reads no clock, and is used by one thread; only `len`
and `check` may be called from others. Its lists are sorted and short, so that a binary search and a
move of a few kilobytes do what a heap would, without stale entries.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Generic, Protocol, TypeVar

from mullama.errors import Overloaded

# What a prompt's token costs, in generated tokens.
PROMPT_WEIGHT = 0.25
# What the lower classes are served at least, of what the higher ones are.
SHARE = 1 / 8
# The most that the higher classes may be owed, in tokens of the lower; one long answer is not made
# up for without end.
TURN = 512.0
# What an entry is expected to cost before any of its caller's has finished, and how much the newest
# one changes that.
USUAL_COST = 100.0
SMOOTHING = 0.25
# Classes, and callers of a class, of which nothing waits are forgotten when there are more.
REMEMBERED = 1024
# Seconds until a client that found the queue full may try again.
RETRY_AFTER = 2.0


class Waiting(Protocol):
    """What the queue reads of an entry. Entries are hashable and told apart by identity."""

    @property
    def caller(self) -> str:
        """Who shares: an API key, a `user`, or the client's address. Never changes."""
        ...

    @property
    def priority(self) -> int:
        """Its class. Never changes."""
        ...

    @property
    def deadline(self) -> float | None:
        """When it must have left the queue, by the clock that `expire` is called with; None for
        never. Read when it is pushed."""
        ...


T = TypeVar("T", bound=Waiting)


@dataclass(eq=False, slots=True)
class _Caller(Generic[T]):
    """A caller in one class, with its entries in order."""

    virtual: float  # cost served and paid in advance, per weight
    joined: int = 0  # the tick when it began to wait
    usual: float = USUAL_COST  # what an entry costs
    entries: list[T] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class _Class(Generic[T]):
    """The entries of one priority. `order` has the callers that wait, those behind first."""

    callers: dict[str, _Caller[T]] = field(default_factory=dict)
    order: list[tuple[float, int, _Caller[T]]] = field(default_factory=list)
    floor: float = 0.0  # the virtual time of whoever was served last
    since: int = 0  # the tick since which it has waited for a turn
    n_waiting: int = 0
    # Preempted entries are a caller that is behind everyone, always.
    preempted: _Caller[T] = field(default_factory=lambda: _Caller(-inf))

    def caller(self, name: str) -> _Caller[T]:
        known = self.callers.get(name)
        if known is None:
            if len(self.callers) >= REMEMBERED:
                self.callers = {n: caller for n, caller in self.callers.items() if caller.entries}
            known = self.callers[name] = _Caller(self.floor)
        return known

    def join(self, caller: _Caller[T], tick: int) -> None:
        """A caller's first entry is about to wait."""
        behind = next((virtual for virtual, _, _ in self.order if virtual > -inf), self.floor)
        if caller is not self.preempted:
            caller.virtual = max(caller.virtual, behind)
        caller.joined = tick
        insort(self.order, (caller.virtual, tick, caller))

    def leave(self, caller: _Caller[T]) -> None:
        del self.order[bisect_left(self.order, (caller.virtual, caller.joined))]

    def advance(self, caller: _Caller[T], virtual: float) -> None:
        """Move a caller's virtual time on, and the caller to its new place if it waits."""
        if caller.entries:
            self.leave(caller)
            insort(self.order, (caller.virtual + virtual, caller.joined, caller))
        caller.virtual += virtual

    def scan(self) -> Iterator[T]:
        """The entries in order; the order may change, and entries go, while this is suspended."""
        passed_over: dict[_Caller[T], int] = {}
        rank = (-inf, 0)
        while (i := bisect_left(self.order, rank)) < len(self.order):
            virtual, joined, caller = self.order[i]
            n = passed_over.get(caller, 0)
            if n >= len(caller.entries):
                rank = (virtual, joined + 1)
                continue
            rank = (virtual, joined)
            entry = caller.entries[n]
            yield entry
            if n < len(caller.entries) and caller.entries[n] is entry:
                passed_over[caller] = n + 1


@dataclass(slots=True)
class _Flight(Generic[T]):
    """An entry that is being served."""

    caller: _Caller[T]
    paid: float  # in advance
    cost: float = 0.0  # so far


@dataclass(slots=True)
class _Place(Generic[T]):
    """Where an entry waits."""

    priority: int
    caller: _Caller[T]
    deadline: tuple[float, int] | None


class FairQueue(Generic[T]):
    """Entries that wait, in order. See the module's text for its rules.

    `capacity` is the most entries that `check` lets in. `weights` has the callers whose share is
    not 1, all above 0.
    """

    def __init__(self, capacity: int, weights: Mapping[str, float] | None = None) -> None:
        self._capacity = capacity
        self._weights = weights if weights is not None else {}
        self._classes: dict[int, _Class[T]] = {}
        self._waiting: list[int] = []  # the priorities with entries, in order
        self._places: dict[T, _Place[T]] = {}
        self._flights: dict[T, _Flight[T]] = {}
        self._deadlines: list[tuple[float, int, T]] = []
        self._until_turn = TURN  # of the classes below the first, 0..TURN
        self._tick = 0

    def __len__(self) -> int:
        return len(self._places)

    def counts(self) -> dict[int, int]:
        """Entries waiting, by priority."""
        return {priority: self._classes[priority].n_waiting for priority in self._waiting}

    def check(self, n_arriving: int) -> None:
        """Raises Overloaded when so many entries more would not find a place."""
        if len(self) + n_arriving > self._capacity:
            raise Overloaded(
                f"{len(self)} answers are waiting already, and at most {self._capacity} may; "
                "try again later.",
                code="queue_full",
                retry_after=RETRY_AFTER,
            )

    # -- in and out ---------------------------------------------------------------------------

    def push(self, entry: T) -> None:
        """A new entry, behind its caller's others."""
        caller = self._class(entry.priority).caller(entry.caller)
        self._insert(entry, caller, len(caller.entries))

    def push_front(self, entry: T) -> None:
        """A preempted entry, before all others of its class."""
        self._land(entry)
        self._insert(entry, self._class(entry.priority).preempted, 0)

    def candidates(self) -> Iterator[T]:
        """The entries in order. One that is not taken before the next is asked for is passed over;
        the next call begins with it again. Charges made meanwhile count at once."""
        scans = {priority: self._classes[priority].scan() for priority in self._waiting}
        while scans:
            priority = self._next_class(list(scans))
            entry = next(scans[priority], None)
            if entry is None:
                del scans[priority]
            else:
                yield entry

    def take(self, entry: T) -> None:
        """A candidate is admitted: it leaves the queue, and its caller pays in advance."""
        place = self._remove(entry)
        level = self._class(place.priority)
        level.floor = max(level.floor, place.caller.virtual)
        self._tick += 1
        level.since = self._tick
        caller = level.caller(entry.caller)
        self._flights[entry] = _Flight(caller, caller.usual)
        self._pay(entry, caller, caller.usual)

    def remove(self, entry: T) -> None:
        """An entry leaves without being served. Raises KeyError if it does not wait."""
        self._remove(entry)

    def expire(self, now: float) -> list[T]:
        """Remove the entries whose deadline has come, and return them, the most overdue first."""
        n = bisect_left(self._deadlines, (now, inf))
        expired = [entry for _, _, entry in self._deadlines[:n]]
        for entry in expired:
            self._remove(entry)
        return expired

    def charge(self, entry: T, *, n_prompt: int = 0, n_generated: int = 0) -> None:
        """`entry`, in flight, was served so many tokens of its prompt and of its answer."""
        flight = self._flights[entry]
        cost = n_prompt * PROMPT_WEIGHT + n_generated
        beyond = flight.cost + cost - flight.paid
        flight.cost += cost
        if beyond > 0:
            flight.paid += beyond
            self._pay(entry, flight.caller, beyond)

    def finish(self, entry: T) -> None:
        """`entry`, in flight, has ended. Raises KeyError if it is not."""
        flight = self._land(entry)
        flight.caller.usual += SMOOTHING * (flight.cost - flight.caller.usual)

    # -- accounts -----------------------------------------------------------------------------

    def _pay(self, entry: T, caller: _Caller[T], cost: float) -> None:
        share = cost / self._weights.get(entry.caller, 1.0)
        self._class(entry.priority).advance(caller, share)
        self._settle(entry.priority, cost)

    def _land(self, entry: T) -> _Flight[T]:
        """An entry is no longer served: its caller gets back what was not used."""
        flight = self._flights.pop(entry)
        self._pay(entry, flight.caller, flight.cost - flight.paid)
        return flight

    def _settle(self, priority: int, cost: float) -> None:
        """Between the classes: one of `priority` pays, or gets back what it paid."""
        if len(self._waiting) < 2:
            return
        change = -cost * SHARE if priority <= self._waiting[0] else cost
        self._until_turn = min(TURN, max(0.0, self._until_turn + change))

    # -- the order ----------------------------------------------------------------------------

    def _class(self, priority: int) -> _Class[T]:
        level = self._classes.get(priority)
        if level is None:
            if len(self._classes) >= REMEMBERED:
                self._classes = {p: self._classes[p] for p in self._waiting}
            level = self._classes[priority] = _Class()
        return level

    def _next_class(self, priorities: list[int]) -> int:
        first, *lower = priorities
        lower = [priority for priority in lower if priority in self._classes]  # or it is forgotten
        if lower and not self._until_turn:
            return min(lower, key=lambda priority: self._classes[priority].since)
        return first

    def _insert(self, entry: T, caller: _Caller[T], at: int) -> None:
        assert entry not in self._places, "an entry waits twice"
        self._tick += 1
        priority, deadline = entry.priority, entry.deadline
        level = self._class(priority)
        if not level.n_waiting:
            insort(self._waiting, priority)
            level.since = self._tick
        if not caller.entries:
            level.join(caller, self._tick)
        caller.entries.insert(at, entry)
        level.n_waiting += 1
        place = _Place(priority, caller, None if deadline is None else (deadline, self._tick))
        if place.deadline is not None:
            insort(self._deadlines, (*place.deadline, entry))
        self._places[entry] = place

    def _remove(self, entry: T) -> _Place[T]:
        place = self._places.pop(entry)
        level, caller = self._classes[place.priority], place.caller
        caller.entries.remove(entry)
        level.n_waiting -= 1
        if not caller.entries:
            level.leave(caller)
        if not level.n_waiting:
            self._waiting.remove(place.priority)
        if place.deadline is not None:
            del self._deadlines[bisect_left(self._deadlines, place.deadline)]
        return place
