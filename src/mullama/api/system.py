"""How the server is: /health for load balancers and people, /healthz for the process, /status.

/health is 200 while the default model can answer and 503 while it loads, has failed, or the server
shuts down; /healthz asks only whether the process serves.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NotRequired

import msgspec
from fastapi import FastAPI, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from mullama import __version__
from mullama.api.openapi import facts
from mullama.types import Backend, ModelState, ModelStatus

_STATUS = {
    ModelState.LOADED: "ok",
    ModelState.UNLOADED: "ok",  # it loads with the first request
    ModelState.LOADING: "loading",
    ModelState.FAILED: "error",
}


class Liveness(TypedDict):
    status: str


class Health(TypedDict):
    """`status` is ok, loading, error or shutting_down; `model` is the default model's state."""

    status: str
    version: str
    uptime: float
    model: str | None
    model_name: NotRequired[str]
    architecture: NotRequired[str]
    parameters: NotRequired[int]
    context_size: NotRequired[int]
    error: NotRequired[str]


class ModelReport(TypedDict):
    """`stats` are the engine's counters."""

    name: str
    state: str
    is_default: bool
    active_requests: int
    kind: str
    architecture: str
    parameters: int
    size: int
    quantization: str
    context_size: int
    error: str | None
    stats: dict[str, float]


class Report(TypedDict):
    status: str
    version: str
    uptime_secs: int
    models_loaded: int
    active_requests: int
    default_model: str | None
    models: list[ModelReport]


class System:
    """The server's own endpoints."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._begin = time.monotonic()

    def add_to(self, app: FastAPI) -> None:
        """Adds the routes."""
        endpoints: list[tuple[str, Any, Any]] = [
            ("/health", self.health, Health),
            ("/healthz", self.healthz, Liveness),
            ("/status", self.status, Report),
        ]
        for path, endpoint, answer in endpoints:
            app.add_api_route(path, endpoint, responses=facts(answer))

    async def health(self, request: Request) -> Response:
        """Whether the default model can answer: 200, or 503."""
        model = self._default()
        health: Health = {
            "status": _closing(request) or (_STATUS[model.state] if model else "ok"),
            "version": __version__,
            "uptime": self._uptime(),
            "model": None,
        }
        if model is not None:
            health["model"] = model.state.value
            health["model_name"] = model.name
            health["architecture"] = model.info.architecture
            health["parameters"] = model.info.n_params
            health["context_size"] = model.n_ctx
            if model.error is not None:
                health["error"] = model.error
        return _json(health, 200 if health["status"] == "ok" else 503)

    async def healthz(self, request: Request) -> Response:
        """Whether the process serves: 200, or 503 when it shuts down."""
        liveness: Liveness = {"status": _closing(request) or "ok"}
        return _json(liveness, 200 if liveness["status"] == "ok" else 503)

    async def status(self, request: Request) -> Response:
        """The server and its models."""
        models = self._backend.models()
        default = self._default()
        report: Report = {
            "status": _closing(request) or "ok",
            "version": __version__,
            "uptime_secs": int(self._uptime()),
            "models_loaded": sum(one.state is ModelState.LOADED for one in models),
            "active_requests": sum(one.n_active for one in models),
            "default_model": default.name if default else None,
            "models": [_model_report(one) for one in models],
        }
        return _json(report)

    def _default(self) -> ModelStatus | None:
        return next((one for one in self._backend.models() if one.is_default), None)

    def _uptime(self) -> float:
        return round(time.monotonic() - self._begin, 3)


def _closing(request: Request) -> str | None:
    """The word for a server that ends, or None."""
    return "shutting_down" if request.app.state.closing else None


def _model_report(model: ModelStatus) -> ModelReport:
    info = model.info
    return {
        "name": model.name,
        "state": model.state.value,
        "is_default": model.is_default,
        "active_requests": model.n_active,
        "kind": info.kind.value,
        "architecture": info.architecture,
        "parameters": info.n_params,
        "size": info.size,
        "quantization": info.quantization,
        "context_size": model.n_ctx,
        "error": model.error,
        "stats": dict(model.stats),
    }


def _json(body: Mapping[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
