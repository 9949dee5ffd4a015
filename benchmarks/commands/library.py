"""`library`: in a program of one's own."""

from __future__ import annotations

import click

from benchmarks.commands.settings import Settings, facts, tell, threads_option, with_settings
from mullama.models.builtin import NAME, located


@click.command(short_help="Measure the library: loading, and one stream.")
@click.argument("model", default=NAME)
@threads_option
@with_settings
def library(settings: Settings, model: str, threads: int) -> int:
    """Measures how soon a model can answer in a program, and how fast one answer comes.

    Without MODEL, of the built-in one.
    """
    from benchmarks.library import measure
    from mullama.models.gguf import read_info

    path = located(model)
    info = read_info(path)
    plan = settings.plan((), info.n_vocab)
    known = facts("library", plan) | {"model": info.description, "threads": threads}
    return settings.deliver(measure(path, plan, threads, tell), known)
