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
        b"[" * 100_000,
        b'{"prompt": ' + b"9" * 5000 + b"}",
    ],
    ids=["empty", "cut", "form", "bytes", "utf-8", "deep", "digits"],
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


# ------------------------------------------------------------------------------ text


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"\ud83d", "\ufffd"),
        (r"a\uDE00b", "a\ufffdb"),
        (r"\ud83d\ud83d\ude00", "\ufffd😀"),
        (r"\ud83d\ude00\ud83d", "😀\ufffd"),
        (r"\\ud83d \ud83d", r"\ud83d " + "\ufffd"),
        (r"\\\ud83d", "\\\ufffd"),
        (r"\ud83dx\n\"", '\ufffdx\n"'),
    ],
)
async def test_half_a_surrogate_pair_is_an_unknown_character(written: str, read: str) -> None:
    """A client that had cut a text in an emoji was refused in every later turn."""
    backend = FakeBackend()
    async with client(backend) as http:
        body = b'{"prompt": "' + written.encode() + b'"}'
        response = await http.post(TEXT, content=body)
    assert response.status_code == 200, response.text
    assert backend.asked[0].prompt == read


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"prompt": "\\ud83d"', "not JSON"),
        (b'{"prompt": "\\ud83"}', "not JSON"),
        (b'{"prompt": "\xe9"}', "UTF-8"),
        (b'{"metadata": ' + b"[" * 300 + b"]" * 300 + b"}", "nested too deeply"),
    ],
)
async def test_what_cannot_be_read_says_why(body: bytes, words: str) -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(TEXT, content=body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "not_json"
    assert words in response.json()["error"]["message"]


async def test_a_byte_order_mark_is_passed_over() -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(TEXT, content="\ufeff".encode() + BODY)
    assert response.status_code == 200


async def test_curl_is_told_the_header_that_it_leaves_out() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    async with client(FakeBackend()) as http:
        response = await http.post(TEXT, content=BODY, headers=headers)
    assert "-H 'Content-Type: application/json'" in response.json()["error"]["message"]


# ------------------------------------------------------------------------------ what is ignored


@pytest.mark.parametrize(
    ("fields", "ignored"),
    [
        ({"num_ctx": 5, "num_batch": 1}, "num_batch, num_ctx"),
        ({"num_ctx": None}, None),
        ({"guided_choice": ["a"]}, None),
        ({"include_stop_str_in_output": False, "length_penalty": 1}, None),
        (
            {"stream_options": {"continuous_usage_stats": True}},
            "stream_options.continuous_usage_stats",
        ),
    ],
)
async def test_what_is_ignored_is_named_and_nothing_else(
    fields: dict[str, Any], ignored: str | None
) -> None:
    """Constraints by their older names were held to, and named as ignored."""
    async with client(FakeBackend()) as http:
        response = await http.post(CHAT, json={"messages": HI, **fields})
    assert response.status_code == 200
    assert response.headers.get("x-mullama-ignored") == ignored
