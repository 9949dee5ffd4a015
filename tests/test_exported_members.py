"""The package's face: its public names, each importable, documented, and cheap to look at."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mullama

LIBRARY_PAGE = Path(__file__).parents[1] / "docs" / "library.md"


@pytest.mark.parametrize("name", mullama.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    member = getattr(mullama, name)
    if inspect.isclass(member) or inspect.isfunction(member):
        assert inspect.getdoc(member)
        assert member.__module__.startswith("mullama.")
    assert f"`{name}" in LIBRARY_PAGE.read_text(), f"docs/library.md does not know {name}"


MEMBERS = [
    f"{cls.__name__}.{name}"
    for cls in (mullama.Model, mullama.Context, mullama.EmbeddingGenerator, mullama.SamplerParams)
    for name in vars(cls)
    if not name.startswith("_")
]


@pytest.mark.parametrize("member", MEMBERS)
def test_a_public_member_is_documented(member: str) -> None:
    name = member.rpartition(".")[2]
    assert re.search(rf"\b{name}\b", LIBRARY_PAGE.read_text()), f"docs/library.md: no {member}"


def test_public_names_are_sorted_and_listed() -> None:
    assert list(mullama.__all__) == sorted(mullama.__all__)
    assert set(mullama.__all__) <= set(dir(mullama))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        mullama.no_such_name  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, mullama; "
        "print([n for n in ('numpy', 'llama_cpp', 'jinja2', 'fastapi') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
