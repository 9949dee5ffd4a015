"""Which models are served: `path/to/model.gguf`, `name=path/to/model.gguf`, the built-in model's
name, and those of a configuration file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mullama.cli.options import over
from mullama.config import ModelOptions, ServedModel
from mullama.models.builtin import NAME, located

if TYPE_CHECKING:
    from mullama.config.file import Configuration

_PART = re.compile(r"-\d{5}-of-\d{5}$")  # how llama.cpp names the files of a split model
_WORD = re.compile(r"[\w.~:@/\\-]+", re.ASCII)  # what a model may be called


def named_models(arguments: Iterable[str]) -> dict[str, Path]:
    """Models by name, in the order given. Raises UsageError for a bad name or one given twice."""
    models: dict[str, Path] = {}
    for argument in arguments:
        name, path = _split(argument)
        if name in models:
            raise click.UsageError(
                f"Two models are called {name!r}; name one with --model NAME={path}."
            )
        models[name] = path
    return models


def served_models(named: Mapping[str, Path], options: ModelOptions) -> dict[str, ServedModel]:
    """The models of a command line, all with the same options."""
    return {name: ServedModel(path, options) for name, path in named.items()}


def configured_models(named: Mapping[str, Path], file: Configuration) -> dict[str, ServedModel]:
    """The models of a command line, and then those of a file.

    One that both name has the command line's path and the file's options. Raises UsageError for a
    bad name or one given twice.
    """
    configured: dict[str, ServedModel] = {}
    for model in file.models:
        path = located(model.path)
        path = file.folder / path.expanduser()  # itself where it is absolute
        name = default_name(path) if model.name is None else model.name
        _check_name(name)
        if name in configured:
            raise click.UsageError(f"The configuration has two models that are called {name!r}.")
        configured[name] = ServedModel(path, over(model.options))
    first = {
        name: ServedModel(
            path, configured[name].options if name in configured else over(file.shared)
        )
        for name, path in named.items()
    }
    return first | {name: model for name, model in configured.items() if name not in first}


def chosen_model(argument: str | None, file: Configuration) -> dict[str, ServedModel]:
    """The model that a command for one takes: a file's by its name, or else one at a path.

    Without an argument it is the file's first one; empty where that has none.
    """
    models = configured_models({}, file)
    if argument in models:
        return {argument: models[argument]}
    if argument is not None:
        models = configured_models(named_models((argument,)), file)
    return dict(islice(models.items(), 1))


def _check_name(name: str) -> None:
    if not name.isprintable() or not name.strip() or name == "default":
        raise click.UsageError(f"{name!r} can't be a model's name; give one as --model NAME=PATH.")


def _split(argument: str) -> tuple[str, Path]:
    name, equals, path = argument.partition("=")
    if not equals or Path(argument).expanduser().exists():  # a path may contain "="
        path = argument
        name = default_name(Path(argument))
    _check_name(name)
    if not path:
        raise click.UsageError(f"No path is given for {name!r}; the form is --model NAME=PATH.")
    return name, located(path).expanduser()


def default_name(path: Path) -> str:
    """The file's name without `.gguf` and without the numbers of a split model's part."""
    return _PART.sub("", path.name.removesuffix(".gguf"))


def model_and_prompt(
    model: str | None, prompt: str | None, names: Collection[str] = ()
) -> tuple[str | None, str | None]:
    """What `mullama run` is given: one argument alone may be either.

    It is a model if there is such a file, if it is one of `names`, or if it could be a file's name:
    a word without spaces, or anything that ends in `.gguf`. Raises UsageError for a word that is no
    file: it may be meant as a prompt, and is not guessed at.
    """
    if model is None or prompt is not None or model == NAME or model.endswith(".gguf"):
        return model, prompt
    if model in names:
        return model, None
    if os.path.exists(os.path.expanduser(model)):  # also for texts too long to be a path
        return model, None
    if _WORD.fullmatch(model):
        raise click.UsageError(
            f"There is no file {model!r}. If it is a prompt, name the model, too: "
            f"mullama run {next(iter(names), NAME)} {model}"
        )
    return None, model


def demo_line(command: str) -> str:
    """What is said when no model was given."""
    return (
        f"No model is given, so this is {NAME}, a demo that knows little. "
        f"With a real one: mullama {command} path/to/model.gguf"
    )
