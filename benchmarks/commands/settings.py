"""What several commands have in common: options, and where the results go.

Progress goes to stderr; the card, and the JSON document as the last line, to stdout.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import click

from benchmarks import report
from benchmarks.report import Document
from benchmarks.rounds import Plan, Results
from benchmarks.scenarios import groups

F = TypeVar("F", bound=Callable[..., Any])

MOST_ROUNDS = 100
FAILED = 1  # exit code when a request failed: figures without it flatter

json_option = click.option(
    "--json",
    "json_path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the JSON document there, instead of as the last line.",
)
seed_option = click.option(
    "--seed",
    type=int,
    help="Of the prompts; else a new one, so that no server knows them from the last run.",
)
vocab_option = click.option(
    "--vocab",
    default=4000,
    show_default=True,
    type=click.IntRange(8, 1_000_000),
    help="Token ids of the prompts are below this; hardly any model has fewer.",
)
timeout_option = click.option(
    "--timeout",
    default=600.0,
    show_default=True,
    type=click.FloatRange(0.1, 3600.0),
    help="Seconds for one request.",
)
threads_option = click.option(
    "--threads",
    default=0,
    show_default=True,
    type=click.IntRange(0, 1024),
    help="Compute threads; 0 for one a core.",
)
_rounds_option = click.option(
    "--rounds", default=3, show_default=True, type=click.IntRange(1, MOST_ROUNDS)
)
_scale_option = click.option(
    "--scale",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.0, 10.0, min_open=True),
    help="Multiplies lengths and repetitions, for a slow machine or a large model.",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How rounds are run, from the options."""

    rounds: int
    scale: float
    seed: int | None
    json_path: Path | None

    def plan(self, scenarios: tuple[str, ...], n_vocab: int) -> Plan:
        return Plan(groups(scenarios), self.rounds, n_vocab, drawn(self.seed), self.scale)

    def deliver(self, results: Results, facts: Document) -> int:
        """Shows and writes the results; returns the exit code."""
        deliver(report.card(results, facts), report.document(results, facts), self.json_path)
        return FAILED if results.n_failed else 0


def with_settings(function: F) -> Callable[..., Any]:
    """Gives a command the options of `Settings`, and calls it with one first."""

    @functools.wraps(function)
    def command(**given: Any) -> Any:
        settings = Settings(**{item.name: given.pop(item.name) for item in fields(Settings)})
        return function(settings, **given)

    for option in (json_option, seed_option, _scale_option, _rounds_option):
        command = option(command)
    return command


def scenario_option(*names: str, default: str) -> Callable[[F], F]:
    return click.option(
        "--scenario",
        "scenarios",
        multiple=True,
        type=click.Choice(names),
        help=f"Repeat it for more. Default: {default}.",
    )


def drawn(seed: int | None) -> int:
    """The seed, or a new one."""
    return random.SystemRandom().randrange(2**32) if seed is None else seed


def facts(benchmark: str, plan: Plan) -> Document:
    """What the figures depend on besides the servers."""
    return {
        "benchmark": benchmark,
        "machine": report.machine(),
        "rounds": plan.n_rounds,
        "scale": plan.scale,
        "vocab": plan.n_vocab,
        "seed": plan.seed,
    }


def tell(text: str) -> None:
    """Progress, for whoever waits."""
    click.echo(f"· {text}", err=True)


def deliver(card: str, document: Document, json_path: Path | None) -> None:
    click.echo(card)
    if json_path is None:
        click.echo("\n" + report.line(document))
    else:
        json_path.write_text(report.line(document) + "\n", encoding="utf-8")
