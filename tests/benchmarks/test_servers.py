"""Started servers: how they are told where to listen, how they end, what memory they have."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import coldstart, memory
from benchmarks.servers import (
    Command,
    ServerFailed,
    ours,
    parse_command,
    parse_variant,
    running,
)
from benchmarks.traffic import Load
from tests.benchmarks import scripted

PATIENCE = 60.0
MODEL = Path("a model.gguf")
SCRIPTED = Command("scripted", (sys.executable, scripted.__file__, "{port}"))

needs_proc = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs /proc")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scripted server, run as a program, finds what it imports."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def test_a_command_s_holes_are_filled_word_by_word() -> None:
    command = parse_command("""mine=server -m {model} --at={host}:{port} -c {context} '{"a": 1}'""")
    assert command.name == "mine"
    assert command.at(MODEL, 81, 99) == [
        *("server", "-m", "a model.gguf", "--at=127.0.0.1:81", "-c", "99", '{"a": 1}')
    ]


@pytest.mark.parametrize("text", ["server {port}", "=server {port}", "x=", "x=server", "x='{port}"])
def test_a_command_without_name_words_or_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        parse_command(text)


def test_a_variant_is_our_server_with_other_options() -> None:
    command = parse_variant("calm=--threads 1 --context-size {context}")
    assert command.name == "calm"
    assert command.words == (*ours().words, "--threads", "1", "--context-size", "{context}")


@pytest.mark.parametrize("text", ["--threads 1", "=--threads 1", "x='"])
def test_a_variant_without_name_or_with_half_a_word_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has its own words
        parse_variant(text)


def test_a_server_is_ready_when_it_is_healthy_and_gone_afterwards() -> None:
    with running(SCRIPTED, MODEL, 1) as server:
        server.wait_until_ready(PATIENCE)
        address = (server.address.host, server.address.port)
        socket.create_connection(address).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_a_server_that_ends_has_last_words() -> None:
    command = Command("it", ("sh", "-c", "echo out of luck >&2; exit 3", "{port}"))
    with (
        running(command, MODEL, 1) as server,
        pytest.raises(ServerFailed, match=r"(?s)it ended with exit code 3.*out of luck"),
    ):
        server.wait_until_ready(PATIENCE)


def test_a_server_that_is_never_ready_is_given_up() -> None:
    with (
        running(Command("it", ("sleep", "60")), MODEL, 1) as server,
        pytest.raises(ServerFailed, match=r"not ready after 0\.1 s"),
    ):
        server.wait_until_ready(0.1)


def test_a_program_that_is_not_there_is_told() -> None:
    with (
        pytest.raises(ServerFailed, match="it can't be started"),
        running(Command("it", ("/nowhere/server",)), MODEL, 1),
    ):
        pass


@needs_proc
def test_what_a_server_started_ends_with_it() -> None:
    with running(Command("it", ("sh", "-c", "sleep 60 & wait")), MODEL, 1) as server:
        deadline = time.monotonic() + PATIENCE
        while len(memory.tree(server.pid)) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        _, child = memory.tree(server.pid)
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_cold_start_is_from_the_process_to_the_first_token() -> None:
    outcome = coldstart.measure(SCRIPTED, MODEL, 1, Load("0", 4000), PATIENCE)
    assert 0 < outcome.figures["first_token_s"] < PATIENCE


def test_a_cold_start_that_fails_is_told() -> None:
    command = Command("it", ("sh", "-c", "exit 4"))
    with pytest.raises(ServerFailed, match="it ended with exit code 4"):
        coldstart.measure(command, MODEL, 1, Load("0", 4000), PATIENCE)


@needs_proc
def test_a_tree_is_a_process_and_its_descendants() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        try:
            assert memory.tree(child.pid) == [child.pid]
            assert {os.getpid(), child.pid} <= set(memory.tree(os.getpid()))
            alone, whole = memory.of_process(os.getpid()), memory.of_tree(os.getpid())
            assert alone.rss < whole.rss
            assert 0 < alone.anonymous <= alone.pss <= alone.rss
        finally:
            child.kill()
    assert memory.figures(child.pid) == {}


@needs_proc
def test_the_listener_on_a_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert memory.listener(port) == os.getpid()
    assert memory.listener(port) is None
