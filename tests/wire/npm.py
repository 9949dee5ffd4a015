"""npm packages against a live server: scripts of node/, run by Node.js beside what they import.

The packages are installed once, into pytest's cache, at the versions and hashes of node/'s lock.
Where Node.js or npm is missing the test is skipped; where packages can't be fetched it is skipped
on a developer's machine, and fails on CI. A script writes a line of JSON for each fact that it
found: its name and value.
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

HERE = Path(__file__).parent / "node"
LOCKED = ("package.json", "package-lock.json")
LOWEST_NODE = 20


def facts(config: pytest.Config, script: str, *arguments: str) -> dict[str, Any]:
    """What a script of node/ has to tell, by name. Fails with its words if it fails."""
    node = _node()
    folder = _installed(config)
    shutil.copy(HERE / script, folder)
    command = [node, str(folder / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines())


def _node() -> str:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        pytest.skip("Node.js with npm is not installed")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    if int(version.stdout[1:].split(".")[0]) < LOWEST_NODE:
        pytest.skip(f"Node.js {version.stdout.strip()} is too old; {LOWEST_NODE} is needed")
    return node


def _installed(config: pytest.Config) -> Path:
    """The folder with node_modules, a new one for each lock."""
    key = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in LOCKED)).hexdigest()
    assert config.cache is not None
    folder = config.cache.mkdir(f"wire-node-{key[:16]}")
    if not (folder / "node_modules" / ".package-lock.json").exists():
        for name in LOCKED:
            shutil.copy(HERE / name, folder)
        _install(folder)
    return folder


def _install(folder: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode == 0:
        return
    reason = f"npm could not install the packages: {done.stderr.strip()[-500:]}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
