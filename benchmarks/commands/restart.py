"""`restart`: a prefix from disk beside computing it."""

from __future__ import annotations

from pathlib import Path

import click

from benchmarks.commands.settings import (
    Settings,
    facts,
    tell,
    timeout_option,
    vocab_option,
    with_settings,
)
from benchmarks.rounds import Results
from benchmarks.started import SETTLE, Starting


@click.command(short_help="A prefix from disk after a restart, beside computing it.")
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--patience",
    default=120.0,
    show_default=True,
    type=click.FloatRange(1.0, 3600.0),
    help="Seconds for the server to start.",
)
@vocab_option
@timeout_option
@with_settings
def restart(settings: Settings, model: Path, patience: float, vocab: int, timeout: float) -> int:
    """Starts our server twice on one cache folder: what was computed first, comes from disk then.

    What saving and loading cost the streams that run meanwhile is measured too.
    """
    from benchmarks import restart as restarts
    from mullama.models.gguf import read_info

    info = read_info(model)
    plan = settings.plan((), min(vocab, info.n_vocab or vocab))
    starting = Starting(model.absolute(), 0, patience, timeout, SETTLE)
    results = Results(restarts.SIDES)
    restarts.measure(starting, plan, results, tell)
    return settings.deliver(results, facts("restart", plan) | {"model": info.description})
