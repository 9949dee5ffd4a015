"""A worker's process as the server sees it: started, ended, and what its end means.

What the process writes to its standard streams (llama.cpp does, before it aborts) goes to the log,
and its last line into the explanation.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

log = logging.getLogger("mullama.worker")

_POLL = 0.005  # seconds; a process that is ending is gone within a few of them
_PIPE_PATIENCE = 0.5
_LONGEST_LINE = 8192  # bytes


class WorkerProcess:
    """One worker's process and our end of its socket. Started when created."""

    def __init__(self, name: str) -> None:
        """Raises OSError when the system has no process or file to give."""
        self.name = name
        self.sock, theirs = socket.socketpair()
        self._output, output = os.pipe()
        try:
            # Its own process group, so that Ctrl-C in a terminal reaches the server alone.
            # -P keeps modules of the working directory from being imported instead of ours.
            self._popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "mullama.host.worker", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
            )
        except OSError:
            self.sock.close()
            os.close(self._output)
            raise
        finally:
            theirs.close()
            os.close(output)
        self._last_words = _LastWords(name)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def kill(self) -> None:
        """End it now, whatever it does."""
        self._popen.kill()

    async def listen(self) -> None:
        """Begin to log what it writes."""
        pipe = os.fdopen(self._output, "rb", 0)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: self._last_words, pipe)

    async def ended(self, patience: float) -> str:
        """Wait until it is gone, and kill it after `patience` seconds; says how it ended."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while self._popen.poll() is None:
            if loop.time() > deadline:
                self._popen.kill()
            await asyncio.sleep(_POLL)
        with suppress(TimeoutError):  # a process that it started may still hold the pipe
            await asyncio.wait_for(self._last_words.closed.wait(), _PIPE_PATIENCE)
        return explain(self._popen.returncode, self._last_words.line)


def explain(code: int, last_line: str) -> str:
    """How a process ended, from its return code (negative: a signal) and the last that it wrote."""
    if code == -signal.SIGKILL:
        how = "was killed by signal 9 (possibly out of memory)"
    elif code < 0:
        how = f"was killed by signal {-code} ({signal.strsignal(-code) or 'unknown'})"
    else:
        how = f"ended with exit code {code}"
    return f"{how}: {last_line}" if last_line else how


class _LastWords(asyncio.Protocol):
    """Logs each line that the process writes, and keeps the last."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._held = b""
        self.line = ""
        self.closed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        *lines, self._held = (self._held + data).split(b"\n")
        if len(self._held) > _LONGEST_LINE:
            lines.append(self._held)
            self._held = b""
        for line in lines:
            self._say(line)

    def connection_lost(self, exc: Exception | None) -> None:
        self._say(self._held)
        self.closed.set()

    def _say(self, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace").strip()
        if text:
            self.line = text
            log.warning("[%s] %s", self._name, text)
