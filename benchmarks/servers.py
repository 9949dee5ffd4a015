"""Servers that are started for the measurement and surely ended after it.

A `Command` is words with holes: {model}, {port}, {host} and {context} are filled in. Its process
gets a session of its own, so that whatever it starts can be ended with it; it is told to stop by
its process id, and whoever of its session is left after that is killed.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.address import Address
from benchmarks.answers import read_reply
from benchmarks.client import Client, run_async
from benchmarks.report import n_cpus
from benchmarks.rounds import Unusable

HOST = "127.0.0.1"
STOP_PATIENCE = 20.0  # seconds
_ASK_AGAIN = 0.05
_ASK_TIMEOUT = 5.0
_SHOWN = 10  # last lines of a server's log, where it fails
_READY = ("/health", "/v1/models")  # the second is asked where the first is unknown


class ServerFailed(Unusable):
    """A server could not be started, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Command:
    """How a server is started."""

    name: str
    words: tuple[str, ...]

    def at(self, model: Path, port: int, n_ctx: int) -> list[str]:
        """The command line, its holes filled."""
        fillings = {"model": model, "port": port, "host": HOST, "context": n_ctx}
        words = list(self.words)
        for hole, filling in fillings.items():
            words = [word.replace(f"{{{hole}}}", str(filling)) for word in words]
        return words


def ours(*options: str, name: str = "mullama") -> Command:
    """Our server with the defaults that a user gets, but for `options`."""
    words = ("serve", "--model", "{model}", "--host", "{host}", "--port", "{port}")
    return Command(name, (sys.executable, "-m", "mullama", *words, *options))


def llama_server(path: Path, *, embeds: bool) -> Command:
    """llama.cpp's server, with as many slots as ours has and one KV cache for all of them."""
    words = "-m {model} --host {host} --port {port} -c {context} -np 16 -kvu --alias default"
    extra = ["--embeddings"] if embeds else []
    return Command("llama-server", (str(path), *words.split(), "-t", str(n_cpus()), *extra))


def parse_command(text: str) -> Command:
    """`name=command line`. Raises ValueError."""
    name, equals, command = text.partition("=")
    words = tuple(shlex.split(command))
    if not equals or not name.strip() or not words:
        raise ValueError(f"{text!r} is no command; one is name='server {{model}} {{port}}'.")
    if not any("{port}" in word for word in words):
        raise ValueError(f"The command of {name!r} does not say where {{port}} goes.")
    return Command(name.strip(), words)


def parse_variant(text: str) -> Command:
    """`name=options`: our server with these. Raises ValueError."""
    name, equals, options = text.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"{text!r} is no variant; one is 'no drafts=--draft-model none'.")
    return ours(*shlex.split(options), name=name.strip())


class Server:
    """A started server. `spawned` is when, by `perf_counter`."""

    def __init__(self, command: Command, model: Path, n_ctx: int, log: IO[bytes]) -> None:
        self.name = command.name
        self.address = Address(HOST, free_port())
        self._log = log
        words = command.at(model, self.address.port, n_ctx)
        self.spawned = time.perf_counter()
        try:
            self._process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        except OSError as error:
            raise ServerFailed(f"{self.name} can't be started: {error}.") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def check_alive(self) -> None:
        """Raises ServerFailed, with the end of its log, if it has ended."""
        code = self._process.poll()
        if code is not None:
            raise ServerFailed(f"{self.name} ended with exit code {code}:\n{self.last_words()}")

    def wait_until_ready(self, patience: float) -> None:
        """Raises ServerFailed if it ends, or is not healthy after `patience` seconds."""
        deadline = time.monotonic() + patience
        client = Client(self.address, timeout=_ASK_TIMEOUT)
        while not _is_ready(client):
            self.check_alive()
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"{self.name} was not ready after {patience:g} s:\n{self.last_words()}"
                )
            time.sleep(_ASK_AGAIN)

    def last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-_SHOWN:]) or "    (it said nothing)"

    def stop(self) -> None:
        """Tell it to end, then kill what is left of its session."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_PATIENCE)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def running(command: Command, model: Path, n_ctx: int) -> Iterator[Server]:
    """A server that was just started, ready or not; it is stopped in any case."""
    with tempfile.TemporaryFile() as log:
        server = Server(command, model, n_ctx, log)
        try:
            yield server
        finally:
            server.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


def _is_ready(client: Client) -> bool:
    for path in _READY:
        status = read_reply(run_async(client.get(path))).status
        if status != 404:
            return status == 200
    return False
