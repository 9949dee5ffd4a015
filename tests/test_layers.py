"""Imports point downwards only: the table is the architecture, and every module is held to it.

Every import counts, wherever it stands: at the top, inside a function, under TYPE_CHECKING. Only
the package's own `__init__` may name anything, as it does nothing but name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import mullama

ROOT = Path(mullama.__file__).parent


@dataclass(frozen=True)
class Layer:
    """What a layer may import of ours, and what of the world it must not know."""

    ours: frozenset[str]
    ignorant_of: frozenset[str] = frozenset()


def layer(ours: str, ignorant_of: str = "") -> Layer:
    return Layer(frozenset(ours.split()), frozenset(ignorant_of.split()))


# `host.wiring` is the one place where llama meets engine, so the library enters through it too.
WEB = "fastapi starlette uvicorn pydantic"
LAYERS = {
    "errors": layer("", f"{WEB} asyncio ctypes click"),
    "types": layer("errors", f"{WEB} asyncio ctypes click"),
    "config": layer("errors", f"{WEB} asyncio ctypes click"),
    "llama": layer("types errors config", f"{WEB} asyncio click"),
    "engine": layer("types errors config", f"{WEB} asyncio ctypes click socket subprocess"),
    "text": layer("types errors config", f"{WEB} ctypes click socket subprocess"),
    "models": layer("types errors config", f"{WEB} ctypes click"),
    "host": layer("types errors config llama engine text models", f"{WEB} click"),
    "library": layer(
        "types errors config llama engine text models host.wiring", f"{WEB} click socket subprocess"
    ),
    "api": layer("types errors config text models host", "ctypes click"),
    "cli": layer("types errors config llama engine text models host library api mullama"),
    "__main__": layer("cli"),
}
BINDINGS = "llama_cpp"  # only the llama layer knows them


def table() -> str:
    return "\n".join(
        f"{name:9} may import {', '.join(sorted(rule.ours)) or 'nothing of ours'}"
        + (f"; must not know {', '.join(sorted(rule.ignorant_of))}" if rule.ignorant_of else "")
        for name, rule in LAYERS.items()
    )


def imported(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything that a module of `package` imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: 1 - node.level or None] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            # `from mullama import errors` imports the module errors, as far as we care.
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def violations(path: Path, source: str) -> list[str]:
    """What the module at `path` (relative to the package) must not import, one line each."""
    name, rule = own_layer(path), LAYERS[own_layer(path)]
    package = ".".join(["mullama", *path.parts[:-1]])
    found = []
    for line, target in imported(source, package):
        words = target.split(".")
        if words[0] == "mullama":
            wrong = not allowed(words[1:], name, rule)
        else:
            wrong = words[0] in rule.ignorant_of or (words[0] == BINDINGS and name != "llama")
        if wrong:
            found.append(f"{path}:{line}: {name} must not import {target}")
    return found


def own_layer(path: Path) -> str:
    return path.parts[0] if len(path.parts) > 1 else path.stem


def allowed(words: list[str], name: str, rule: Layer) -> bool:
    """Whether `mullama.<words>` is in the layer itself or in one that it may import."""
    if words == ["__version__"]:
        return True
    if not words or words[0] not in LAYERS:  # the package's public names
        return "mullama" in rule.ours
    return words[0] in {name, *rule.ours} or ".".join(words[:2]) in rule.ours


MODULES = sorted(
    path.relative_to(ROOT) for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py"
)


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_downwards(path: Path) -> None:
    assert own_layer(path) in LAYERS, f"{path} is in no layer of the table:\n{table()}"
    found = violations(path, (ROOT / path).read_text())
    assert not found, "\n".join([*found, "", "The table:", table()])


def test_the_table_has_no_circle() -> None:
    done: set[str] = set()
    while len(done) < len(LAYERS):
        ready = {
            name
            for name, rule in LAYERS.items()
            if name not in done and {ours.split(".")[0] for ours in rule.ours} <= {*done, "mullama"}
        }
        assert ready, f"these layers import each other: {sorted(set(LAYERS) - done)}"
        done |= ready


@pytest.mark.parametrize(
    ("path", "source", "wrong"),
    [
        ("engine/scheduler.py", "import ctypes", True),
        ("engine/scheduler.py", "def f():\n    import asyncio", True),
        ("engine/scheduler.py", "from mullama.text.template import ChatTemplate", True),
        ("engine/scheduler.py", "from mullama.types import Plan", False),
        ("engine/scheduler.py", "from .cells import Cells", False),
        ("engine/scheduler.py", "from ..text import template", True),
        ("engine/scheduler.py", "from mullama import text", True),
        ("host/worker.py", "import llama_cpp.llama_cpp", True),
        ("llama/lib.py", "import llama_cpp.llama_cpp", False),
        ("library.py", "from mullama.host.wiring import wire", False),
        ("library.py", "from mullama.host.host import Host", True),
        ("api/openai/routes.py", "from mullama.llama.model import LlamaModel", True),
        ("types.py", "from mullama.config import ModelOptions", True),
        ("cli/run.py", "from mullama import Model", False),
        ("host/host.py", "from mullama import __version__", False),
        ("host/host.py", "from mullama import Model", True),
    ],
)
def test_a_wrong_import_is_found(path: str, source: str, wrong: bool) -> None:
    assert bool(violations(Path(path), source)) is wrong
