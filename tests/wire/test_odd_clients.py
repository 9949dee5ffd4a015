"""What odd, old and careless clients send, on a real socket: all of it is answered."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.api.clients import CHAT, HI, TEXT
from tests.wire.conftest import REAL, LiveServer

ORIGIN = {"origin": "https://a.example"}


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def asked(server: LiveServer, **fields: Any) -> dict[str, Any]:
    return {"model": server.chat, "messages": HI, "max_tokens": 1, **fields}


@pytest.mark.parametrize(
    "path", ["/chat/completions", "/v1/v1/chat/completions", CHAT + "/", "//v1/chat/completions"]
)
def test_a_wrong_base_url_works(http: requests.Session, live_server: LiveServer, path: str) -> None:
    response = http.post(live_server.url + path, json=asked(live_server), timeout=30)
    assert response.status_code == 200
    assert response.json()["object"] == "chat.completion"


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer sk-something"},
        {"authorization": "Basic dTpw"},
        {"authorization": "Bearer"},
        {"authorization": ""},
        {"openai-beta": "assistants=v2", "openai-organization": "o", "openai-project": "p"},
        {"x-stainless-lang": "js", "x-stainless-retry-count": "0", "http-referer": "http://a"},
        {"accept": "text/event-stream", "accept-encoding": "br, zstd"},
        {"content-type": "application/json; charset=utf-8; x=y"},
        {"cookie": "a=b; c", "te": "trailers", "forwarded": "for=1.2.3.4"},
    ],
    ids=lambda headers: " ".join(headers),
)
def test_headers_that_are_no_concern_of_ours(
    http: requests.Session, live_server: LiveServer, headers: dict[str, str]
) -> None:
    body = json.dumps(asked(live_server))
    headers = {"content-type": "application/json", **headers}
    response = http.post(live_server.url + CHAT, data=body, headers=headers, timeout=30)
    assert response.status_code == 200


def test_a_body_is_asked_for_where_the_client_waits_for_that(live_server: LiveServer) -> None:
    """curl sends no large body before it has read "100 Continue"."""
    body = json.dumps(asked(live_server)).encode()
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: here\r\ncontent-type: application/json\r\n"
        f"expect: 100-continue\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(live_server.address, timeout=30) as sock:
        sock.sendall(head.encode())
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        sock.sendall(body)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_browser_may_send_any_header_to_a_private_address(
    http: requests.Session, live_server: LiveServer
) -> None:
    preflight = {
        **ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization, x-stainless-os, x-whatever",
        "access-control-request-private-network": "true",
    }
    response = http.options(live_server.url + CHAT, headers=preflight, timeout=30)
    assert response.status_code == 200
    allowed = response.headers["access-control-allow-headers"]
    assert {"authorization", "x-stainless-os", "x-whatever"} <= set(allowed.split(", "))
    assert response.headers["access-control-allow-private-network"] == "true"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


def test_a_browser_may_read_what_the_headers_say(
    http: requests.Session, live_server: LiveServer
) -> None:
    response = http.post(live_server.url + CHAT, json=asked(live_server), headers=ORIGIN, timeout=9)
    exposed = response.headers["access-control-expose-headers"].split(", ")
    assert {"x-request-id", "x-mullama-ignored", "x-mullama-warning", "retry-after"} <= set(exposed)
    assert "x-should-retry" in exposed


@pytest.mark.parametrize(
    "fields",
    [
        {"max_tokens": 1.0, "top_k": 40.0, "seed": 1.0},
        {"max_tokens": 1, "max_completion_tokens": 16},
        {"max_tokens": 100_000, "stop": ["", "\n"]},
        {"temperature": None, "top_p": None, "stop": None, "tools": None, "logit_bias": None},
        {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True},
        {"tools": [{"type": "function", "name": "f"}], "tool_choice": {"type": "none"}},
        {"stream_options": {"include_usage": True}, "response_format": {"type": "text"}},
        {"metadata": None, "store": "no", "service_tier": 5, "user": 7, "modalities": []},
        {"logit_bias": {"50": -100, "51": 1.5}, "reasoning_effort": None},
        {"chat_template_kwargs": {}, "extra_body": {}, "num_ctx": 4096, "options": {"a": 1}},
    ],
    ids=lambda fields: " ".join(fields),
)
def test_what_changes_no_answer_is_no_reason_to_refuse(
    http: requests.Session, live_server: LiveServer, fields: dict[str, Any]
) -> None:
    body = asked(live_server, **fields)
    response = http.post(live_server.url + CHAT, json=body, timeout=60)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("path", [CHAT, TEXT])
def test_half_a_character_reaches_the_model(
    http: requests.Session, live_server: LiveServer, path: str
) -> None:
    half = r'"a \ud83d and \\ud83d"'
    body = (
        f'{{"model": "{live_server.chat}", "max_tokens": 1, "prompt": {half}, '
        f'"messages": [{{"role": "user", "content": {half}}}]}}'
    )
    headers = {"content-type": "application/json"}
    response = http.post(live_server.url + path, data=body, headers=headers, timeout=30)
    assert response.status_code == 200, response.text


@REAL
def test_a_limit_beyond_the_context_is_as_good_as_none(
    http: requests.Session, live_server: LiveServer
) -> None:
    body = {"model": live_server.chat, "prompt": "Once", "max_tokens": 10**6, "stop": "."}
    response = http.post(live_server.url + TEXT, json=body, timeout=60)
    assert response.status_code == 200, response.text
