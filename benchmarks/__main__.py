"""The command line: `python -m benchmarks`. Without arguments it says what there is."""

from __future__ import annotations

import signal
import sys
from typing import Any

import click

from benchmarks.address import BadAddress
from benchmarks.commands.engine import engine
from benchmarks.commands.kills import kills
from benchmarks.commands.library import library
from benchmarks.commands.mixed import mixed
from benchmarks.commands.model import model
from benchmarks.commands.restart import restart
from benchmarks.commands.run import run
from benchmarks.commands.schemas import schemas
from benchmarks.commands.soak import soak
from benchmarks.commands.start import start
from benchmarks.rounds import Unusable
from mullama.errors import MullamaError


class _Group(click.Group):
    """Tells what went wrong in one line, with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (BadAddress, MullamaError, Unusable) as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Measures servers on this machine: ours beside its peers', in turns, as ratios."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@cli.result_callback()
def _exit(code: int | None) -> None:
    """A command's result is its exit code: 1 if a request failed."""
    if code:
        sys.exit(code)


for command in (run, start, restart, engine, library, schemas, soak, mixed, kills, model):
    cli.add_command(command)

if __name__ == "__main__":
    # An exception, and not the end on the spot: the servers that were started are to be stopped.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    cli(prog_name="python -m benchmarks")
