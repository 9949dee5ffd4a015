"""The command line: `mullama serve`, `mullama api`, `mullama run`, `mullama devices`.

One file a command. A command imports what is heavy when it runs, so that `--help` is instant.
An error is one line on stderr; what it was in detail shows with `--log-level debug`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import click

from mullama import __version__
from mullama.cli.devices import devices
from mullama.cli.exits import FAILED, INTERRUPTED
from mullama.cli.run import run
from mullama.cli.serve import api, serve
from mullama.errors import MullamaError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mullama")
def mullama() -> None:
    """Serves GGUF language models on your own machine."""


for command in (serve, api, run, devices):
    mullama.add_command(command)


def main(args: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code."""
    args = sys.argv[1:] if args is None else args
    try:
        return mullama.main(args, prog_name="mullama", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        click.echo(
            f"Error: {_sentence(error.format_message())}{_where_to_look(error, args)}", err=True
        )
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except MullamaError as error:
        return _failed(error.message)
    except OSError as error:  # the system's word: a full disk, no more files
        return _failed(str(error))
    except Exception as error:
        return _failed(f"{type(error).__name__}: {error}", "this is a defect of mullama")


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _where_to_look(error: click.ClickException, args: Sequence[str]) -> str:
    """The command whose help has what is right."""
    if not isinstance(error, click.UsageError):
        return ""
    if error.ctx is not None:
        return f" See {error.ctx.command_path} --help."
    # An option without its value does not say whose it is; -h is the host of a server.
    name = next((word for word in args if word in mullama.commands), "")
    return f" See {' '.join(['mullama', name]).strip()} --help."


def _failed(message: str, hint: str = "") -> int:
    if logging.getLogger().isEnabledFor(logging.DEBUG):
        logging.exception("the command failed")
    elif hint:
        message += f" ({hint}; --log-level debug shows where)"
    click.echo(f"Error: {message}", err=True)
    return FAILED
