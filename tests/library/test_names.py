"""The package's public names, and what looking at them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mullama


def test_every_public_name_is_there() -> None:
    for name in mullama.__all__:
        assert getattr(mullama, name) is not None
        assert name in dir(mullama)


def test_the_library_s_names_are_public() -> None:
    from mullama import library

    assert set(library.__all__) < set(mullama.__all__)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Modell'"):
        _ = mullama.Modell  # type: ignore[attr-defined]


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, mullama; mullama.SamplerParams; mullama.InvalidRequest; mullama.__version__;"
        "print([m for m in ('numpy', 'llama_cpp', 'jinja2', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
