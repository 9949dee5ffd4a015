"""The official npm package `openai` against a live server, run by Node.js: calls and helpers."""

from __future__ import annotations

import json

import pytest

from tests.wire import npm
from tests.wire.conftest import REAL, LiveServer


def test_the_npm_package(request: pytest.FixtureRequest, live_server: LiveServer) -> None:
    names = (live_server.url, live_server.chat, live_server.embed)
    facts = npm.facts(request.config, "openai.mjs", *names)

    assert facts["whole"]["text"]
    assert facts["whole"]["id"]
    assert facts["streamed"]["text"] == facts["whole"]["text"]
    assert (
        facts["streamed"]["usage"]["completion_tokens"]
        == (facts["whole"]["usage"]["completion_tokens"])
    )
    assert facts["accumulated"]["text"] == facts["whole"]["text"]
    whole, streamed = facts["called"]
    assert {**streamed, "content": streamed["content"] or None} == whole
    if live_server.stage is None:  # a model, which calls
        assert whole["reason"] == "tool_calls"
        ((name, arguments),) = whole["calls"]
        assert (name, json.loads(arguments)) == ("get_weather", {"city": "Paris"})
        assert whole["named"]
    assert facts["completion"]["indexes"] == [0, 1]
    for encoded, numbers in zip(*facts["embeddings"].values(), strict=True):
        assert encoded == pytest.approx(numbers, abs=1e-6)
    assert {live_server.chat, live_server.embed} <= set(facts["models"])
    missing = {"kind": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"}
    assert facts["missing"] == missing
    assert facts["wrong"]["kind"] == "BadRequestError"
    assert facts["wrong"]["param"] == "messages"
    assert facts["aborted"] is True


@REAL
def test_the_npm_packages_helpers_for_zod_and_tools(
    request: pytest.FixtureRequest, live_server: LiveServer
) -> None:
    facts = npm.facts(request.config, "openai_zod.mjs", live_server.url, live_server.chat)
    assert facts["parsed"] == facts["streamed"] == {"name": "Helena", "age": 85}
    assert facts["called"] == ["Paris", "Rome"]
    assert facts["whole loop"] == "It is sunny and 21 degrees in Paris."
    final = facts["streamed loop"]["final"]
    assert final == "It is sunny and 21 degrees in Rome."
    assert facts["streamed loop"]["text"] == final
