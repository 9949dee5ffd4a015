"""`start`: servers that are started for the measurement."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import click

from benchmarks.coldstart import NAME as COLDSTART
from benchmarks.commands.settings import (
    Settings,
    facts,
    scenario_option,
    tell,
    timeout_option,
    vocab_option,
    with_settings,
)
from benchmarks.rounds import Results
from benchmarks.scenarios import COMPLETIONS, EMBEDDINGS, SCENARIOS
from benchmarks.servers import Command, llama_server, ours, parse_command, parse_variant
from benchmarks.started import SETTLE, Starting, cold_starts, measure_alone, measure_together
from mullama.types import ModelInfo, ModelKind

MOST_CELLS = 32768  # of a server's context, where nobody says

_existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


def _parsed(parse: Callable[[str], Command]) -> Callable[..., list[Command]]:
    """An option's callback that makes commands of its values."""

    def commands(_: click.Context, __: click.Parameter, values: Sequence[str]) -> list[Command]:
        try:
            return [parse(value) for value in values]
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return commands


def _ours(_: click.Context, __: click.Parameter, options: str) -> Command:
    try:
        return ours(*shlex.split(options))
    except ValueError as error:
        raise click.BadParameter(f"{options!r}: {error}.") from error


@click.command(short_help="Start servers, measure them, stop them.")
@click.argument("model", type=_existing_file)
@click.option(
    "--with-llama-server",
    "peer",
    type=_existing_file,
    metavar="PATH",
    help="llama.cpp's server, to be measured beside ours.",
)
@click.option(
    "--with-command",
    "others",
    multiple=True,
    callback=_parsed(parse_command),
    metavar="NAME=COMMAND",
    help="Another server; {model}, {port}, {host} and {context} are filled in. Repeat it.",
)
@click.option(
    "--with-variant",
    "variants",
    multiple=True,
    callback=_parsed(parse_variant),
    metavar="NAME=OPTIONS",
    help="Our server once more, with other options instead of --options. Repeat it.",
)
@click.option(
    "--options",
    "own",
    default="",
    callback=_ours,
    metavar="OPTIONS",
    help="Options of our server, such as '--context-size {context}'. Default: none.",
)
@click.option("--alone", is_flag=True, help="Run one server at a time, started in each round.")
@click.option(
    "--context",
    type=click.IntRange(min=1),
    help="Cells of the others' contexts ({context}). Default: the model's own, up to 32768.",
)
@click.option(
    "--patience",
    default=120.0,
    show_default=True,
    type=click.FloatRange(1.0, 3600.0),
    help="Seconds for a server to start.",
)
@scenario_option(COLDSTART, *SCENARIOS, default="all that the model is for")
@vocab_option
@timeout_option
@with_settings
def start(
    settings: Settings,
    model: Path,
    peer: Path | None,
    others: list[Command],
    variants: list[Command],
    own: Command,
    alone: bool,
    context: int | None,
    patience: float,
    scenarios: tuple[str, ...],
    vocab: int,
    timeout: float,
) -> int:
    """Starts our server and its peers on free ports, measures them in turns, and stops them.

    Ours has the defaults that a user gets, but for --options. Memory is measured too. Only one
    server at a time has work; with --alone only one runs, since a loaded model takes memory even
    when it is idle.

    \b
    python -m benchmarks start qwen.gguf --with-llama-server path/to/llama-server \\
        --with-command calm='mullama serve --model {model} --port {port} --threads 1'
    """
    from mullama.models.gguf import read_info

    info = read_info(model)
    names = _names_for(info, scenarios)
    embeds = info.kind is ModelKind.EMBED
    peers = [] if peer is None else [llama_server(peer.absolute(), embeds=embeds)]
    commands = _distinct([own, *peers, *variants, *others])
    timed = tuple(name for name in names if name != COLDSTART)
    plan = settings.plan(timed, min(vocab, info.n_vocab or vocab))
    starting = Starting(model.absolute(), context or _own_context(info), patience, timeout, SETTLE)
    known = facts("start", plan) | {
        "model": info.description,
        "context": starting.n_ctx,
        "alone": alone,
        "commands": {command.name: command.words for command in commands},
    }
    results = Results([command.name for command in commands])
    if COLDSTART in names:
        cold_starts(commands, starting, plan, results, tell)
    if timed:
        (measure_alone if alone else measure_together)(commands, starting, plan, results, tell)
    return settings.deliver(results, known)


def _names_for(info: ModelInfo, scenarios: tuple[str, ...]) -> tuple[str, ...]:
    """The scenarios asked for, or all that fit the model. Raises UsageError for a misfit."""
    embeds = info.kind is ModelKind.EMBED
    if not scenarios:
        return EMBEDDINGS if embeds else (COLDSTART, *COMPLETIONS)
    misfits = [name for name in scenarios if embeds and name not in EMBEDDINGS]
    if misfits:
        raise click.UsageError(f"This model only embeds, so there can be no {', '.join(misfits)}.")
    return scenarios


def _distinct(commands: list[Command]) -> list[Command]:
    names = [command.name for command in commands]
    if len(set(names)) < len(names):
        raise click.UsageError(f"Servers need different names; these are {', '.join(names)}.")
    return commands


def _own_context(info: ModelInfo) -> int:
    """A model that embeds has a limit for each input, not for all of them."""
    if info.kind is ModelKind.EMBED:
        return MOST_CELLS
    return min(info.n_ctx_train or MOST_CELLS, MOST_CELLS)
