"""Servers as processes of their own, for tests: started, watched, and surely ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

PATIENCE = 60.0  # seconds until a test gives up; nothing should come near


class Server:
    """A running `mullama` and what it has said on stderr."""

    def __init__(self, *args: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mullama", *args],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def said(self, words: str) -> str:
        """The first line with `words` in it; waits for it."""
        wait(lambda: any(words in line for line in self.lines) or self.process.poll() is not None)
        found = [line for line in self.lines if words in line]
        assert found, f"never said {words!r}:\n" + "\n".join(self.lines)
        return found[0]

    @property
    def url(self) -> str:
        return self.said("listens on").split()[-1]

    def workers(self) -> list[int]:
        """Process ids of its children."""
        pid = self.process.pid
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def exit_code(self) -> int:
        """Waits until it has ended, and all that it said is read."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code


@contextmanager
def running(*args: str) -> Iterator[Server]:
    """A server that listens, on a free port."""
    server = Server(*args)
    try:
        yield server
    finally:
        server.process.kill()
        server.exit_code()
        assert server.process.stderr is not None
        server.process.stderr.close()


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z" and os.getpgid(pid) > 0
