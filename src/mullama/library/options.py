"""Arguments of contexts become `ModelOptions`, and errors have the arguments' names.

A context decides how rows are computed; where the weights lie, and what the file says, was decided
when the model was loaded. What comes too late is refused: it would change nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from mullama.config import ModelOptions
from mullama.errors import InvalidRequest

# Options whose arguments have other names.
_ARGUMENTS = {"context_size": "n_ctx", "batch_size": "n_batch", "threads": "n_threads"}

# What is decided when a model is loaded -> what `Model.load` calls it.
_OF_MODELS = {
    "gpu_layers": "n_gpu_layers",
    "mmap": "use_mmap",
    "mlock": "use_mlock",
    "device": "device",
    "main_gpu": "main_gpu",
    "split_mode": "split_mode",
    "tensor_split": "tensor_split",
    "override_tensor": "override_tensor",
    "cpu_moe": "cpu_moe",
    "n_cpu_moe": "n_cpu_moe",
    "chat_template": "chat_template",
    "response_schema": "response_schema",
}
_TOO_LATE = {**_OF_MODELS, **{name: name for name in _OF_MODELS.values()}}

# Options that a `Context` takes by their own names.
BY_KEYWORD = tuple(
    item.name for item in fields(ModelOptions) if item.name not in {*_ARGUMENTS, *_OF_MODELS}
)


def check_keywords(given: Mapping[str, Any]) -> None:
    """Raises InvalidRequest for a name that is no option of a context's, saying whose it is."""
    for name in given:
        if name in _TOO_LATE:
            raise InvalidRequest(
                f"{name} is decided when a model is loaded: Model.load(…, {_TOO_LATE[name]}=…).",
                param=name,
            )
        if name in _ARGUMENTS:
            raise InvalidRequest(f"{name} is called {_ARGUMENTS[name]} here.", param=name)
        if name not in BY_KEYWORD:
            raise InvalidRequest(
                f"There is no option {name!r}. There are {', '.join(sorted(BY_KEYWORD))}.",
                param=name,
            )


def made(given: Mapping[str, Any]) -> ModelOptions:
    """The options. Raises InvalidRequest in the words of the arguments."""
    try:
        return ModelOptions(**given)
    except InvalidRequest as error:
        ours = error.param or ""
        name = _ARGUMENTS.get(ours, ours)
        raise InvalidRequest(error.message.replace(ours, name, 1), param=name) from None
