"""A folder belongs to the recipe that began it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import recipes.tiny
from recipes.tiny.__main__ import claim, fingerprint


def test_a_folder_goes_on_with_its_own_recipe_only(tmp_path: Path) -> None:
    claim(tmp_path / "run", "one")
    claim(tmp_path / "run", "one")
    with pytest.raises(SystemExit, match="another version"):
        claim(tmp_path / "run", "two")


def test_a_recipe_is_another_when_what_it_makes_may_be(tmp_path: Path) -> None:
    copy = tmp_path / "tiny"
    shutil.copytree(Path(recipes.tiny.__file__).parent, copy)
    before = fingerprint(copy)
    (copy / "README.md").write_text("new")
    (copy / "evaluate.py").write_text("new")
    assert fingerprint(copy) == before
    with (copy / "skills" / "tools" / "results.py").open("a") as file:
        file.write("# new")
    assert fingerprint(copy) != before
