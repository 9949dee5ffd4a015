"""What surrounds every request: ids, CORS, the body's limit, the end of errors."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest

from mullama.api.app import create_app
from mullama.api.middleware import Errors
from mullama.config import ServerOptions
from tests.api.clients import CHAT, EMBED, HI, Exchange, client
from tests.api.fakes import FakeBackend

pytestmark = pytest.mark.anyio

ORIGIN = {"origin": "http://page"}


# ------------------------------------------------------------------------------ ids


async def test_every_answer_has_an_id_of_its_own() -> None:
    async with client(FakeBackend()) as http:
        ids = {(await http.get("/healthz")).headers["x-request-id"] for _ in range(3)}
        ids.add((await http.get("/nowhere")).headers["x-request-id"])
    assert len(ids) == 4


@pytest.mark.parametrize(("given", "kept"), [("mine-1.2:3", True), ("a b", False), ("é", False)])
async def test_a_clients_id_is_kept_where_it_is_sound(given: str, kept: bool) -> None:
    async with client(FakeBackend()) as http:
        headers = {"x-request-id": given.encode("latin-1")}
        response = await http.get("/healthz", headers=headers)
    assert (response.headers["x-request-id"] == given) is kept


async def test_a_request_is_logged_under_its_id(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "mullama.api")
    async with client(FakeBackend()) as http:
        response = await http.get("/a%0Ab")
    (line,) = caplog.records
    request_id = response.headers["x-request-id"]
    assert line.getMessage().startswith(f"request {request_id}: GET '/a\\nb', 404, ")


async def test_why_a_request_was_refused_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mullama.api")
    async with client(FakeBackend()) as http:
        response = await http.post(CHAT, json={})
    (line,) = caplog.records
    assert line.getMessage() == (
        f"request {response.headers['x-request-id']}: 400, messages is missing."
    )


# ------------------------------------------------------------------------------ CORS


async def test_any_page_may_call_and_never_with_credentials() -> None:
    async with client(FakeBackend()) as http:
        for response in (
            await http.get("/healthz", headers=ORIGIN),
            await http.get("/nowhere", headers=ORIGIN),
            await http.post(CHAT, json={}, headers=ORIGIN),
            await http.post(CHAT, json={"messages": HI, "stream": True}, headers=ORIGIN),
        ):
            assert response.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in response.headers
            assert "x-request-id" in response.headers["access-control-expose-headers"].lower()


async def test_an_internal_error_is_readable_for_a_page_too() -> None:
    async with client(FakeBackend(fail_at=0, error=RuntimeError("secret"))) as http:
        response = await http.post(EMBED, json={"input": "x"}, headers=ORIGIN)
    assert response.status_code == 500
    assert response.headers["access-control-allow-origin"] == "*"


PREFLIGHT = {
    **ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,x-stainless-os",
}


async def test_a_preflight_is_answered() -> None:
    async with client(FakeBackend()) as http:
        response = await http.options(CHAT, headers=PREFLIGHT)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == "*"
    assert response.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    allowed = response.headers["access-control-allow-headers"]
    assert allowed == PREFLIGHT["access-control-request-headers"]


async def test_origins_can_be_chosen() -> None:
    async with client(FakeBackend(), cors_origins="http://page, http://other") as http:
        good = await http.get("/healthz", headers=ORIGIN)
        bad = await http.get("/healthz", headers={"origin": "http://evil"})
        refused = await http.options(CHAT, headers=PREFLIGHT | {"origin": "http://evil"})
    assert good.headers["access-control-allow-origin"] == "http://page"
    assert "access-control-allow-origin" not in bad.headers
    assert refused.status_code == 400


async def test_no_origins_means_no_pages() -> None:
    async with client(FakeBackend(), cors_origins="") as http:
        response = await http.get("/healthz", headers=ORIGIN)
        preflight = await http.options(CHAT, headers=PREFLIGHT)
    assert "access-control-allow-origin" not in response.headers
    assert preflight.status_code == 405


# ------------------------------------------------------------------------------ the body's limit


async def test_a_body_over_the_limit_is_refused_by_its_length_before_it_is_read() -> None:
    app = create_app(FakeBackend(), ServerOptions(max_body_mb=1))
    headers = {"content-type": "application/json", "content-length": str(2 << 20)}
    one = Exchange(app, CHAT, {}, headers)
    await one.run()
    assert one.status == 413
    assert len(one._parts) == 1  # still there
    error = json.loads(one.body)["error"]
    assert error["code"] == "body_too_large"
    assert "1 MiB" in error["message"]


async def test_a_body_over_the_limit_is_refused_by_counting_where_its_length_is_not_known() -> None:
    async def pieces() -> Any:
        for _ in range(20):
            yield b" " * (1 << 17)

    async with client(FakeBackend(), max_body_mb=1) as http:
        headers = {"content-type": "application/json"}
        response = await http.post(CHAT, content=pieces(), headers=headers)
    assert response.status_code == 413


async def test_a_body_at_the_limit_is_read() -> None:
    body = json.dumps({"messages": HI}).encode()
    async with client(FakeBackend(), max_body_mb=1) as http:
        response = await http.post(CHAT, content=body.ljust(1 << 20))
    assert response.status_code == 200


# ------------------------------------------------------------------------------ errors


async def test_an_unexpected_error_tells_no_details(caplog: pytest.LogCaptureFixture) -> None:
    async with client(FakeBackend(fail_at=0, error=RuntimeError("secret"))) as http:
        response = await http.post(CHAT, json={"messages": HI})
    assert response.status_code == 500
    assert "secret" not in response.text
    request_id = response.headers["x-request-id"]
    assert request_id in response.json()["error"]["message"]
    logged = [line for line in caplog.records if line.exc_info]
    assert len(logged) == 1
    assert request_id in logged[0].getMessage()


async def test_a_client_that_leaves_while_it_sends_is_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = create_app(FakeBackend(), ServerOptions())
    one = Exchange(app, CHAT, {}, {"content-type": "application/json"})
    one._parts = []
    one.leave()
    await one.run()
    assert one.sent == []
    assert not [line for line in caplog.records if line.levelno > logging.INFO]


async def test_a_response_that_has_begun_is_cut_by_an_error() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    transport = httpx.ASGITransport(Errors(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        with pytest.raises(ZeroDivisionError):
            await http.get("/")
