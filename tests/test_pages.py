"""The examples of all pages, against a server as the pages start it: each gets a good answer."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.processes import PATIENCE, Server, running
from tests.rank_models import write_bert

ROOT = Path(__file__).parents[1]
ADDRESS = "http://127.0.0.1:8080"
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STRICT_CURL = 'curl() { command curl -sS --fail-with-body --noproxy "*" "$@"; }\n'


def examples(language: str, word: str) -> Iterator[object]:
    """Every block of that language with this word in it."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        blocks = (text for kind, text in BLOCK.findall(page.read_text()) if kind == language)
        meant = [text for text in blocks if word in text]
        for number, text in enumerate(meant, 1):
            yield pytest.param(text, id=f"{page.name}-{number}")


@pytest.fixture(scope="module")
def server(
    tiny_model: Path, minilm_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """The models by the names that the pages give them."""
    ranker = write_bert(tmp_path_factory.mktemp("models") / "ranker.gguf")
    models = (f"tiny={tiny_model}", f"embed={minilm_model}", f"ranker={ranker}")
    with running("serve", *models, "--port", "0") as server:
        server.said("Ctrl-C stops")
        yield server


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
@pytest.mark.parametrize("text", list(examples("sh", "curl ")))
def test_every_curl_command_is_answered(server: Server, text: str) -> None:
    commands = re.sub("^(mullama|make) .*\n", "", text, flags=re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", STRICT_CURL + commands.replace(ADDRESS, server.url)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout


@pytest.mark.parametrize("text", list(examples("python", ADDRESS)))
def test_every_python_example_runs(
    server: Server, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(text.replace(ADDRESS, server.url), text, "exec"), {})
    assert capsys.readouterr().out.strip()
