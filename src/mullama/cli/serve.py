"""`mullama serve` and `mullama api`: the same server, for many models and for one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from mullama.cli.models import configured_models, demo_line, named_models, served_models
from mullama.cli.options import config_options, over
from mullama.config import ModelOptions, ServedModel, ServerOptions
from mullama.errors import InvalidRequest
from mullama.models.builtin import NAME


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
@click.option(
    "-C",
    "--config",
    envvar="MULLAMA_CONFIG",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="A file of models and options, TOML or JSON, for what no flag and no variable says.",
)
@config_options(ServerOptions, ModelOptions)
def serve(
    options: ServerOptions,
    model_options: ModelOptions,
    files: tuple[str, ...],
    models: tuple[str, ...],
    config: Path | None,
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
        options, model_options, served = _configured(config, named)
    _serve(served, options, model_options, "serve")


def _configured(
    path: Path, named: Mapping[str, Path]
) -> tuple[ServerOptions, ModelOptions, dict[str, ServedModel]]:
    """What a file says, under what the command line does. Raises UsageError."""
    from mullama.config.file import read

    try:
        file = read(path)
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    return over(file.server), over(file.shared), configured_models(named, file)


@click.command(short_help="Serve one GGUF file over HTTP.")
@click.argument("model", required=False, metavar="[MODEL.gguf]")
@click.option("-m", "--model", "other", metavar="PATH", help="The GGUF file, given by name.")
@config_options(ServerOptions, ModelOptions)
def api(
    options: ServerOptions, model_options: ModelOptions, model: str | None, other: str | None
) -> None:
    """Serves one GGUF file: one file, one command. Without one, the built-in mullama-tiny: a demo.

    Note that -h is the host here; help is --help.

    \b
    mullama api model.gguf -h 0.0.0.0 -p 3000 -ngl 35
    """
    given = tuple(one for one in (model, other) if one is not None)
    if len(given) > 1:
        raise click.UsageError("Give one GGUF file: mullama api path/to.gguf")
    _serve(served_models(named_models(given), model_options), options, model_options, "api")


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
