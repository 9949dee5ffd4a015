"""Bad input on a real socket: every request gets an answer that says what to do, and the server
goes on.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.api.clients import CHAT, EMBED, HI, TEXT
from tests.api.fakes import FakeBackend
from tests.wire.conftest import FAKE, MAX_BODY_MB, REAL, LiveServer

JSON = {"content-type": "application/json"}
BIG = b" " * ((MAX_BODY_MB << 20) + 1)


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture(autouse=True)
def _still_serves(http: requests.Session, live_server: LiveServer) -> Iterator[None]:
    yield
    body = {"model": live_server.chat, "messages": HI, "max_tokens": 1}
    assert http.post(live_server.url + CHAT, json=body, timeout=30).status_code == 200


BAD_BODIES: list[tuple[str, Any, str | None]] = [
    (CHAT, {}, "messages"),
    (CHAT, {"messages": None}, "messages"),
    (CHAT, {"messages": "Hi"}, "messages"),
    (CHAT, {"messages": []}, "messages"),
    (CHAT, {"messages": [{}]}, "messages[0].role"),
    (CHAT, {"messages": [5]}, "messages[0]"),
    (CHAT, {"messages": [{"role": "user"}]}, "messages[0].content"),
    (CHAT, {"messages": HI, "temperature": "hot"}, "temperature"),
    (CHAT, {"messages": HI, "temperature": -1}, "temperature"),
    (CHAT, {"messages": HI, "temperature": 1e308}, "temperature"),
    (CHAT, {"messages": HI, "top_p": 2}, "top_p"),
    (CHAT, {"messages": HI, "max_tokens": -5}, "max_tokens"),
    (CHAT, {"messages": HI, "max_tokens": 10**30}, "max_tokens"),
    (CHAT, {"messages": HI, "n": 0}, "n"),
    (CHAT, {"messages": HI, "n": 10**9}, "n"),
    (CHAT, {"messages": HI, "top_k": 10**30}, "top_k"),
    (CHAT, {"messages": HI, "top_k": 2.5}, "top_k"),
    (CHAT, {"messages": HI, "seed": 1.5}, "seed"),
    (CHAT, {"messages": HI, "seed": True}, "seed"),
    (CHAT, {"messages": HI, "stop": "x" * 10_000}, "stop"),
    (CHAT, {"messages": HI, "logprobs": True, "top_logprobs": 1000}, "top_logprobs"),
    (CHAT, {"messages": HI, "logit_bias": {"x": 1}}, "logit_bias"),
    (CHAT, {"messages": HI, "stop": [["x"]]}, "stop"),
    (CHAT, {"messages": HI, "stream": "yes"}, "stream"),
    (CHAT, {"messages": HI, "tools": [{}]}, "tools[0].function"),
    (CHAT, {"messages": HI, "tools": [{"function": {"name": ""}}]}, "tools[0].function.name"),
    (CHAT, {"messages": HI, "tools": [{"type": "custom", "custom": {}}]}, "tools[0].type"),
    (CHAT, {"messages": HI, "functions": [{}]}, "functions[0].name"),
    (CHAT, {"messages": HI, "tool_choice": 5}, "tool_choice"),
    (CHAT, {"messages": HI, "reasoning_effort": "much"}, "reasoning_effort"),
    (CHAT, {"messages": HI, "reasoning_format": "raw"}, "reasoning_format"),
    (CHAT, {"messages": HI, "response_format": {"type": "xml"}}, "response_format.type"),
    (CHAT, {"messages": HI, "guided_choice": []}, "guided_choice"),
    (CHAT, {"messages": HI, "modalities": ["text", "audio"]}, "modalities"),
    (CHAT, {"messages": HI, "lora": [{"id": 0}]}, "lora"),
    (TEXT, {"prompt": "x", "n_probs": 3}, "n_probs"),
    (EMBED, {"input": "x", "input_type": "query"}, "input_type"),
    (TEXT, {}, "prompt"),
    (TEXT, {"prompt": {"a": 1}}, "prompt"),
    (TEXT, {"prompt": [1, "a"]}, "prompt[1]"),
    (TEXT, {"prompt": [-1]}, "prompt[0]"),
    (TEXT, {"prompt": [10**30]}, "prompt[0]"),
    (TEXT, {"prompt": [1, *["a"] * 100_000]}, "prompt[1]"),
    (TEXT, {"prompt": ["a"] * 100_000}, "prompt"),
    (TEXT, {"prompt": ["a"] * 5000}, "prompt"),
    (TEXT, {"prompt": "x", "best_of": 2, "stream": True}, "best_of"),
    (EMBED, {}, "input"),
    (EMBED, {"input": ""}, "input"),
    (EMBED, {"input": []}, "input"),
    (EMBED, {"input": [[]]}, "input[0]"),
    (EMBED, {"input": {"text": "x"}}, "input"),
    (EMBED, {"input": "x", "dimensions": -1}, "dimensions"),
    (EMBED, {"input": "x", "encoding_format": "hex"}, "encoding_format"),
]


@pytest.mark.parametrize(("path", "body", "param"), BAD_BODIES)
def test_a_wrong_field_is_named(
    http: requests.Session, live_server: LiveServer, path: str, body: Any, param: str
) -> None:
    response = http.post(live_server.url + path, json=body, timeout=30)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert param in error["message"]
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", [CHAT, TEXT, EMBED])
def test_an_unknown_model_is_not_found(
    http: requests.Session, live_server: LiveServer, path: str
) -> None:
    body = {"model": "nope", "messages": HI, "prompt": "x", "input": "x"}
    response = http.post(live_server.url + path, json=body, timeout=30)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert live_server.chat in response.json()["error"]["message"]


HUGE = 10**30
BEYOND_THE_MODEL: list[tuple[str, Any, str | None]] = [
    (CHAT, {"messages": [{"role": "user", "content": "word " * 9000}]}, "messages"),
    (CHAT, {"messages": HI, "chat_template_kwargs": {"messages": []}}, "chat_template_kwargs"),
    (CHAT, {"messages": HI, "chat_template_kwargs": {"a": HUGE}}, None),
    (CHAT, {"messages": [{"role": "user", "content": "x", "extra": HUGE}]}, None),
    (CHAT, {"messages": HI, "logit_bias": {"99999": 1}}, "logit_bias"),
    (CHAT, {"messages": HI, "stop_token_ids": [99999]}, "stop_token_ids"),
    (TEXT, {"prompt": [99999]}, "prompt"),
    (TEXT, {"prompt": [[1], [99999]]}, "prompt"),
    (TEXT, {"prompt": [7] * 9000, "stream": True}, "prompt"),
    (TEXT, {"prompt": "x", "suffix": "y"}, "suffix"),
    (EMBED, {"model": "embed", "input": ["fine", "word " * 9000]}, "input"),
    (EMBED, {"model": "embed", "input": "x", "dimensions": 99999}, "dimensions"),
    (EMBED, {"model": "embed", "input": [99999]}, "input"),
]


@REAL
@pytest.mark.parametrize(("path", "body", "param"), BEYOND_THE_MODEL)
def test_what_is_beyond_the_model_is_refused(
    http: requests.Session, live_server: LiveServer, path: str, body: Any, param: str | None
) -> None:
    response = http.post(live_server.url + path, json=body, timeout=30)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert (error["param"] or "").startswith(param or "")
    assert error["message"]


def test_an_embedding_model_writes_no_text(http: requests.Session, live_server: LiveServer) -> None:
    body = {"model": live_server.embed, "messages": HI, "prompt": "x"}
    for path in (CHAT, TEXT):
        response = http.post(live_server.url + path, json=body, timeout=30)
        assert response.status_code == 400
        assert response.json()["error"]["param"] == "model"


@pytest.mark.parametrize("body", [b"", b"{", b"hello", b"\x00\xff", b'{"a":NaN', b"[" * 10_000])
def test_what_is_not_json_is_refused(
    http: requests.Session, live_server: LiveServer, body: bytes
) -> None:
    response = http.post(live_server.url + CHAT, data=body, headers=JSON, timeout=30)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "not_json"


def test_a_wrong_content_type_is_refused(http: requests.Session, live_server: LiveServer) -> None:
    response = http.post(
        live_server.url + CHAT, data=b"{}", headers={"content-type": "text/plain"}, timeout=30
    )
    assert response.status_code == 415


def test_a_body_over_the_limit_is_refused_by_its_length(
    http: requests.Session, live_server: LiveServer
) -> None:
    response = http.post(live_server.url + CHAT, data=BIG, headers=JSON, timeout=30)
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "body_too_large"


def test_a_body_over_the_limit_is_refused_in_chunks_too(
    http: requests.Session, live_server: LiveServer
) -> None:
    pieces = (BIG[i : i + 65536] for i in range(0, len(BIG), 65536))
    response = http.post(live_server.url + CHAT, data=pieces, headers=JSON, timeout=30)
    assert response.status_code == 413


def test_paths_and_methods_that_are_not_there(
    http: requests.Session, live_server: LiveServer
) -> None:
    assert http.get(live_server.url + "/v2/nothing", timeout=30).status_code == 404
    wrong = http.get(live_server.url + CHAT, timeout=30)
    assert wrong.status_code == 405
    assert wrong.json()["error"]["code"] == "method_not_allowed"


# ------------------------------------------------------------------------------ clients that leave


def _head(path: str, length: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n"
        f"content-length: {length}\r\n\r\n"
    ).encode()


def _leave(live_server: LiveServer, data: bytes, after: int = 0) -> None:
    """Sends, reads so many bytes, and resets the connection."""
    with socket.create_connection(live_server.address, timeout=30) as sock:
        sock.sendall(data)
        if after:
            assert sock.recv(after)
        # Closing with zero linger sends RST: the rudest way to go.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_clients_may_leave_anywhere_in_a_request(live_server: LiveServer) -> None:
    body = json.dumps({"model": live_server.chat, "messages": HI, "stream": True}).encode()
    request = _head(CHAT, len(body)) + body
    for cut in range(0, len(request), 7):
        _leave(live_server, request[:cut])


@FAKE
def test_a_client_that_resets_its_stream_cancels_it(
    live_server: LiveServer, backend: FakeBackend
) -> None:
    backend.hold_at = 3
    body = json.dumps({"messages": HI, "stream": True}).encode()
    _leave(live_server, _head(CHAT, len(body)) + body, after=1)
    end = time.monotonic() + 10
    while backend.n_cancelled < 1:
        assert time.monotonic() < end, "it was not cancelled"
        time.sleep(0.01)
    assert backend.n_open == 0
