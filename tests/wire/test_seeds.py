"""What was promised before there was a server: each command of the documents that the project set
out from is run as a user would type it, and its answer holds at least what was shown there.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from typing import Any

import pytest
import requests
from openai import OpenAI

from tests.wire.conftest import REAL, LiveServer

pytestmark = REAL

CHAT_SHOWN = {
    "id": "chatcmpl-123",
    "object": "chat.completion",
    "created": 1702345678,
    "model": "",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello!"},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29},
}
CHUNK_SHOWN = {
    "id": "chatcmpl-123",
    "object": "chat.completion.chunk",
    "created": 1702345678,
    "model": "",
    "choices": [{"index": 0, "delta": {"content": "Once"}, "finish_reason": None}],
}
TEXT_SHOWN = {
    "id": "cmpl-123",
    "object": "text_completion",
    "choices": [{"index": 0, "text": "Once", "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29},
}
VECTORS_SHOWN = {
    "object": "list",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.0023, -0.0094]}],
    "model": "",
    "usage": {"prompt_tokens": 9, "total_tokens": 9},
}
HEALTH_SHOWN = {
    "status": "ok",
    "model": "loaded",
    "architecture": "llama",
    "parameters": 1,
    "context_size": 4096,
    "uptime": 1.5,
}
MODEL_SHOWN = {"id": "chat", "object": "model"}

JSON = '-H "Content-Type: application/json"'
KEY = '-H "Authorization: Bearer sk-your-secret-key"'
ASKED: list[tuple[str, Any]] = [
    ("/health", HEALTH_SHOWN),
    ("/healthz", {"status": "ok"}),
    ("/v1/models", {"object": "list", "data": [MODEL_SHOWN]}),
    ("/v1/models/chat", MODEL_SHOWN),
    (
        f"""/v1/chat/completions {JSON} -d '{{"messages": [{{"role": "user",
        "content": "Hello!"}}], "max_tokens": 100}}'""",
        CHAT_SHOWN,
    ),
    (
        f"""/v1/chat/completions {JSON} -d '{{"model":"default",
        "messages":[{{"role":"user","content":"Hi"}}],"stream":false}}'""",
        CHAT_SHOWN,
    ),
    (
        f"""/v1/chat/completions {JSON} {KEY} -d '{{"model": "chat", "messages":
        [{{"role": "system", "content": "You are a helpful assistant."}},
        {{"role": "user", "content": "Hello!"}}], "temperature": 0.7, "top_p": 0.9,
        "stop": ["\\n\\n\\n"], "max_tokens": 150}}'""",
        CHAT_SHOWN,
    ),
    (f"""/v1/completions {JSON} -d '{{"prompt": "Once", "max_tokens": 5}}'""", TEXT_SHOWN),
    (f"""/v1/embeddings {JSON} -d '{{"input": ["Hello world", "Goodbye"]}}'""", VECTORS_SHOWN),
    (f"""/v1/embeddings {JSON} -d '{{"model":"default","input":"Hello"}}'""", VECTORS_SHOWN),
    (
        f"""/v1/embeddings {JSON} {KEY} -d '{{"model": "embed",
        "input": "The quick brown fox"}}'""",
        VECTORS_SHOWN,
    ),
]
STREAMED = [
    """{"model":"default","messages":[{"role":"user","content":"Hi"}],"stream":true}""",
    """{"messages": [{"role": "user", "content": "Tell me a joke"}], "stream": true}""",
]


@pytest.fixture(autouse=True)
def _loaded(live_server: LiveServer) -> None:
    """A request waits for its model; /health says that it loads."""
    for path, body in (("completions", {"max_tokens": 0}), ("embeddings", {"model": "embed"})):
        body = {"prompt": "Hi", "input": "Hi", **body}
        assert requests.post(f"{live_server.url}/v1/{path}", json=body, timeout=60).ok


def lacks(got: Any, shown: Any, where: str = "the answer") -> str | None:
    """Where `got` lacks what was `shown`: a field, or a value of that type. Nothing if nowhere."""
    if isinstance(shown, dict):
        for key, value in shown.items():
            if not isinstance(got, dict) or key not in got:
                return f"{where}.{key}"
            found = lacks(got[key], value, f"{where}.{key}")
            if found is not None:
                return found
        return None
    if isinstance(shown, list):
        if not isinstance(got, list) or not got:
            return where
        return lacks(got[0], shown[0], f"{where}[0]")
    is_like = type(got) is type(shown) and (shown not in ("ok", "loaded") or got == shown)
    return None if is_like else where


def test_lacking_is_noticed() -> None:
    shown = {"a": [{"b": 1}], "status": "ok"}
    assert lacks({"a": [{"b": 2, "c": 3}], "status": "ok", "d": 4}, shown) is None
    assert lacks({"a": [{}], "status": "ok"}, shown) == "the answer.a[0].b"
    assert lacks({"a": [{"b": "2"}], "status": "ok"}, shown) == "the answer.a[0].b"
    assert lacks({"a": [{"b": 2}], "status": "error"}, shown) == "the answer.status"


def curl(live_server: LiveServer, command: str) -> str:
    program = shutil.which("curl")
    if program is None:
        pytest.skip("there is no curl here")
    done = subprocess.run(
        [program, "-sS", "--noproxy", "*", *shlex.split(live_server.url + command)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("command", "shown"), ASKED)
def test_curl_gets_what_was_shown(live_server: LiveServer, command: str, shown: Any) -> None:
    got = json.loads(curl(live_server, command))
    assert lacks(got, shown) is None, got


@pytest.mark.parametrize("body", STREAMED)
def test_curl_gets_the_stream_that_was_shown(live_server: LiveServer, body: str) -> None:
    said = curl(live_server, f"/v1/chat/completions {JSON} -N -d '{body}'")
    *events, done, end = said.split("\n\n")
    assert (done, end) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert [lacks(chunk, CHUNK_SHOWN) for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == [
        {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    ]


def test_requests_gets_an_answer(live_server: LiveServer) -> None:
    messages = [
        {"role": "system", "content": "You are helpful."},
        {"role": "user", "content": "Hello!"},
    ]
    response = requests.post(
        f"{live_server.url}/v1/chat/completions",
        json={"model": "default", "messages": messages, "max_tokens": 100},
        timeout=60,
    )
    assert response.json()["choices"][0]["message"]["content"]


def test_requests_gets_a_stream_by_lines(live_server: LiveServer) -> None:
    response = requests.post(
        f"{live_server.url}/v1/chat/completions",
        json={"model": "default", "messages": [{"role": "user", "content": "Hi"}], "stream": True},
        stream=True,
        timeout=60,
    )
    lines = [line.decode() for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    assert all(line.startswith("data: ") for line in lines)
    # As the documents read it: every chunk has a first choice with a delta.
    texts = [json.loads(line[6:])["choices"][0]["delta"].get("content") for line in lines[:-1]]
    assert "".join(filter(None, texts))


def test_browsers_of_every_origin_may_ask(live_server: LiveServer) -> None:
    url = f"{live_server.url}/v1/chat/completions"
    preflight = requests.options(
        url,
        headers={
            "Origin": "http://localhost:3000",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
        timeout=60,
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-allow-methods"] == "GET, POST, OPTIONS"
    answer = requests.get(
        f"{live_server.url}/health", headers={"Origin": "http://localhost:3000"}, timeout=60
    )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_the_openai_client_gets_what_was_shown(live_server: LiveServer) -> None:
    with OpenAI(base_url=f"{live_server.url}/v1", api_key="not-used") as client:
        question = "What is the capital of France?"
        answer = client.chat.completions.create(
            model="chat", messages=[{"role": "user", "content": question}], temperature=0
        )
        assert answer.choices[0].message.content == "The capital of France is Paris."
        vectors = client.embeddings.create(
            model="embed", input=["The food was delicious.", "The meal was excellent."]
        )
        assert len(vectors.data) == 2
        assert len(vectors.data[0].embedding) == len(vectors.data[1].embedding) > 0
