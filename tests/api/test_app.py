"""The endpoints from end to end, over a backend without a model."""

from __future__ import annotations

import base64
import struct
from dataclasses import replace
from typing import Any

import pytest

from mullama.api.openai import embeddings
from mullama.api.openai.generation import ANSWERS_AT_ONCE
from mullama.errors import ContextLengthExceeded, ModelError, Overloaded
from mullama.types import ChatRequest, CompletionRequest, EmbedRequest
from tests.api.clients import CHAT, EMBED, HI, TEXT, chunks_of, client
from tests.api.fakes import CHAT as MODEL
from tests.api.fakes import INFO, FakeBackend

pytestmark = pytest.mark.anyio


async def post(backend: FakeBackend, path: str, body: Any) -> Any:
    async with client(backend) as http:
        response = await http.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def stream(backend: FakeBackend, path: str, body: Any) -> list[Any]:
    async with client(backend) as http:
        response = await http.post(path, json={**body, "stream": True})
    assert response.status_code == 200, response.text
    return chunks_of(response.text)


# ------------------------------------------------------------------------------ chat


async def test_a_chat_is_answered_whole() -> None:
    backend = FakeBackend()
    answer = await post(backend, CHAT, {"messages": HI, "model": "chat"})
    assert answer["choices"][0]["message"]["content"] == "Hello, wörld!"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["model"] == "chat"
    assert answer["id"].startswith("chatcmpl-")
    assert answer["usage"]["total_tokens"] == 11
    (asked,) = backend.asked
    assert isinstance(asked, ChatRequest)
    assert asked.messages == tuple(HI)
    assert backend.names == ["chat"]
    assert backend.n_cancelled == 0


async def test_a_chat_is_answered_in_a_stream() -> None:
    body = {"messages": HI, "stream_options": {"include_usage": True}}
    *chunks, usage, done = await stream(FakeBackend(), CHAT, body)
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == "Hello, wörld!"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens_details"]["cached_tokens"] == 3
    assert len({chunk["id"] for chunk in [*chunks, usage]}) == 1
    assert done == "[DONE]"


@pytest.mark.parametrize("name", [None, "", "default", "chat"])
async def test_no_name_means_the_default_model(name: str | None) -> None:
    answer = await post(FakeBackend(), CHAT, {"messages": HI, "model": name})
    assert answer["model"] == "chat"


async def test_two_requests_have_two_ids() -> None:
    backend = FakeBackend()
    ids = {(await post(backend, CHAT, {"messages": HI}))["id"] for _ in range(2)}
    assert len(ids) == 2


async def test_several_answers_to_one_chat() -> None:
    answer = await post(FakeBackend(), CHAT, {"messages": HI, "n": 3, "max_tokens": 1})
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2]
    assert answer["usage"]["prompt_tokens"] == 7
    assert answer["usage"]["completion_tokens"] == 3
    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] == 3


async def test_what_is_wanted_is_shown_and_nothing_else() -> None:
    plain = await post(FakeBackend(), CHAT, {"messages": HI, "timings": False})
    assert "timings" not in plain
    assert "prompt_token_ids" not in plain
    full = await post(
        FakeBackend(),
        CHAT,
        {"messages": HI, "logprobs": True, "top_logprobs": 2, "return_token_ids": True},
    )
    assert len(full["prompt_token_ids"]) == 7
    assert full["choices"][0]["token_ids"] == [5, 1, 6, 1]
    scores = full["choices"][0]["logprobs"]["content"]
    assert [len(one["top_logprobs"]) for one in scores] == [2, 2, 2, 2]
    assert full["timings"]["cache_n"] == 3


# ------------------------------------------------------------------------------ completions


async def test_a_completion_is_answered_whole() -> None:
    backend = FakeBackend()
    answer = await post(backend, TEXT, {"prompt": "Once", "suffix": "end"})
    assert answer["choices"][0]["text"] == "Hello, wörld!"
    assert answer["id"].startswith("cmpl-")
    (asked,) = backend.asked
    assert isinstance(asked, CompletionRequest)
    assert (asked.prompt, asked.suffix) == ("Once", "end")


async def test_several_prompts_are_numbered_prompt_by_prompt() -> None:
    body = {"prompt": ["a", "b"], "n": 2, "echo": True, "max_tokens": 1}
    answer = await post(FakeBackend(), TEXT, body)
    assert [(one["index"], one["text"]) for one in answer["choices"]] == [
        (0, "aHello"),
        (1, "aHello"),
        (2, "bHello"),
        (3, "bHello"),
    ]
    assert answer["usage"]["prompt_tokens"] == 14


async def test_several_prompts_stream_side_by_side() -> None:
    body = {"prompt": ["a", "b"], "echo": True, "stream_options": {"include_usage": True}}
    *chunks, usage, done = await stream(FakeBackend(), TEXT, body)
    texts = ["", ""]
    for chunk in chunks:
        texts[chunk["choices"][0]["index"]] += chunk["choices"][0]["text"]
    assert texts == ["aHello, wörld!", "bHello, wörld!"]
    assert usage["usage"]["prompt_tokens"] == 14
    assert done == "[DONE]"


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_long_list_of_prompts_is_answered_a_part_at_a_time(streamed: bool) -> None:
    backend = FakeBackend(words=["x"])
    body = {"prompt": [f"p{i}" for i in range(3 * ANSWERS_AT_ONCE)], "stream": streamed}
    async with client(backend) as http:
        response = await http.post(TEXT, json=body)
    assert response.status_code == 200
    assert len(backend.asked) == 3 * ANSWERS_AT_ONCE
    assert backend.n_most_open == ANSWERS_AT_ONCE
    assert backend.n_cancelled == 0


async def test_several_answers_to_several_prompts_count_as_many() -> None:
    """32 prompts with 32 answers each used to ask for 1024 at once, more than a queue holds."""
    backend = FakeBackend(words=["x"])
    body = {"prompt": ["p"] * 9, "n": ANSWERS_AT_ONCE // 4}
    await post(backend, TEXT, body)
    assert backend.n_most_open == 4


async def test_the_prompts_own_scores_with_nothing_generated() -> None:
    body = {"prompt": "the end", "echo": True, "logprobs": 1, "max_tokens": 0}
    answer = await post(FakeBackend(), TEXT, body)
    (choice,) = answer["choices"]
    assert choice["text"] == "the end"
    assert choice["logprobs"]["tokens"] == ["the", " end"]
    assert choice["logprobs"]["token_logprobs"] == [None, -1.5]
    assert choice["finish_reason"] == "length"


async def test_the_best_of_several() -> None:
    answer = await post(FakeBackend(), TEXT, {"prompt": "x", "best_of": 3, "logprobs": 0})
    (choice,) = answer["choices"]
    assert choice["index"] == 0
    assert choice["logprobs"]["token_logprobs"] == [-0.25] * 4  # the first answer's, the likeliest
    assert answer["usage"]["completion_tokens"] == 12


@pytest.mark.parametrize("streamed", [False, True])
async def test_one_prompts_error_is_the_requests_and_ends_the_others(streamed: bool) -> None:
    class Picky(FakeBackend):
        def events(self, request: Any) -> Any:
            if request.prompt == "bad":
                raise ContextLengthExceeded("too long")
            return super().events(request)

    backend = Picky()
    async with client(backend) as http:
        body = {"prompt": ["good", "bad"], "stream": streamed}
        response = await http.post(TEXT, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert backend.n_open == 0


# ------------------------------------------------------------------------------ embeddings


async def test_embeddings_are_numbers_or_base64() -> None:
    backend = FakeBackend()
    numbers = await post(backend, EMBED, {"input": ["a", "b"], "model": "embed"})
    assert [one["index"] for one in numbers["data"]] == [0, 1]
    assert numbers["data"][1]["embedding"] == [1.5] * 4
    assert numbers["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
    body = {"input": ["a", "b"], "model": "embed", "encoding_format": "base64", "dimensions": 2}
    encoded = await post(backend, EMBED, body)
    vector = base64.b64decode(encoded["data"][1]["embedding"])
    assert struct.unpack("<2f", vector) == (1.5, 1.5)
    assert backend.asked[-1] == EmbedRequest(("a", "b"), 2)


@pytest.mark.parametrize("form", ["float", "base64"])
async def test_many_vectors_are_written_as_few_are(
    monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    """In a thread: 20,000 vectors used to stop every stream for a second."""
    body = {"input": ["a", "b", "c"], "model": "embed", "encoding_format": form}
    few = await post(FakeBackend(), EMBED, body)
    monkeypatch.setattr(embeddings, "_FEW", 0)
    assert await post(FakeBackend(), EMBED, body) == few


async def test_a_chat_model_embeds_too() -> None:
    assert (await post(FakeBackend(), EMBED, {"input": [1, 2]}))["model"] == "chat"


# ------------------------------------------------------------------------------ models


async def test_models_are_listed_with_what_clients_probe_for() -> None:
    async with client(FakeBackend()) as http:
        listed = (await http.get("/v1/models")).json()
        assert (await http.get("/v1/models/")).json() == listed
    assert listed["object"] == "list"
    assert [one["id"] for one in listed["data"]] == ["chat", "embed", "rank"]
    chat, embed, rank = listed["data"]
    assert chat["object"] == "model"
    assert chat["max_model_len"] == chat["context_length"] == 4096
    assert chat["meta"]["n_ctx_train"] == 8192
    assert chat["capabilities"] == ["completion", "chat", "embedding"]
    assert chat["status"] == {"value": "loaded"}
    assert embed["capabilities"] == ["embedding"]
    assert rank["capabilities"] == ["rerank"]


async def test_a_model_has_the_capabilities_that_its_template_shows() -> None:
    turn = "{% for m in messages %}[{{ m.role }}]{{ m.content }}MORE{% endfor %}"
    calls = "{% if m.tool_calls %}<call>{{ m.tool_calls | tojson }}</call>{% endif %}"
    thoughts = "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
    models = [
        replace(
            MODEL, name=name, info=replace(INFO, chat_template=template, response_schema=schema)
        )
        for name, template, schema in (
            ("none", None, None),
            ("plain", turn.replace("MORE", ""), None),
            ("calls", turn.replace("MORE", calls), None),
            ("thinks", turn.replace("MORE", thoughts), None),
            ("broken", "{% if %}", None),
            ("unread", turn.replace("MORE", calls), "[]"),
        )
    ]
    async with client(FakeBackend(statuses=tuple(models))) as http:
        listed = (await http.get("/v1/models")).json()["data"]
    beside = ("completion", "chat", "embedding")
    assert {one["id"]: set(one["capabilities"]) - set(beside) for one in listed} == {
        "none": set(),
        "plain": set(),
        "calls": {"tools"},
        "thinks": {"thinking"},
        "broken": set(),
        "unread": set(),
    }


@pytest.mark.parametrize("name", ["chat", "org/model:Q4_K_M", "a b"])
async def test_a_model_is_found_by_any_name(name: str) -> None:
    backend = FakeBackend(statuses=(replace(MODEL, name=name, is_default=True, error="why"),))
    async with client(backend) as http:
        plain = await http.get(f"/v1/models/{name}")
        quoted = await http.get("/v1/models/" + name.replace("/", "%2F"))
    assert plain.json()["id"] == quoted.json()["id"] == name
    assert plain.json()["status"]["error"] == "why"


# ------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("path", [CHAT, TEXT, EMBED])
async def test_an_unknown_model_is_not_found_and_the_others_are_named(path: str) -> None:
    body = {"messages": HI, "prompt": "x", "input": "x", "model": "nope"}
    async with client(FakeBackend()) as http:
        response = await http.post(path, json=body)
    assert response.status_code == 404
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "chat, embed" in error["message"]


@pytest.mark.parametrize(
    ("path", "model", "instead"),
    [
        (CHAT, "embed", "/v1/embeddings"),
        (TEXT, "embed", "/v1/embeddings"),
        (TEXT, "rank", "/v1/rerank"),
        (EMBED, "rank", "/v1/rerank"),
    ],
)
async def test_a_model_is_asked_only_for_what_it_is_for(
    path: str, model: str, instead: str
) -> None:
    """One that ranks was said to be for embeddings, which it was then refused for."""
    body = {"messages": HI, "prompt": "x", "input": "x", "model": model}
    async with client(FakeBackend()) as http:
        response = await http.post(path, json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "model"
    message = response.json()["error"]["message"]
    assert model in message
    assert instead in message


@pytest.mark.parametrize(("path", "key"), [(CHAT, "messages"), (TEXT, "prompt")])
async def test_a_prompt_that_is_too_long_is_called_by_its_name(path: str, key: str) -> None:
    backend = FakeBackend(fail_at=0, error=ContextLengthExceeded("5000 tokens, room for 4096"))
    async with client(backend) as http:
        response = await http.post(path, json={"messages": HI, "prompt": "x"})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", key)


@pytest.mark.parametrize(("path", "key"), [(CHAT, "messages"), (EMBED, "input")])
async def test_a_busy_server_says_when_to_come_back(path: str, key: str) -> None:
    backend = FakeBackend(fail_at=0, error=Overloaded("The queue is full.", retry_after=2.5))
    async with client(backend) as http:
        response = await http.post(path, json={key: HI if key == "messages" else "x"})
    assert response.status_code == 503
    assert response.headers["retry-after"] == "3"
    assert response.headers["retry-after-ms"] == "2500"
    assert response.headers["x-should-retry"] == "true"


async def test_a_whole_answer_that_fails_late_is_still_an_http_error() -> None:
    backend = FakeBackend(fail_at=3, error=ModelError("The worker died."))
    async with client(backend) as http:
        response = await http.post(CHAT, json={"messages": HI})
    assert response.status_code == 500
    assert response.json()["error"]["message"] == "The worker died."


async def test_paths_and_methods_that_are_not_there_are_json_too() -> None:
    async with client(FakeBackend()) as http:
        missing = await http.get("/v1/nothing")
        wrong = await http.get(CHAT)
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "not_found"
    assert "/docs" in missing.json()["error"]["message"]
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "POST"
    assert wrong.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/chat/completions", CHAT),
        ("/v1/v1/chat/completions", CHAT),
        ("/v1/chat/completions/", CHAT),
        ("//v1/embeddings", EMBED),
        ("/v1/health", "/health"),
    ],
)
async def test_a_path_from_a_wrong_base_url_leads_where_it_was_meant_to(
    path: str, meant: str
) -> None:
    """They were told the right one, and every client of that server stood still."""
    async with client(FakeBackend()) as http:
        for method in ("GET", "POST"):
            body = {"messages": HI, "input": "x"}
            sent = [
                await http.request(method, f"http://here{one}", json=body) for one in (path, meant)
            ]
            assert sent[0].status_code == sent[1].status_code
            assert sent[0].json().keys() == sent[1].json().keys()
        assert sent[0].status_code == (405 if meant == "/health" else 200)


@pytest.mark.parametrize("path", ["/v1/v1", "/v1/nothing", "/docs/v1", "/v2/chat/completions"])
async def test_other_paths_stay_unknown(path: str) -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(f"http://here{path}", json={"messages": HI})
    assert response.status_code == 404
    assert "/docs" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "use"),
    [
        ("/v1", "base_url"),
        ("/v1/", "base_url"),
        ("/v1/responses", CHAT),
        ("/api/chat", CHAT),
        ("/completion", TEXT),
    ],
)
async def test_other_apis_are_told_what_to_use(path: str, use: str) -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(path, json={"messages": HI})
    assert response.status_code == 404
    assert use in response.json()["error"]["message"]


async def test_a_model_is_found_under_a_wrong_base_url() -> None:
    async with client(FakeBackend()) as http:
        response = await http.get("/models/embed")
    assert response.json()["id"] == "embed"


async def test_the_address_itself_leads_to_the_description() -> None:
    async with client(FakeBackend()) as http:
        response = await http.get("/", follow_redirects=True)
    assert response.url.path == "/docs"
    assert response.status_code == 200


@pytest.mark.parametrize("path", ["/docs", "/healthz", "/openapi.json", "/v1/models"])
async def test_what_can_be_got_can_be_asked_for_its_head(path: str) -> None:
    async with client(FakeBackend()) as http:
        got, head = await http.get(path), await http.head(path)
    assert head.status_code == got.status_code == 200
    assert head.headers["content-length"] == got.headers["content-length"]
