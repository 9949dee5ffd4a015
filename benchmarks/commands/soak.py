"""`soak`: does anything grow?"""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks import memory, report
from benchmarks.address import Address
from benchmarks.client import Client
from benchmarks.commands.settings import (
    FAILED,
    deliver,
    drawn,
    json_option,
    seed_option,
    tell,
    timeout_option,
    vocab_option,
)
from benchmarks.rounds import Unusable
from benchmarks.soak import card, document, look_on
from benchmarks.traffic import Load

MOST_REQUESTS = 1_000_000


@click.command(short_help="Send many short requests: does anything grow?")
@click.argument("url")
@click.option(
    "--requests", default=10_000, show_default=True, type=click.IntRange(10, MOST_REQUESTS)
)
@click.option(
    "--clients",
    default=16,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Requests at once.",
)
@click.option(
    "--limit",
    default=3600.0,
    show_default=True,
    type=click.FloatRange(1.0, 86400.0),
    help="Seconds after which it ends early.",
)
@click.option("--pid", type=int, help="The server's process, where its port does not tell.")
@vocab_option
@timeout_option
@seed_option
@json_option
def soak(
    url: str,
    requests: int,
    clients: int,
    limit: float,
    pid: int | None,
    vocab: int,
    timeout: float,
    seed: int | None,
    json_path: Path | None,
) -> int:
    """Sends many short requests to the server at URL, and looks at its memory and its counters.

    A tenth more than --requests is sent beforehand, for what a server makes when first used.
    """
    client = Client(Address.parse(url), timeout=timeout)
    seed = drawn(seed)
    facts = {"benchmark": "soak", "machine": report.machine(), "url": url, "seed": seed}
    load = Load(f"{seed}", vocab)
    looks = list(look_on(client, _server(client, pid), load, requests, clients, limit, tell))
    if not looks:
        raise Unusable(f"{limit:g} s are not enough for a look; give more with --limit")
    deliver(card(looks), document(looks, facts), json_path)
    return FAILED if looks[-1].n_failed else 0


def _server(client: Client, pid: int | None) -> int:
    """The server's process id. Raises Unusable."""
    found = memory.listener(client.address.port) if pid is None else pid
    if found is not None and memory.tree(found):
        return found
    if pid is not None:
        raise Unusable(f"There is no process {pid} to look at")
    raise Unusable(
        f"The process that listens at {client.address} can't be found. Is the server running? "
        "If so, give its process id with --pid"
    )
