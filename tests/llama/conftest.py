"""Models for the tests of this folder: one of random weights, loaded once, and contexts on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mullama.llama.context import ContextOptions
from mullama.llama.model import LlamaModel
from mullama.llama.runner import LlamaRunner
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from tests.gguf_models import write_model

MakeRunner = Callable[..., LlamaRunner]


@pytest.fixture(scope="session")
def random_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "random.gguf")


@pytest.fixture(scope="session")
def model(random_file: Path) -> Iterator[LlamaModel]:
    with LlamaModel.load(read_info(random_file)) as model:
        yield model


@pytest.fixture(scope="session")
def vocab(model: LlamaModel) -> LlamaVocab:
    return LlamaVocab(model)


@pytest.fixture(scope="session")
def encoder(minilm_model: Path) -> Iterator[LlamaModel]:
    with LlamaModel.load(read_info(minilm_model)) as model:
        yield model


@pytest.fixture
def make_runner(model: LlamaModel) -> Iterator[MakeRunner]:
    """`make_runner(n_ctx=…, …)`: a runner on the random model, closed with the test."""
    made: list[LlamaRunner] = []

    def make(**options: Any) -> LlamaRunner:
        chosen = {"n_ctx": 256, "n_lanes": 4, "n_threads": 1} | options
        made.append(LlamaRunner(model, ContextOptions(**chosen)))
        return made[-1]

    yield make
    for runner in made:
        runner.close()


@pytest.fixture
def runner(make_runner: MakeRunner) -> LlamaRunner:
    return make_runner()
