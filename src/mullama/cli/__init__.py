"""The command line: `mullama serve`, `mullama api`, `mullama run`.

One file a command. A command imports what is heavy when it runs, so that `--help` is instant.
An error is one line on stderr; what it was in detail shows with `--log-level debug`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import click

from mullama import __version__
from mullama.cli.exits import FAILED, INTERRUPTED
from mullama.cli.run import run
from mullama.cli.serve import api, serve
from mullama.errors import MullamaError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mullama")
def mullama() -> None:
    """Serves GGUF language models on your own machine."""


for command in (serve, api, run):
    mullama.add_command(command)


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    try:
        return mullama.main(args, prog_name="mullama", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message().rstrip('.')}.{_where_to_look(error)}", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except MullamaError as error:
        return _failed(error.message)
    except OSError as error:  # the system's word: a full disk, no more files
        return _failed(str(error))
    except Exception as error:
        return _failed(f"{type(error).__name__}: {error}", "this is a defect of mullama")


def _where_to_look(error: click.ClickException) -> str:
    """The command whose help has what is right."""
    command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else None
    return f" See {command} --help." if command else ""


def _failed(message: str, hint: str = "") -> int:
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        logging.exception("the command failed")
    elif hint:
        message += f" ({hint}; --log-level debug shows where)"
    click.echo(f"Error: {message}", err=True)
    return FAILED
