"""Reading a body: types, JSON as it may come, and names that nobody knows."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from starlette.requests import Request

from mullama.api.bodies import apart
from tests.api.clients import CHAT, HI, TEXT, client
from tests.api.fakes import FakeBackend

pytestmark = pytest.mark.anyio

BODY = b'{"prompt": "x"}'


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (None, 200),
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/vnd.api+json", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("json", 415),
    ],
)
async def test_a_body_is_json_or_says_nothing(kind: str | None, status: int) -> None:
    async with client(FakeBackend()) as http:
        headers = {} if kind is None else {"content-type": kind}
        response = await http.post(TEXT, content=BODY, headers=headers)
    assert response.status_code == status


@pytest.mark.parametrize(("encoding", "status"), [("identity", 200), ("gzip", 415), ("br", 415)])
async def test_a_packed_body_is_refused(encoding: str, status: int) -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(TEXT, content=BODY, headers={"content-encoding": encoding})
    assert response.status_code == status


@pytest.mark.parametrize(("n_bytes", "here"), [(1000, True), (1 << 20, False)])
async def test_only_a_large_body_is_read_in_a_thread(n_bytes: int, here: bool) -> None:
    async def receive() -> Any:
        return {"type": "http.request", "body": bytes(n_bytes), "more_body": False}

    request = Request({"type": "http", "headers": []}, receive)
    assert (await apart(request, threading.get_ident) == threading.get_ident()) is here


@pytest.mark.parametrize("stream", [False, True])
async def test_a_large_body_is_answered_and_refused_as_a_small_one(stream: bool) -> None:
    long = "word " * 100_000
    async with client(FakeBackend()) as http:
        good = await http.post(TEXT, json={"prompt": long, "stream": stream})
        bad = await http.post(TEXT, json={"prompt": long, "stream": stream, "n": 0})
        worse = await http.post(TEXT, content=b'{"prompt": "' + long.encode())
    assert good.status_code == 200
    assert (bad.status_code, bad.json()["error"]["param"]) == (400, "n")
    assert worse.json()["error"]["code"] == "not_json"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"prompt=x",
        b"\xff\xfe",
        b'{"prompt": "\xff"}',
        b'{"prompt": "\\ud800"}',
        b"[" * 100_000,
        b'{"prompt": ' + b"9" * 5000 + b"}",
    ],
    ids=["empty", "cut", "form", "bytes", "utf-8", "surrogate", "deep", "digits"],
)
async def test_what_is_not_json_is_refused(body: bytes) -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(TEXT, content=body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "not_json"


@pytest.mark.parametrize("body", [b"null", b"5", b"[]", b'"x"', b"true"])
async def test_json_that_is_no_object_is_refused(body: bytes) -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(TEXT, content=body)
    assert response.status_code == 400
    assert "must be an object" in response.json()["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
async def test_unknown_names_are_told_in_a_header(stream: bool) -> None:
    body = {"messages": HI, "stream": stream, "provider": {}, "chat_id": 1}
    async with client(FakeBackend()) as http:
        response = await http.post(CHAT, json=body)
        known = await http.post(CHAT, json={"messages": HI, "user": "me"})
    assert response.status_code == 200
    assert response.headers["x-mullama-ignored"] == "chat_id, provider"
    assert "x-mullama-ignored" not in known.headers


async def test_no_name_can_break_the_header() -> None:
    names = ["a\r\nset-cookie: x", "ü", "a,b", "x" * 200, *(f"y{i}" for i in range(20))]
    async with client(FakeBackend()) as http:
        response = await http.post(TEXT, json={"prompt": "x", **dict.fromkeys(names, 1)})
    told = response.headers["x-mullama-ignored"].split(", ")
    assert told[0] == "a??set-cookie: x"
    assert told[1] == "a?b"
    assert told[2] == "x" * 60
    assert told[-1] == "and 14 more"
    assert "set-cookie" not in response.headers
