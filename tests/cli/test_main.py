"""The command line as a program: help without heavy imports, one line an error, exit codes."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

import mullama
from mullama.cli import main
from mullama.cli import mullama as group
from mullama.errors import ModelError

HEAVY = ["fastapi", "pydantic", "uvicorn", "llama_cpp", "numpy", "jinja2", "rich", "msgspec"]


@pytest.mark.parametrize(
    "args",
    [
        ["--help"],
        ["--version"],
        ["serve", "--help"],
        ["api", "--help"],
        ["run", "--help"],
        ["devices", "--help"],
    ],
)
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    code = f"""
import sys
from mullama.cli import main
assert main({args}) == 0
print([name for name in {HEAVY} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stdout + done.stderr


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"mullama, version {mullama.__version__}\n"


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mullama", "--version"], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, f"mullama, version {mullama.__version__}\n")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["serve", "--model", "a.gguf", "--nonsense"], "No such option"),
        (["api", "a.gguf", "-m", "b.gguf"], "Give one GGUF file"),
        (["api", "a.gguf", "b.gguf"], "unexpected extra argument"),
        (["api", "-h"], "See mullama api --help"),
        (["serv"], "Did you mean 'serve'? See"),
        (["serve", "a.gguf", "--cache-type-v", "q9"], "q8_0"),
        (["run", "Hello"], "mullama run mullama-tiny Hello"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_right(
    args: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: ")
    assert words in line
    assert line.endswith(" --help.")


@pytest.fixture
def failing() -> Iterator[list[BaseException]]:
    """A command `fail` that raises what the list holds."""
    errors: list[BaseException] = []

    @click.command()
    def fail() -> None:
        raise errors.pop()

    group.add_command(fail)
    yield errors
    del group.commands["fail"]


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ModelError("The file is broken."), 1, "Error: The file is broken."),
        (KeyError("x"), 1, "Error: KeyError: 'x' (this is a defect of mullama; --log-level debug"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_one_line(
    failing: list[BaseException],
    error: BaseException,
    code: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing.append(error)
    assert main(["fail"]) == code
    shown = capsys.readouterr().err.strip()
    assert shown.startswith(line)
    assert "\n" not in shown


def test_debug_shows_where_an_error_came_from(
    failing: list[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    failing.append(ModelError("The file is broken."))
    with caplog.at_level(logging.DEBUG):
        assert main(["fail"]) == 1
    assert caplog.records[0].exc_info is not None
