"""The engine: a scheduler, a runner, and the one thread that drives them.

    step():  drain the inbox → plan → execute → apply → emit

`submit`, `cancel`, `stats` and `close` may be called from any thread; everything else happens in
the thread that calls `run` (or `step`). Events of a step are handed over together, in one call of
`emit`, which must not block and must not raise.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from threading import Condition

from mullama.engine.disk_tier import DiskTier
from mullama.engine.options import EngineOptions
from mullama.engine.scheduler import Scheduler
from mullama.engine.stats import Stats
from mullama.errors import InternalError, MullamaError, Overloaded
from mullama.types import Event, Failed, GenerateRequest, Plan, Runner, Vocab

log = logging.getLogger("mullama.engine")

AUDIT_SECONDS = 10.0
# Also how late a request that waits too long may be told so, when nothing else happens.
IDLE_SECONDS = 0.1
# For copying out what the disk is to keep, once the engine is closed.
LAST_SECONDS = 1.0


class Engine:
    """Answers requests with events. See the module's text for its threads."""

    def __init__(
        self,
        runner: Runner,
        vocab: Vocab,
        *,
        emit: Callable[[list[Event]], None],
        options: EngineOptions | None = None,
        disk: DiskTier | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._runner = runner
        self._emit = emit
        self._clock = clock
        self._scheduler = Scheduler(
            options or EngineOptions(), runner, vocab, clock, disk=disk, post=self._post
        )
        self._inbox: deque[Callable[[], list[Event]]] = deque()  # for the engine's thread to call
        self._arriving: dict[int, int] = {}  # requests in the inbox, and how many answers each has
        self._wake = Condition()
        self._closed = False
        self._survives = disk is not None  # what is cached
        self._audited = clock()
        self._n_audits = self._n_audits_failed = 0

    @property
    def n_ctx(self) -> int:
        """Positions that one request can have, prompt and answer together."""
        return self._scheduler.n_ctx

    # -- from any thread ----------------------------------------------------------------------

    def submit(self, request: GenerateRequest) -> None:
        """Accept a request; a Started event confirms it, and a Finished for each answer ends it.

        Raises ContextLengthExceeded if it can never fit, Overloaded if the queue is full.
        """
        self._scheduler.check(request)
        with self._wake:
            if self._closed:
                raise Overloaded("The engine is shutting down.", code="shutting_down")
            n = request.options.n
            self._scheduler.check_queue(sum(self._arriving.values()) + n)
            self._arriving[request.id] = n
            self._post(partial(self._add, request))

    def cancel(self, request_id: int) -> None:
        """End a request early; unknown ids are ignored, since answers may have ended meanwhile."""
        self._post(partial(self._scheduler.cancel, request_id))

    def clear_cache(self) -> None:
        """Forget every cached prefix that no running sequence uses."""
        self._post(self._scheduler.clear_cache)

    def stats(self) -> Stats:
        """A copy of the counters."""
        stats = self._scheduler.snapshot()
        return replace(
            stats,
            n_prefixes_total=stats.n_prefixes_total.copy(),
            n_audits_total=self._n_audits,
            n_audits_failed_total=self._n_audits_failed,
        )

    def close(self) -> None:
        """Make `run` return soon. Requests that have not ended fail; with a disk, what they have
        computed goes there."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _post(self, item: Callable[[], list[Event]]) -> None:
        with self._wake:
            self._inbox.append(item)
            self._wake.notify()

    # -- the engine thread --------------------------------------------------------------------

    def run(self) -> None:
        """Step until closed; sleep while there is nothing to do.

        An unexpected error ends the engine: its requests fail, and it is raised.
        """
        error: MullamaError = Overloaded("The engine was closed.", code="shutting_down")
        try:
            idle = False
            while self._wait(idle):
                idle = not self.step()
            if self._survives:
                self._retire(error)
        except BaseException:
            error = InternalError("The engine stopped because of an internal error.")
            raise
        finally:
            self.close()
            self._emit_all(self._end_all(error))

    def _retire(self, error: MullamaError) -> None:
        """End all requests, and copy out what they have computed: the next start finds it."""
        self._emit_all(self._drain())
        self._emit_all(self._scheduler.retire(error))
        until = self._clock() + LAST_SECONDS
        while self._scheduler.has_work and self._clock() < until:
            self.step()

    def step(self) -> bool:
        """One step; False if there was nothing to do. What happened since the last one is told
        before it computes, which may take long."""
        self._emit_all(self._drain() + self._scheduler.expire())
        plan = self._scheduler.plan() if self._scheduler.has_work else Plan()
        if plan.is_empty:
            return False
        begin = self._clock()
        output = self._runner.execute(plan)
        self._emit_all(self._scheduler.apply(plan, output, self._clock() - begin))
        return True

    def audit(self) -> None:
        """Assert that the books agree with the KV cache; for tests and idle moments."""
        self._scheduler.audit(self._runner)

    def _wait(self, idle: bool) -> bool:
        """Sleep while there is nothing to do. After an `idle` step, whose requests all wait for
        the disk, until something is posted."""
        while True:
            with self._wake:
                if idle and not (self._closed or self._inbox) and self._scheduler.has_work:
                    self._wake.wait(IDLE_SECONDS)
                while not (self._is_needed or self._audit_is_due):
                    self._wake.wait()
                if self._is_needed:
                    return not self._closed
            self._audit_now()  # without the lock: nobody who submits waits for it

    @property
    def _is_needed(self) -> bool:
        return bool(self._closed or self._inbox or self._scheduler.has_work)

    @property
    def _audit_is_due(self) -> bool:
        return self._clock() - self._audited >= AUDIT_SECONDS

    def _audit_now(self) -> None:
        """An idle engine checks its books; a wrong sum is our mistake, and better known early."""
        self._audited = self._clock()
        self._n_audits += 1
        try:
            self.audit()
        except AssertionError:
            self._n_audits_failed += 1
            log.exception("the audit of the KV cache's books failed")

    def _drain(self) -> list[Event]:
        events: list[Event] = []
        while self._inbox:
            events += self._inbox.popleft()()
        return events

    def _end_all(self, error: MullamaError) -> list[Event]:
        """Fail every request, those too that nobody has looked at yet."""
        failed = self._scheduler.fail_all(error)
        known = {event.id for event in failed}
        return failed + [Failed(id, error.info()) for id in self._arriving if id not in known]

    def _add(self, request: GenerateRequest) -> list[Event]:
        events = self._scheduler.add(request)
        with self._wake:
            self._arriving.pop(request.id, None)
        return events

    def _emit_all(self, events: list[Event]) -> None:
        if events:
            self._emit(events)
