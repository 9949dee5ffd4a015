"""A model whose marks are control tokens, which are no text: they are read all the same."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.cli.processes import PATIENCE, running

CONTROL = 3  # in GGUF's list of token types
MARKS = range(3, 7)  # <think> </think> <tool_call> </tool_call> of the tiny model
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
}


def with_control_tokens(model: Path, target: Path) -> Path:
    """A copy of the tiny model whose marks are control tokens."""
    data = bytearray(model.read_bytes())
    key = b"tokenizer.ggml.token_type"
    first = data.index(key) + len(key) + struct.calcsize("<IIQ")  # array, of int32, its length
    for token in MARKS:
        struct.pack_into("<i", data, first + 4 * token, CONTROL)
    target.write_bytes(data)
    return target


@pytest.fixture(scope="module")
def url(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    model = with_control_tokens(tiny_model, tmp_path_factory.mktemp("model") / "control.gguf")
    with running("serve", "--model", f"m={model}", "--port", "0") as process:
        yield process.url


def answer(url: str, question: str, **fields: Any) -> Any:
    body = {"messages": [{"role": "user", "content": question}], "temperature": 0, **fields}
    response = requests.post(f"{url}/v1/chat/completions", json=body, timeout=PATIENCE)
    assert response.status_code == 200, response.text
    return response.json()["choices"][0]


def test_a_thought_and_a_call_are_read(url: str) -> None:
    given = answer(url, "What is the weather in Paris?", tools=[TOOL], enable_thinking=True)
    assert given["finish_reason"] == "tool_calls"
    assert given["message"]["reasoning_content"]
    assert given["message"]["tool_calls"][0]["function"]["name"] == "get_weather"


def test_thoughts_in_the_content_have_their_marks(url: str) -> None:
    given = answer(url, "What is 12 + 30?", enable_thinking=True, reasoning_format="none")
    before, mark, after = given["message"]["content"].partition("</think>")
    assert before.startswith("<think>")
    assert mark
    assert after.strip() == "12 + 30 = 42."


def test_completions_have_no_marks(url: str) -> None:
    asked = {"prompt": "<|im_start|>user\nWhat is 1 + 1?<|im_end|>\n<|im_start|>assistant\n<think>"}
    body = {**asked, "temperature": 0, "max_tokens": 100}
    response = requests.post(f"{url}/v1/completions", json=body, timeout=PATIENCE)
    assert "think>" not in response.json()["choices"][0]["text"]
