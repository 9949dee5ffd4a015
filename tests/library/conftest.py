"""The tiny model, loaded once, and a context on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mullama import Context, Model


@pytest.fixture(scope="session")
def model(tiny_model: Path) -> Iterator[Model]:
    with Model.load(tiny_model) as loaded:
        yield loaded


@pytest.fixture(scope="session")
def context(model: Model) -> Iterator[Context]:
    with Context(model, n_ctx=2048, n_batch=512) as made:
        yield made
