"""`run`: servers that run already."""

from __future__ import annotations

from collections.abc import Sequence

import click

from benchmarks.address import Address
from benchmarks.client import Client
from benchmarks.commands.settings import (
    Settings,
    facts,
    scenario_option,
    tell,
    timeout_option,
    vocab_option,
    with_settings,
)
from benchmarks.rounds import Results, Subject, measure, warm_up
from benchmarks.scenarios import COMPLETIONS, SCENARIOS


def _servers(_: click.Context, __: click.Parameter, values: Sequence[str]) -> dict[str, Address]:
    addresses: dict[str, Address] = {}
    for value in values:
        name, equals, url = value.partition("=")
        if not equals or not name.strip():
            raise click.BadParameter(f"{value!r} is no server; one is name=http://127.0.0.1:8080.")
        if name in addresses:
            raise click.BadParameter(f"Two servers are called {name!r}.")
        addresses[name] = Address.parse(url)
    return addresses


@click.command(short_help="Measure servers that run already.")
@click.option(
    "--server",
    "servers",
    multiple=True,
    required=True,
    callback=_servers,
    metavar="NAME=URL",
    help="A server on this machine. Repeat it; the first is compared to the others.",
)
@scenario_option(*SCENARIOS, default="all but embed")
@vocab_option
@timeout_option
@with_settings
def run(
    settings: Settings,
    servers: dict[str, Address],
    scenarios: tuple[str, ...],
    vocab: int,
    timeout: float,
) -> int:
    """Measures servers that run already, in turns.

    Only one of them has work at a time. Whatever else runs takes from what they can do.

    \b
    python -m benchmarks run --server mullama=http://127.0.0.1:8080 \\
        --server llama-server=http://127.0.0.1:9001 --scenario single --scenario burst
    """
    plan = settings.plan(scenarios or COMPLETIONS, vocab)
    known = facts("run", plan) | {"addresses": {name: str(at) for name, at in servers.items()}}
    subjects = [Subject(name, Client(at, timeout=timeout)) for name, at in servers.items()]
    for subject in subjects:
        warm_up(subject, plan.groups, plan.load(0))
    results = Results(list(servers))
    measure(subjects, plan, results, tell)
    return settings.deliver(results, known)
