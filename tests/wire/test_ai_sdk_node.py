"""The npm package `ai` with two of its providers: objects, streams and a loop of tools."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire import npm
from tests.wire.conftest import REAL, LiveServer

HELENA = {"name": "Helena", "age": 85}


@REAL
def test_objects_streams_and_loops_of_the_ai_sdk(
    request: pytest.FixtureRequest, live_server: LiveServer
) -> None:
    told = npm.facts(request.config, "ai.mjs", live_server.url, live_server.chat)
    for who in ("compatible", "openai"):
        facts: dict[str, Any] = {
            name.removeprefix(f"{who} "): fact
            for name, fact in told.items()
            if name.startswith(f"{who} ")
        }
        assert facts["object"] == HELENA
        assert facts["output"]["value"] == HELENA
        assert facts["output"]["usage"] > 0
        assert facts["partial"]["last"] == HELENA
        assert facts["partial"]["n"] > 2
        assert facts["choice"] == "sunny"
        assert facts["text"]["text"] == "The capital of France is Paris."
        assert facts["text"]["reason"] == "stop"
        assert facts["text"]["usage"] > 0

        called, answered = facts["loop"]["steps"]
        assert called == {
            "reason": "tool-calls",
            "calls": [["get_weather", {"city": "Paris"}]],
            "results": [{"temperature": 21, "condition": "sunny"}],
        }
        assert answered["reason"] == "stop"
        assert "sunny" in facts["loop"]["text"]

        called, answered = facts["streamed loop"]["steps"]
        assert called["calls"] == [["multiply", {"left": 12, "right": 7}]]
        assert called["results"] == [84]
        assert "84" in facts["streamed loop"]["text"]
        assert {"tool-input-delta", "tool-call", "tool-result"} <= set(
            facts["streamed loop"]["kinds"]
        )

        (call,) = facts["required"]
        assert call[0] in ("get_weather", "multiply")
        (call,) = facts["named"]
        assert call[0] == "multiply"
        assert call[1].keys() == {"left", "right"}
