"""`mixed`: everything at once, for long, with too little room for it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from benchmarks import mixed as traffic
from benchmarks import report
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
from benchmarks.figures import failures
from benchmarks.mixed import Users
from benchmarks.servers import running
from benchmarks.soak import N_LOOKS, card, document
from benchmarks.traffic import Load

START_PATIENCE = 120.0
_existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Mixed traffic with too little room: is anything wrong or growing?")
@click.argument("model", type=_existing_file)
@click.argument("embedding", type=_existing_file)
@click.option("--minutes", default=1.0, show_default=True, type=click.FloatRange(0.05, 24 * 60.0))
@click.option(
    "--samples",
    default=500,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="Answers to be compared with those of a server without caches.",
)
@vocab_option
@timeout_option
@seed_option
@json_option
def mixed(
    model: Path,
    embedding: Path,
    minutes: float,
    samples: int,
    vocab: int,
    timeout: float,
    seed: int | None,
    json_path: Path | None,
) -> int:
    """Chats, cancels and embeddings at once, on a server whose caches are all too small.

    MODEL generates, EMBEDDING embeds. Memory and counters are looked at between tenths of the
    time, the books are checked at the end, and some of the answers are asked for again, of a server
    that has nothing cached; weights and KV cache are f32 for that. Fails if a request failed, a sum
    was wrong, or an answer was another.
    """
    from benchmarks.synthetic import exact

    seed = drawn(seed)
    load = Load(f"{seed}", vocab)
    with tempfile.TemporaryDirectory(prefix="benchmark-mixed-") as folder:
        copy = exact(model, Path(folder))
        with running(traffic.small(f"{folder}/cache", embedding.absolute()), copy, 0) as server:
            server.wait_until_ready(START_PATIENCE)
            chat, vectors = (
                Client(server.address, model=name, timeout=timeout)
                for name in ("default", traffic.EMBEDDING)
            )
            users = Users(chat, vectors, load, samples)
            looks = list(traffic.look_on(users, server, 60 * minutes, N_LOOKS + 1, tell))
            books = traffic.audit(users)
        with running(traffic.cold(), copy, 0) as server:
            server.wait_until_ready(START_PATIENCE)
            others = traffic.compare(Client(server.address, timeout=timeout), users.samples, tell)
    wrong = [str(other) for other in others if not other.is_tie]
    facts = {"benchmark": "mixed", "machine": report.machine(), "seed": seed}
    found = {
        "n_left": users.n_left,
        "n_compared": len(users.samples),
        "n_ties": len(others) - len(wrong),
        "wrong": wrong,
        "audits": {name: value for name, value in books.items() if "audit" in name},
    }
    deliver(
        "\n".join([card(looks), *_lines(users, len(others), wrong, books)]),
        document(looks, facts | found),
        json_path,
    )
    sound = books.get("n_audits_total") and not books.get("n_audits_failed_total")
    return 0 if sound and not wrong and not users.errors else FAILED


def _lines(users: Users, n_others: int, wrong: list[str], books: dict[str, float]) -> list[str]:
    lines = [
        f"{users.n_left} requests were left by their clients.",
        f"{books.get('n_audits_total', 0):g} audits of the books, "
        f"{books.get('n_audits_failed_total', 0):g} of them failed.",
        f"{n_others} of {len(users.samples)} answers were unlike the cold ones: "
        f"{n_others - len(wrong)} ties, {len(wrong)} wrong.",
    ]
    if users.errors:
        lines.append(f"! {failures(users.errors, users.n_requests)}")
    return [*lines, *(f"! {one}" for one in wrong)]
