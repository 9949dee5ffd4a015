"""Click options made from the option dataclasses of `mullama.config`.

Nothing is declared here: name, flag, short flag, environment variable, default and help all come
from the dataclass, so that a new option there is a new flag everywhere.

What a flag or a variable says wins over a configuration file: `over` tells those that were given
from defaults.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from mullama.config import flag, variable
from mullama.errors import InvalidRequest

if TYPE_CHECKING:
    from mullama.config.file import Configuration

Command = Callable[..., Any]
Options = TypeVar("Options", bound=Any)


def config_options(*kinds: type[Any]) -> Callable[[Command], Command]:
    """Gives a command a flag for each option, and calls it with an instance of each kind first."""

    def decorate(function: Command) -> Command:
        @functools.wraps(function)
        def with_options(**given: Any) -> Any:
            made = [_make(kind, given) for kind in kinds]
            return function(*made, **given)

        command: Command = with_options
        for kind in reversed(kinds):
            for item in reversed(fields(kind)):
                command = _click_option(item)(command)
        return command

    return decorate


def _click_option(item: Field[Any]) -> Callable[[Command], Command]:
    name = flag(item)
    is_switch = isinstance(item.default, bool)
    repeated: dict[str, Any] = {"multiple": True, "default": (), "callback": _joined}
    return click.option(
        f"{name}/{name.replace('--', '--no-', 1)}" if is_switch else name,
        *item.metadata["short"],
        item.name,
        **repeated if item.metadata["repeats"] else {"default": item.default},
        show_default=True,
        type=type(item.default),
        envvar=variable(item),
        show_envvar=True,
        help=item.metadata["help"],
    )


def _joined(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> str:
    return ",".join(texts)


def config_file(command: Command) -> Command:
    """Gives a command --config, and calls it with what the file says: `config`, None without."""
    return click.option(
        "-C",
        "--config",
        envvar="MULLAMA_CONFIG",
        show_envvar=True,
        type=click.Path(path_type=Path),
        callback=_read,
        help="A file of models and options, TOML or JSON, for what no flag and no variable says.",
    )(command)


def _read(_: click.Context, __: click.Parameter, path: Path | None) -> Configuration | None:
    if path is None:
        return None
    from mullama.config.file import read

    try:
        return read(path)
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error


def over(options: Options) -> Options:
    """These options, of a file, under what was given to the command that runs now.

    Raises BadParameter for a value that can't stand beside the file's.
    """
    context = click.get_current_context()
    unsaid = (ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)
    given = {
        item.name: context.params[item.name]
        for item in fields(options)
        if context.get_parameter_source(item.name) not in unsaid
    }
    with _naming_flags(type(options)):
        return replace(options, **given)


@contextmanager
def _naming_flags(kind: type[Any]) -> Iterator[None]:
    flags = {item.name: flag(item) for item in fields(kind)}
    try:
        yield
    except InvalidRequest as error:
        raise click.BadParameter(error.message, param_hint=flags.get(error.param or "")) from error


def _make(kind: type[Any], given: dict[str, Any]) -> Any:
    """The instance of `kind` whose values it takes out of `given`."""
    values = {item.name: given.pop(item.name) for item in fields(kind)}
    with _naming_flags(kind):
        return kind(**values)
