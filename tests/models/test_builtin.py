"""The built-in model: where it lies, by what name it goes, and that the package brings it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mullama.errors import ModelError
from mullama.models import builtin
from mullama.models.builtin import NAME, builtin_path, located
from mullama.models.header import read_header

ROOT = Path(__file__).parents[2]


def test_its_name_is_its_path(tiny_model: Path) -> None:
    assert located(NAME) == builtin_path() == tiny_model


@pytest.mark.parametrize("given", [f"./{NAME}", Path(NAME), f"{NAME}.gguf", "a.gguf"])
def test_any_other_path_is_itself(given: str | Path) -> None:
    assert located(given) == Path(given)


def test_a_package_without_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(builtin, "files", lambda _: tmp_path)
    with pytest.raises(ModelError, match=r"missing: there is no .*mullama-tiny\.gguf"):
        located(NAME)


def test_it_lies_in_the_folder_that_the_wheel_is_made_of(tiny_model: Path) -> None:
    """And hatchling takes whatever is there, unless git ignores it."""
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert built["targets"]["wheel"] == {"packages": ["src/mullama"]}
    assert tiny_model.is_relative_to(ROOT / "src" / "mullama")
    assert not any("gguf" in line for line in (ROOT / ".gitignore").read_text().splitlines())


def test_it_is_small(tiny_model: Path) -> None:
    assert tiny_model.stat().st_size <= 8_000_000


def test_its_header_is_its_card(tiny_model: Path) -> None:
    header = read_header(tiny_model)
    assert header.text("general.name") == NAME
    assert header.text("general.version")
    assert header.text("general.license") == "MIT"
    assert "demo" in (header.text("general.description") or "")
