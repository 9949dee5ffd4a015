"""A server that answers as it was told, over real sockets; also a program that takes a port.

It streams as many tokens as are asked for, all of them " x", one a chunk. What requests it got, and
how many were there at once, can be read afterwards.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.address import Address

Body = dict[str, Any]


@dataclass
class Script:
    """What to answer. A `status` other than 200 refuses every POST.

    `early` takes so many tokens off each answer, all but the first at most.
    """

    status: int = 200
    message: str = "told to refuse"
    early: int = 0
    counters: Callable[[], dict[str, float]] | None = None
    before_token: Callable[[Body, int], object] = lambda body, number: None
    requests: list[Body] = field(default_factory=list)
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._n_now = 0

    @contextmanager
    def serving(self, body: Body) -> Iterator[None]:
        with self._lock:
            self.requests.append(body)
            self._n_now += 1
            self.most_at_once = max(self.most_at_once, self._n_now)
        try:
            yield
        finally:
            with self._lock:
                self._n_now -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    script: Script

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_GET(self) -> None:
        if self.path == "/health":
            last = self._json(200, {"status": "ok"})
        elif self.path == "/status" and self.script.counters is not None:
            model = {"is_default": True, "stats": self.script.counters()}
            last = self._json(200, {"models": [model]})
        else:
            last = self._json(404, {"error": "unknown"})
        self.wfile.write(last)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.script.serving(body):
            if self.script.status != 200:
                last = self._json(self.script.status, {"error": {"message": self.script.message}})
            elif self.path == "/v1/embeddings":
                last = self._json(200, {"data": [{"embedding": [0.0]} for _ in body["input"]]})
            else:
                last = self._stream(body)
        self.wfile.write(last)  # who has it may ask again at once

    def _stream(self, body: Body) -> bytes:
        """Send all of an answer but its last bytes."""
        n_tokens = max(1, body["max_tokens"] - self.script.early)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(n_tokens):
            self.script.before_token(body, number)
            self._event({"choices": [{"text": " x"}]})
        self._event({"choices": [], "usage": {"completion_tokens": n_tokens}})
        return _chunk(b"data: [DONE]\n\n") + _chunk(b"")

    def _event(self, event: Body) -> None:
        self.wfile.write(_chunk(b"data: " + json.dumps(event).encode() + b"\n\n"))

    def _json(self, status: int, body: Body) -> bytes:
        """Send an answer's head; its body is returned."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        return data


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no error; everything else is."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def make_server(script: Script, port: int = 0) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"script": script})
    return _Server(("127.0.0.1", port), handler)


@contextmanager
def scripted(script: Script | None = None) -> Iterator[tuple[Script, Address]]:
    """A server in a thread of its own, on a free port."""
    script = script or Script()
    with make_server(script) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield script, Address("127.0.0.1", server.server_port)
        finally:
            server.shutdown()
            thread.join()


if __name__ == "__main__":
    make_server(Script(), int(sys.argv[1])).serve_forever()
