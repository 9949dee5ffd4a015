"""Reranking and the small tools on a real socket, and on real models where their numbers count."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from mullama.llama.embedder import LlamaEmbedder
from mullama.llama.model import LlamaModel
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from tests.api.clients import EMBED, HI
from tests.rank_models import write_bert
from tests.wire.conftest import REAL, LiveServer

QUERY = "where is the cat?"
DOCUMENTS = ["on the mat", "in Paris", "", "a cat sat on a mat. " * 8]
LONG = "word " * 900


@pytest.fixture(scope="module")
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def post(http: requests.Session, live_server: LiveServer) -> Any:
    """`post(path, status=200, **body)`: an answer's JSON."""

    def post(path: str, status: int = 200, **body: Any) -> Any:
        response = http.post(live_server.url + path, json=body, timeout=60)
        assert response.status_code == status, response.text
        return response.json()

    return post


@pytest.fixture(scope="module")
def log_odds(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The documents' scores, computed here, by the same model."""
    path = write_bert(tmp_path_factory.mktemp("models") / "ranker.gguf")
    with LlamaModel.load(read_info(path)) as model, LlamaEmbedder(model, n_threads=1) as ranker:
        vocab = LlamaVocab(model)
        pairs = [vocab.pair(QUERY, document) for document in DOCUMENTS]
        vectors = ranker.embed([pair.tokens for pair in pairs if pair is not None])
    return [float(np.frombuffer(vector, "<f4").item()) for vector in vectors]


def ranked(answer: Any, key: str = "relevance_score") -> dict[int, float]:
    """Each document's score, after a look at their order."""
    scores = [one[key] for one in answer]
    assert scores == sorted(scores, reverse=True)
    return {one["index"]: one[key] for one in answer}


@pytest.mark.parametrize("path", ["/v1/rerank", "/rerank", "/v1/reranking", "/v2/rerank"])
def test_documents_are_ranked(post: Any, live_server: LiveServer, path: str) -> None:
    answer = post(path, model=live_server.rank, query=QUERY, documents=DOCUMENTS, top_n=3)
    assert len(ranked(answer["results"])) == 3
    best = answer["results"][0]
    assert best["document"] == {"text": DOCUMENTS[best["index"]]}
    assert answer["usage"]["prompt_tokens"] > 0


@REAL
def test_scores_are_the_models(post: Any, live_server: LiveServer, log_odds: list[float]) -> None:
    ask = {"model": live_server.rank, "query": QUERY, "texts": DOCUMENTS}
    raw = ranked(post("/rerank", **ask, raw_scores=True), "score")
    assert [raw[i] for i in range(len(raw))] == pytest.approx(log_odds, abs=0.05)
    scores = ranked(post("/rerank", **ask), "score")
    assert [scores[i] for i in range(len(raw))] == pytest.approx(
        [1 / (1 + math.exp(-raw[i])) for i in range(len(raw))], abs=1e-6
    )


@REAL
def test_a_pair_that_is_too_long_is_refused_or_cut(post: Any, live_server: LiveServer) -> None:
    ask = {"model": live_server.rank, "query": QUERY, "documents": ["short", LONG]}
    error = post("/v1/rerank", 400, **ask)["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "documents")
    assert "512" in error["message"]
    short = post("/v1/rerank", **ask | {"documents": ["short"]})["usage"]["prompt_tokens"]
    cut = post("/v1/rerank", **ask, truncate=True)
    assert cut["usage"]["prompt_tokens"] == short + 512
    cut = post("/v1/rerank", **ask, truncate_prompt_tokens=100)
    assert cut["usage"]["prompt_tokens"] == short + 100


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions", EMBED])
def test_a_reranking_model_does_nothing_else(post: Any, live_server: LiveServer, path: str) -> None:
    error = post(path, 400, model=live_server.rank, messages=HI, prompt="a", input="a")["error"]
    assert error["param"] == "model"


@REAL
def test_tokens_are_the_models_own(post: Any, live_server: LiveServer, tiny_model: Path) -> None:
    text = "Hello, wörld! 🦙 <|im_end|>"
    with LlamaModel.load(read_info(tiny_model), vocab_only=True) as model:
        expected = LlamaVocab(model).tokenize(text, add_special=False, parse_special=True)
    answer = post("/tokenize", model=live_server.chat, content=text, with_pieces=True)
    assert [one["id"] for one in answer["tokens"]] == expected
    assert answer["count"] == len(expected)
    back = post("/detokenize", model=live_server.chat, tokens=expected)
    assert back["content"] == text


@REAL
def test_a_conversations_tokens_are_those_of_its_answers_prompt(
    post: Any, live_server: LiveServer
) -> None:
    prompt = post("/apply-template", model=live_server.chat, messages=HI)["prompt"]
    assert HI[0]["content"] in prompt
    counted = post("/tokenize", model=live_server.chat, messages=HI)["count"]
    answered = post("/v1/chat/completions", model=live_server.chat, messages=HI, max_tokens=1)
    assert answered["usage"]["prompt_tokens"] == counted
    assert post("/tokenize", model=live_server.chat, content=prompt)["count"] in (
        counted,
        counted - 1,  # BOS is no part of the prompt's text
    )


@REAL
def test_the_tools_of_a_conversation_are_in_its_prompt(post: Any, live_server: LiveServer) -> None:
    tool = {"type": "function", "function": {"name": "get_weather"}}
    asked = {"model": live_server.chat, "messages": HI, "tools": [tool]}
    assert "get_weather" in post("/apply-template", **asked)["prompt"]
    assert "get_weather" not in post("/apply-template", **asked, tool_choice="none")["prompt"]
    more = post("/tokenize", **asked)["count"]
    assert more > post("/tokenize", model=live_server.chat, messages=HI)["count"]


@REAL
@pytest.mark.parametrize("model", ["embed", "rank"])
def test_models_without_a_template_take_text_only(post: Any, model: str) -> None:
    error = post("/apply-template", 400, model=model, messages=HI)["error"]
    assert error["param"] == "messages"
    assert post("/tokenize", model=model, prompt="hello")["count"] > 0


@REAL
def test_an_unknown_token_is_named(post: Any, live_server: LiveServer) -> None:
    error = post("/detokenize", 400, model=live_server.chat, tokens=[1, 10**9])["error"]
    assert error["param"] == "tokens"
    assert str(10**9) in error["message"]


@REAL
def test_an_input_that_is_too_long_is_refused_or_cut(post: Any, live_server: LiveServer) -> None:
    ask = {"model": live_server.embed, "input": ["short", LONG]}
    error = post(EMBED, 400, **ask)["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "input")
    assert "902" in error["message"]
    assert "512" in error["message"]
    assert post(EMBED, **ask, truncate=True)["usage"]["prompt_tokens"] == 3 + 512
    cut = post(EMBED, **ask, truncate_prompt_tokens=10)
    assert cut["usage"]["prompt_tokens"] == 3 + 10
    whole = post(EMBED, model=live_server.embed, input=["word " * 8])
    assert whole["usage"]["prompt_tokens"] == 10
    similarity = np.dot(cut["data"][1]["embedding"], whole["data"][0]["embedding"])
    assert similarity > 0.9999  # the tokens around the text stay
