"""Rounds: whose turn it is, and what came of all turns.

A `Subject` is a server under its name. One visit is one scenario on one server in one round; the
servers take turns within a round, so that what else the machine does falls on all of them alike.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.answers import read_answer, vector_error
from benchmarks.client import Client, run_async
from benchmarks.figures import Outcome
from benchmarks.scenarios import Scenario
from benchmarks.traffic import Load, some_text

Tell = Callable[[str], None]

SETTLE = 0.2  # seconds for a server to tidy up before the next one is measured


class Unusable(Exception):
    """A server does not answer, so nothing can be measured."""


@dataclass(frozen=True, slots=True)
class Subject:
    name: str
    client: Client


class Results:
    """Figures of all rounds, by scenario and server. The first server is compared to the others."""

    def __init__(self, servers: Sequence[str]) -> None:
        self.servers = tuple(servers)
        self.notes: list[str] = []
        self.n_failed = 0
        self._rows: dict[str, dict[str, list[dict[str, float]]]] = {}

    def add(self, scenario: str, server: str, outcome: Outcome) -> None:
        rows = self._rows.setdefault(scenario, {name: [] for name in self.servers})
        rows[server].append(outcome.figures)
        self.n_failed += outcome.n_failed
        self.notes += (
            f"{scenario}, {server}, round {len(rows[server])}: {note}" for note in outcome.notes
        )

    @property
    def scenarios(self) -> list[str]:
        return list(self._rows)

    def figures(self, scenario: str) -> list[str]:
        """Keys of the figures that any server has in any round."""
        rows = self._rows[scenario].values()
        return list(dict.fromkeys(key for rounds in rows for row in rounds for key in row))

    def values(self, scenario: str, figure: str, server: str) -> list[float]:
        """A figure of each round that has it."""
        return [row[figure] for row in self._rows[scenario][server] if figure in row]

    def median(self, scenario: str, figure: str, server: str) -> float | None:
        values = self.values(scenario, figure, server)
        return median(values) if values else None

    def ratio(self, scenario: str, figure: str, other: str) -> float | None:
        """The first server's median over another one's."""
        first = self.median(scenario, figure, self.servers[0])
        second = self.median(scenario, figure, other)
        return None if first is None or not second else first / second


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent: groups of scenarios, in rounds; `seed` makes the prompts reproducible."""

    groups: Sequence[Sequence[Scenario]]
    n_rounds: int
    n_vocab: int
    seed: int
    scale: float = 1.0

    def load(self, number: int) -> Load:
        """The load of a round, counted from 0."""
        return Load(f"{self.seed}/{number}", self.n_vocab, self.scale)


def measure(subjects: Sequence[Subject], plan: Plan, results: Results, tell: Tell) -> None:
    """All rounds of each group of scenarios, the subjects taking turns: A B A B …"""
    for group in plan.groups:
        for number in range(plan.n_rounds):
            for subject in subjects:
                visit(subject, group, plan.load(number), results, tell)


def visit(
    subject: Subject, scenarios: Iterable[Scenario], load: Load, results: Results, tell: Tell
) -> None:
    """One server's turn."""
    for scenario in scenarios:
        tell(f"{scenario.name}: {subject.name}")
        results.add(scenario.name, subject.name, _run(scenario, subject.client, load))
        time.sleep(SETTLE)


def _run(scenario: Scenario, client: Client, load: Load) -> Outcome:
    gc.collect()
    gc.disable()  # a pause of the client's would be taken for the server's
    try:
        return run_async(scenario.run(client, load))
    finally:
        gc.enable()


def warm_up(subject: Subject, groups: Iterable[Iterable[Scenario]], load: Load) -> None:
    """One short request of each kind that the scenarios have, not measured. Raises Unusable."""
    for embeds in {scenario.embeds for group in groups for scenario in group}:
        error = run_async(_first(subject.client, load, embeds))
        if error is not None:
            raise Unusable(f"{subject.name} at {subject.client.address} is no use: {error}")


async def _first(client: Client, load: Load, embeds: bool) -> str | None:
    if embeds:
        return vector_error(await client.embed([some_text(load.random("first"))]), 1)
    return read_answer(await client.complete(load.prompts("first")(16), 4)).error
