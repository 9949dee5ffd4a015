"""The description: every endpoint, every field with its type, on a page of its own."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mullama.api.app import BODIES, create_app
from mullama.api.docs import page
from mullama.config import ServerOptions
from tests.api.clients import client
from tests.api.fakes import FakeBackend

PATHS = {
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/rerank",
    "/tokenize",
    "/detokenize",
    "/apply-template",
    "/v1/models",
    "/v1/models/{model}",
    "/health",
    "/healthz",
    "/status",
}


def described() -> dict[str, Any]:
    return create_app(FakeBackend(), ServerOptions()).openapi()


def references(value: Any) -> set[str]:
    """Every schema that is referred to from anywhere."""
    if isinstance(value, dict):
        found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return found.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_endpoint_is_described() -> None:
    assert set(described()["paths"]) == PATHS


@pytest.mark.parametrize("body", BODIES)
def test_every_field_of_a_body_has_a_type(body: Any) -> None:
    properties = described()["components"]["schemas"][body.__name__]["properties"]
    assert set(properties) == set(body.model_fields)
    for schema in properties.values():
        assert {"type", "anyOf", "oneOf", "$ref"} & schema.keys()


def test_every_reference_leads_somewhere() -> None:
    whole = described()
    schemas = whole["components"]["schemas"]
    for reference in references(whole):
        assert reference.removeprefix("#/components/schemas/") in schemas
    assert "HTTPValidationError" not in schemas


def test_describing_it_twice_is_describing_it_once() -> None:
    app = create_app(FakeBackend(), ServerOptions())
    assert app.openapi() is app.openapi()


@pytest.mark.anyio
async def test_the_page_needs_nothing_from_elsewhere() -> None:
    async with client(FakeBackend()) as http:
        response = await http.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", response.text)
    assert "<script" not in response.text
    for path in PATHS:
        assert path in response.text
    for body in BODIES:
        for name in body.model_fields:
            assert f"<td>{name}" in response.text


def test_the_page_shows_texts_as_texts() -> None:
    field = {"description": "<b>", "anyOf": [{"type": "string"}, {"type": "null"}]}
    schemas = {"<i>": {"properties": {"<u>": field}}}
    html = page(
        {"info": {"title": "<s>", "version": "1"}, "paths": {}, "components": {"schemas": schemas}}
    )
    assert not re.search("<[bius]>", html)
    assert "&lt;u&gt;?<td>string<td>&lt;b&gt;" in html
