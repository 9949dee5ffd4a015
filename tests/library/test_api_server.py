"""A server written with the library answers its clients, blocking handlers and all."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from mullama import Model
from tests.library.api_server import make_app

PATIENCE = 60.0
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
PARIS = "The capital of France is Paris."


@pytest.fixture(scope="module")
def client(tiny_model: Path) -> Iterator[httpx.Client]:
    """A client of the server, which listens on a free port."""
    config = uvicorn.Config(make_app(str(tiny_model), max_requests=12), port=0, log_level="error")
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    listening.listen()  # who comes before the server is ready waits
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False) as made:
            yield made
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def chat(client: httpx.Client, **fields: Any) -> httpx.Response:
    body = {"messages": QUESTION, "temperature": 0, "max_tokens": 60} | fields
    return client.post("/v1/chat/completions", json=body)


def test_health_tells_the_model_and_its_context(client: httpx.Client, model: Model) -> None:
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert health["model"] == model.name
    assert health["banner"] == f"{model.name}: {model.n_params:,} parameters"
    assert health["architecture"] == "llama"
    assert health["context_size"] == 4096


@pytest.fixture(scope="module")
def n_tokens(model: Model) -> int:
    """How many tokens the answer has."""
    return len(model.tokenize(PARIS, add_bos=False))


def test_an_answer_has_its_usage(client: httpx.Client, n_tokens: int) -> None:
    answer = chat(client).json()
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": PARIS}
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens"] == n_tokens


def test_a_stream_s_chunks_are_the_answer(client: httpx.Client, n_tokens: int) -> None:
    lines = [line for line in chat(client, stream=True).text.split("\n\n") if line]
    assert lines.pop() == "data: [DONE]"
    choices = [json.loads(line.removeprefix("data: "))["choices"][0] for line in lines]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == PARIS
    assert [choice["finish_reason"] for choice in choices] == [None] * n_tokens + ["stop"]


def test_several_clients_are_answered(client: httpx.Client) -> None:
    found: list[str] = []

    def ask(stream: bool) -> None:
        found.append(chat(client, stream=stream).text)

    threads = [threading.Thread(target=ask, args=(i % 2 == 0,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(PARIS in text for text in found) == 2
    assert sum("[DONE]" in text for text in found) == 2


def test_embeddings_come_for_a_text_and_for_a_list(client: httpx.Client) -> None:
    for given, n in (("Hello world", 1), (["Hello world", "Goodbye world"], 2)):
        answer = client.post("/v1/embeddings", json={"input": given}).json()
        assert [item["index"] for item in answer["data"]] == list(range(n))
        assert all(len(item["embedding"]) == 256 for item in answer["data"])
        assert answer["usage"]["total_tokens"] > 0


def test_a_wrong_body_is_refused_and_the_rate_is_limited(client: httpx.Client) -> None:
    assert client.post("/v1/chat/completions", json={}).status_code == 422
    statuses = [chat(client, max_tokens=1).status_code for _ in range(13)]
    assert set(statuses) == {200, 429}
    assert chat(client).json()["error"] == {"message": "Rate limit exceeded", "code": 429}
