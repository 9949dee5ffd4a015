"""What `mullama serve` tells its user while models load: where it listens, and how to try it."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Sequence

from mullama import __version__
from mullama.cli.output import Progress
from mullama.errors import ModelError
from mullama.types import Backend, ModelInfo, ModelKind, ModelState, ModelStatus

_EVERY = 0.1  # seconds; often enough for a line that people watch


class Watch:
    """Follows the models of a backend until each is loaded, or has failed."""

    def __init__(self, url: str, progress: Progress, *, is_open: bool = False) -> None:
        """`is_open`: other machines may reach the server."""
        self._url = url
        self._progress = progress
        self._is_open = is_open

    async def __call__(self, backend: Backend) -> None:
        """Raises ModelError when not one model can be served."""
        self._progress.line(f"mullama {__version__} listens on {self._url}")
        if self._is_open:
            self._progress.line("  open to other machines, and no key is asked for: see --host")
        told: set[str] = set()
        while loading := self._tell(backend.models(), told):
            self._progress.update("loading " + ", ".join(loading))
            await asyncio.sleep(_EVERY)
        usable = [one for one in backend.models() if one.state is not ModelState.FAILED]
        if not usable:
            raise ModelError("No model could be loaded, so there is nothing to serve.")
        self._progress.line(how_to_try(self._url, usable[0]))

    def _tell(self, models: Sequence[ModelStatus], told: set[str]) -> list[str]:
        """Says once of each model what came of it; returns how far the others are.

        Raises ModelError for the only model there is.
        """
        if len(models) == 1 and models[0].state is ModelState.FAILED:
            raise ModelError(models[0].error or "The model could not be loaded.")
        loading = []
        for model in models:
            if model.state is ModelState.LOADING:
                loading.append(f"{model.name} {model.progress:.0%}")
            elif model.name not in told:
                told.add(model.name)
                self._progress.line(describe(model))
        return loading


def describe(model: ModelStatus) -> str:
    """One line: what this model is, or why it is not there."""
    match model.state:
        case ModelState.FAILED:
            return f"  {model.name}: failed: {model.error}"
        case ModelState.LOADED:
            return f"  {model.name}: ready ({facts(model)})"
        case _:
            return f"  {model.name}: loads when it is first asked for ({facts(model)})"


def facts(model: ModelStatus) -> str:
    info = model.info
    return (
        f"{info.architecture}, {human_count(info.n_params)} parameters, {info.quantization}, "
        f"{info.kind}, context {model.n_ctx}"
    )


def human_count(number: int) -> str:
    """7_615_616_512 is 7.6B."""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if number >= size:
            return f"{number / size:.1f}{letter}"
    return str(number)


def how_to_try(url: str, model: ModelStatus) -> str:
    """A command to paste, made for the model's kind; the default model needs no name."""
    path, body = example(model.info)
    if not model.is_default:
        body = {"model": model.name, **body}
    return (
        f"Try it: curl {url}/v1/{path} -H 'Content-Type: application/json' "
        f"-d {shlex.quote(json.dumps(body))}\n"
        f"OpenAI clients: base_url {url}/v1. All endpoints: {url}/docs. Ctrl-C stops."
    )


def example(info: ModelInfo) -> tuple[str, dict[str, object]]:
    """An endpoint and a body that suit a model."""
    if info.kind is not ModelKind.GENERATE:
        return "embeddings", {"input": "Hello, world"}
    if info.chat_template is None:
        return "completions", {"prompt": "Once upon a time", "max_tokens": 64}
    question = "What is the capital of France?"
    return "chat/completions", {"messages": [{"role": "user", "content": question}]}
