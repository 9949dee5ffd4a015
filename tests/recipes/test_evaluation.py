"""The evaluation that lies in the repository is one of the model in the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import recipes.tiny
from recipes.tiny.evaluate import identity
from recipes.tiny.skills import FAMILIES


@pytest.fixture(scope="module")
def evaluation() -> dict[str, Any]:
    path = Path(recipes.tiny.__file__).with_name("evaluation.json")
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_the_model_in_the_package_is_the_one_that_was_evaluated(
    evaluation: dict[str, Any], tiny_model: Path
) -> None:
    assert evaluation["model"] == identity(tiny_model)


def test_every_family_was_asked_greedily(evaluation: dict[str, Any]) -> None:
    assert evaluation["temperature"] == 0
    assert evaluation["families"].keys() == {*FAMILIES, "unfamiliar"}
    for name, of in evaluation["families"].items():
        assert of["n"] >= (60 if name == "unfamiliar" else 200), name
