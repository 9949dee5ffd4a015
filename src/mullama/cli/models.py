"""Model arguments: `path/to/model.gguf` or `name=path/to/model.gguf`. Looks at names only."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import click

_PART = re.compile(r"-\d{5}-of-\d{5}$")  # how llama.cpp names the files of a split model


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


def _split(argument: str) -> tuple[str, Path]:
    name, equals, path = argument.partition("=")
    if not equals or Path(argument).expanduser().exists():  # a path may contain "="
        path = argument
        name = default_name(Path(argument))
    if not name.isprintable() or not name.strip() or name == "default":
        raise click.UsageError(f"{name!r} can't be a model's name; give one as --model NAME=PATH.")
    if not path:
        raise click.UsageError(f"No path is given for {name!r}; the form is --model NAME=PATH.")
    return name, Path(path).expanduser()


def default_name(path: Path) -> str:
    """The file's name without `.gguf` and without the numbers of a split model's part."""
    return _PART.sub("", path.name.removesuffix(".gguf"))
