"""`engine`: no HTTP, no processes."""

from __future__ import annotations

import click

from benchmarks.commands.settings import Settings, facts, tell, threads_option, with_settings


@click.command(short_help="Measure the engine without HTTP.")
@click.argument("model", type=click.Path(exists=True, dir_okay=False))
@threads_option
@with_settings
def engine(settings: Settings, model: str, threads: int) -> int:
    """Measures the engine in this process, beside a bare loop over the C API.

    The bare loop is the limit; the difference is what our Python costs.
    """
    from benchmarks.engine import measure
    from mullama.models.gguf import read_info

    info = read_info(model)
    plan = settings.plan((), info.n_vocab)
    known = facts("engine", plan) | {"model": info.description, "threads": threads}
    return settings.deliver(measure(info, plan, threads, tell), known)
