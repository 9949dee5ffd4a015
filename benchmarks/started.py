"""Rounds on servers that are started for them: together, or one after another.

Together, all are up from the first round to the last, and only one at a time has work. Alone, a
server's turn is all scenarios of a round, and it is started and stopped for each. Cold starts are
measured before everything else, with no other server running.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import coldstart, memory
from benchmarks.client import Client
from benchmarks.figures import Outcome
from benchmarks.rounds import Plan, Results, Subject, Tell, measure, visit, warm_up
from benchmarks.servers import Command, Server, running

MEMORY = "memory after the load"
# Seconds that a server is left alone before it is measured, where another one has just ended: a
# virtual machine gives that one's memory back meanwhile, which takes both cores for a second.
SETTLE = 3.0


@dataclass(frozen=True, slots=True)
class Starting:
    """How servers are started. `patience`, `timeout` (of one request) and `settle` (before it is
    measured, where it takes another one's place) are seconds."""

    model: Path
    n_ctx: int
    patience: float
    timeout: float
    settle: float = 0.0


def cold_starts(
    commands: Sequence[Command], starting: Starting, plan: Plan, results: Results, tell: Tell
) -> None:
    """A cold start of each in each round, in turns. Raises ServerFailed."""
    for number in range(plan.n_rounds):
        for command in commands:
            tell(f"{coldstart.NAME}: {command.name}")
            outcome = coldstart.measure(
                command, starting.model, starting.n_ctx, plan.load(number), starting.patience
            )
            results.add(coldstart.NAME, command.name, outcome)


def measure_together(
    commands: Sequence[Command], starting: Starting, plan: Plan, results: Results, tell: Tell
) -> None:
    """Start all, then all rounds. Raises ServerFailed, Unusable."""
    with ExitStack() as stack:
        servers = [_start(stack, command, starting, tell) for command in commands]
        subjects = [_subject(server, starting, plan) for server in servers]
        measure(subjects, plan, results, tell)
        for server in servers:
            _add_memory(results, server)


def measure_alone(
    commands: Sequence[Command], starting: Starting, plan: Plan, results: Results, tell: Tell
) -> None:
    """Start, measure and stop one after another, each round anew. Raises ServerFailed, Unusable."""
    for number in range(plan.n_rounds):
        for command in commands:
            with ExitStack() as stack:
                server = _start(stack, command, starting, tell)
                subject = _subject(server, starting, plan)
                time.sleep(starting.settle)
                for group in plan.groups:
                    visit(subject, group, plan.load(number), results, tell)
                _add_memory(results, server)


def _start(stack: ExitStack, command: Command, starting: Starting, tell: Tell) -> Server:
    tell(f"starting {command.name}")
    server = stack.enter_context(running(command, starting.model, starting.n_ctx))
    server.wait_until_ready(starting.patience)
    return server


def _subject(server: Server, starting: Starting, plan: Plan) -> Subject:
    """The server as one to be measured, when it has answered once."""
    subject = Subject(server.name, Client(server.address, timeout=starting.timeout))
    warm_up(subject, plan.groups, plan.load(0))
    return subject


def _add_memory(results: Results, server: Server) -> None:
    figures = memory.figures(server.pid)
    notes = () if figures else ("this system does not tell the memory of processes",)
    results.add(MEMORY, server.name, Outcome(figures, notes))
