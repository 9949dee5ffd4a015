"""`mullama serve` and `mullama api`: the same server, for many models and for one file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from mullama.cli.models import (
    chosen_model,
    configured_models,
    demo_line,
    named_models,
    served_models,
)
from mullama.cli.options import config_file, config_options, over
from mullama.config import ModelOptions, ServedModel, ServerOptions
from mullama.models.builtin import NAME

if TYPE_CHECKING:
    from mullama.config.file import Configuration


@click.command(short_help="Serve models over HTTP.")
@click.argument("files", nargs=-1, metavar="[[NAME=]PATH]...")
@click.option(
    "-m",
    "--model",
    "models",
    multiple=True,
    metavar="[NAME=]PATH",
    help="A GGUF file to serve, and its name (default: the file's); mullama-tiny is the built-in "
    "model. Repeat it for more models; the first is the default model.",
)
@config_file
@config_options(ServerOptions, ModelOptions)
def serve(
    options: ServerOptions,
    model_options: ModelOptions,
    files: tuple[str, ...],
    models: tuple[str, ...],
    config: Configuration | None,
) -> None:
    """Serves GGUF models to OpenAI clients, curl and browsers.

    Files may be given with or without --model; those without come first, and after all of them
    those of --config. Without any, the built-in model is served, mullama-tiny: a demo.

    The first Ctrl-C (or SIGTERM) lets running answers finish, up to --shutdown-timeout; a second
    one ends them.

    \b
    mullama serve --model chat=chat.gguf --model embed=minilm.gguf --port 8080
    mullama serve --config mullama.toml
    """
    named = named_models((*files, *models))
    if config is None:
        served = served_models(named, model_options)
    else:
        served = configured_models(named, config)
        options, model_options = over(config.server), over(config.shared)
    _serve(served, options, model_options, "serve")


@click.command(short_help="Serve one GGUF file over HTTP.")
@click.argument("model", required=False, metavar="[MODEL.gguf]")
@click.option("-m", "--model", "other", metavar="PATH", help="The GGUF file, given by a flag.")
@config_file
@config_options(ServerOptions, ModelOptions)
def api(
    options: ServerOptions,
    model_options: ModelOptions,
    model: str | None,
    other: str | None,
    config: Configuration | None,
) -> None:
    """Serves one GGUF file: one file, one command. Without one, the built-in mullama-tiny: a demo.

    With --config, MODEL may be the name of a model in it; without MODEL, its first one is served.
    Note that -h is the host here; help is --help.

    \b
    mullama api model.gguf -h 0.0.0.0 -p 3000 -ngl 35
    """
    given = tuple(one for one in (model, other) if one is not None)
    if len(given) > 1:
        raise click.UsageError("Give one GGUF file: mullama api path/to.gguf")
    if config is None:
        served = served_models(named_models(given), model_options)
    else:
        served = chosen_model(given[0] if given else None, config)
        options, model_options = over(config.server), over(config.shared)
    _serve(served, options, model_options, "api")


def _serve(
    models: Mapping[str, ServedModel],
    options: ServerOptions,
    model_options: ModelOptions,
    command: str,
) -> None:
    served = models or served_models(named_models((NAME,)), model_options)

    from mullama.api import server
    from mullama.api.sockets import bind, is_open, url
    from mullama.cli.output import Progress, log_to
    from mullama.cli.watch import Watch

    progress = Progress()
    log_to(progress, options.log_level)
    sockets = bind(options.host, options.port)
    try:
        if not models:
            progress.line(demo_line(command))
        watch = Watch(url(sockets), progress, is_open=is_open(sockets))
        server.run(served, options, sockets, watch)
    finally:
        progress.clear()
