"""The official npm package `openai` against a live server, run by Node.js.

The package is installed once, into pytest's cache, at the version and hash of node/'s lock. Where
Node.js or npm is missing the test is skipped; where the package can't be fetched it is skipped on
a developer's machine, and fails on CI.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.wire.conftest import LiveServer

HERE = Path(__file__).parent / "node"
FILES = ("package.json", "package-lock.json", "openai.mjs")
LOWEST_NODE = 20


def _node() -> str:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        pytest.skip("Node.js with npm is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout[1:].split(".")[0]) < LOWEST_NODE:
        pytest.skip(f"Node.js {version.stdout.strip()} is too old; {LOWEST_NODE} is needed")
    return node


@pytest.fixture(scope="module")
def script(request: pytest.FixtureRequest) -> list[str]:
    """The command that runs the script, beside its installed package."""
    node = _node()
    key = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in FILES[:2])).hexdigest()
    assert request.config.cache is not None
    folder = request.config.cache.mkdir(f"wire-node-{key[:16]}")
    for name in FILES:
        shutil.copy(HERE / name, folder)
    if not (folder / "node_modules" / ".package-lock.json").exists():
        _install(folder)
    return [node, str(folder / "openai.mjs")]


def _install(folder: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode == 0:
        return
    reason = f"npm could not install the openai package: {done.stderr.strip()[-500:]}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def test_the_npm_package(script: list[str], live_server: LiveServer) -> None:
    command = [*script, live_server.url, live_server.chat, live_server.embed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = dict(json.loads(line) for line in done.stdout.splitlines())

    assert facts["whole"]["text"]
    assert facts["whole"]["id"]
    assert facts["streamed"]["text"] == facts["whole"]["text"]
    assert (
        facts["streamed"]["usage"]["completion_tokens"]
        == (facts["whole"]["usage"]["completion_tokens"])
    )
    assert facts["accumulated"]["text"] == facts["whole"]["text"]
    whole, streamed = facts["called"]
    assert {**streamed, "content": streamed["content"] or None} == whole
    if live_server.stage is None:  # a model, which calls
        assert whole["reason"] == "tool_calls"
        ((name, arguments),) = whole["calls"]
        assert (name, json.loads(arguments)) == ("get_weather", {"city": "Paris"})
        assert whole["named"]
    assert facts["completion"]["indexes"] == [0, 1]
    for encoded, numbers in zip(*facts["embeddings"].values(), strict=True):
        assert encoded == pytest.approx(numbers, abs=1e-6)
    assert {live_server.chat, live_server.embed} <= set(facts["models"])
    missing = {"kind": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"}
    assert facts["missing"] == missing
    assert facts["wrong"]["kind"] == "BadRequestError"
    assert facts["wrong"]["param"] == "messages"
    assert facts["aborted"] is True
