"""The worker's way out: messages to the server, without ever waiting for it.

A message is written to the socket at once, by the thread that has it. Only what the socket's buffer
has no room for is kept and written by a thread of its own, so a server that is slow, or stopped by
a debugger, never delays a step. What is kept is bounded by what the running requests may generate:
the queue admits no more of them than it has places, and each ends at its token limit.
"""

from __future__ import annotations

import socket
from collections import deque
from contextlib import suppress
from threading import Condition, Thread

from mullama.host import frames


class Outbox:
    """Sends from any thread; messages of one thread arrive in its order."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._backlog: deque[memoryview] = deque()
        self._changed = Condition()
        self._writer: Thread | None = None

    def send(self, message: frames.FromWorker) -> None:
        """Never blocks. Raises FrameError for a message that can't be sent, before any of it is."""
        frame = memoryview(frames.encode(message))
        with self._changed:
            if not self._backlog:
                frame = frame[self._write(frame) :]
            if frame:
                self._backlog.append(frame)
                self._wake_writer()

    def flush(self, timeout: float) -> bool:
        """Wait until everything is written; False if that takes more than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._backlog, timeout)

    def _write(self, frame: memoryview) -> int:
        """Write what fits; returns how many bytes did."""
        try:
            return self._sock.send(frame, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return 0
        except OSError:  # the server is gone, and whoever reads the socket finds that out too
            return len(frame)

    def _wake_writer(self) -> None:
        if self._writer is None:
            self._writer = Thread(target=self._write_backlog, name="outbox", daemon=True)
            self._writer.start()
        self._changed.notify_all()

    def _write_backlog(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._backlog)
                frame = self._backlog[0]  # it stays there, so that others queue up behind it
            with suppress(OSError):
                self._sock.sendall(frame)
            with self._changed:
                self._backlog.popleft()
                self._changed.notify_all()
