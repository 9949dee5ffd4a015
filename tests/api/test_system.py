"""How the server says that it is."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from mullama import __version__
from mullama.api.app import create_app
from mullama.config import ServerOptions
from mullama.types import ModelState
from tests.api.clients import client
from tests.api.fakes import CHAT, EMBED, FakeBackend

pytestmark = pytest.mark.anyio


def backend(state: ModelState, error: str | None = None) -> FakeBackend:
    chat = replace(CHAT, state=state, error=error, is_default=True, n_active=2)
    return FakeBackend(statuses=(chat, replace(EMBED, state=ModelState.UNLOADED)))


async def test_a_healthy_server_says_what_it_serves() -> None:
    async with client(backend(ModelState.LOADED)) as http:
        response = await http.get("/health")
    assert response.status_code == 200
    health = response.json()
    assert health.pop("uptime") >= 0
    assert health == {
        "status": "ok",
        "version": __version__,
        "model": "loaded",
        "model_name": "chat",
        "architecture": "llama",
        "parameters": 500,
        "context_size": 4096,
    }


@pytest.mark.parametrize(
    ("state", "status", "word"),
    [
        (ModelState.LOADED, 200, "ok"),
        (ModelState.UNLOADED, 200, "ok"),
        (ModelState.LOADING, 503, "loading"),
        (ModelState.FAILED, 503, "error"),
    ],
)
async def test_health_follows_the_default_model(state: ModelState, status: int, word: str) -> None:
    async with client(backend(state, "why" if state is ModelState.FAILED else None)) as http:
        response = await http.get("/health")
        alive = await http.get("/healthz")
    assert response.status_code == status
    assert response.json()["status"] == word
    assert response.json()["model"] == state.value
    assert response.json().get("error") == ("why" if state is ModelState.FAILED else None)
    assert alive.status_code == 200
    assert alive.json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/health", "/healthz"])
async def test_a_server_that_shuts_down_is_not_healthy(path: str) -> None:
    app = create_app(backend(ModelState.LOADED), ServerOptions())
    app.state.closing = True
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as http:
        response = await http.get(path)
    assert response.status_code == 503
    assert response.json()["status"] == "shutting_down"


async def test_a_server_without_models_is_healthy() -> None:
    async with client(FakeBackend(statuses=())) as http:
        response = await http.get("/health")
        report = await http.get("/status")
    assert response.status_code == 200
    assert response.json()["model"] is None
    assert report.json()["default_model"] is None


async def test_status_counts_models_and_requests() -> None:
    async with client(backend(ModelState.LOADED)) as http:
        report = (await http.get("/status")).json()
    assert report["version"] == __version__
    assert report["uptime_secs"] >= 0
    assert report["models_loaded"] == 1
    assert report["active_requests"] == 2
    assert report["default_model"] == "chat"
    assert [(one["name"], one["state"]) for one in report["models"]] == [
        ("chat", "loaded"),
        ("embed", "unloaded"),
    ]
    assert "chat.gguf" not in str(report)  # paths are nobody's business


@pytest.mark.parametrize("path", ["/health", "/healthz", "/status"])
async def test_a_head_is_enough_for_a_monitor(path: str) -> None:
    async with client(backend(ModelState.LOADED)) as http:
        response = await http.head(path)
    assert response.status_code == 200
