"""What /docs and /openapi.json say of bodies that the routes read themselves.

FastAPI describes a body that it parses. Ours are parsed by `bodies.read`, so a route refers to the
body's schema by name (`body_of`), and `App` adds the schemas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mullama.api.openai.answers import ErrorAnswer

_REF = "#/components/schemas/{model}"

_ERRORS = {
    400: "The request is wrong; `param` names the field.",
    404: "There is no such model.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    500: "The model can't be loaded, or its worker died.",
    503: "The queue is full, the model loads, or the server shuts down; see Retry-After.",
}


def body_of(model: type[BaseModel]) -> dict[str, Any]:
    """For a route's `openapi_extra`."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def replies(answer: Any, *, streams: bool = False) -> dict[int | str, dict[str, Any]]:
    """For the `responses` of a route that takes a body and may stream its answer."""
    good: dict[str, Any] = {"model": answer, "description": "The answer."}
    if streams:
        good["content"] = {"text/event-stream": {}}
        good["description"] += " With `stream`, chunks of it as server-sent events."
    described: dict[int | str, dict[str, Any]] = {200: good}
    for status, text in _ERRORS.items():
        described[status] = {"model": ErrorAnswer, "description": text}
    return described


def facts(answer: Any) -> dict[int | str, dict[str, Any]]:
    """For the `responses` of a route that only tells something."""
    return {
        200: {"model": answer, "description": "The answer."},
        "default": {"model": ErrorAnswer, "description": "An error."},
    }


class App(FastAPI):
    """A FastAPI application whose description knows the bodies, and which answers HEAD like GET."""

    def __init__(self, *, bodies: list[type[BaseModel]], **settings: Any) -> None:
        super().__init__(**settings)
        self._bodies = bodies

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **settings: Any) -> None:
        """Adds a route; without `methods`, for GET and HEAD. A server leaves out HEAD's body."""
        super().add_api_route(path, endpoint, **settings)
        if settings.get("methods") is None:
            super().add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if self.openapi_schema is None:
            described = super().openapi()
            _, schemas = models_json_schema(
                [(body, "validation") for body in self._bodies], ref_template=_REF
            )
            described.setdefault("components", {}).setdefault("schemas", {}).update(
                schemas["$defs"]
            )
        return super().openapi()
