"""Reranking on the wire: every client's names, two shapes of answers, best first."""

from __future__ import annotations

from typing import Any

import pytest

from mullama.api.native.rerank import ranking, rerank_request
from mullama.api.native.routes import RERANK_ALIASES
from mullama.api.native.schema import RerankBody
from mullama.errors import InvalidRequest
from mullama.types import RerankRequest, RerankResult
from tests.api.clients import client
from tests.api.fakes import FakeBackend

pytestmark = pytest.mark.anyio

RERANK = "/v1/rerank"
ASK: dict[str, Any] = {"model": "rank", "query": "q", "documents": ["a", "bbb", "cc"]}
RESULT = RerankResult((0.25, 0.75, 0.5), 12)


def body(**fields: Any) -> RerankBody:
    return RerankBody.model_validate({"query": "q"} | fields)


def refused(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        rerank_request(body(**fields))
    return caught.value


def answered(**fields: Any) -> Any:
    return ranking("rerank-1", "m", body(**fields), RESULT)


# ----------------------------------------------------------------------------------------- requests


def test_documents_are_texts_or_objects_with_one() -> None:
    request = rerank_request(body(documents=["a", {"text": "b", "id": 5}, ""]))
    assert request == RerankRequest("q", ("a", "b", ""))


def test_texts_are_documents_by_another_name() -> None:
    assert rerank_request(body(texts=["a", "b"])) == RerankRequest("q", ("a", "b"))
    assert refused(texts=["a"], documents=["a"]).param == "texts"


def test_what_documents_are_missing_or_empty_is_named() -> None:
    assert refused().param == "documents"
    assert refused(documents=[]).param == "documents"
    assert refused(texts=[]).param == "texts"
    assert refused(query="", documents=["a"]).param == "query"


def test_raw_scores_are_asked_for() -> None:
    assert rerank_request(body(documents=["a"], raw_scores=True)).raw
    assert not rerank_request(body(documents=["a"], raw_scores=False)).raw


@pytest.mark.parametrize(
    ("fields", "truncate"),
    [
        ({}, None),
        ({"truncate": False}, None),
        ({"truncate": True}, 0),
        ({"truncate_prompt_tokens": -1}, 0),
        ({"truncate_prompt_tokens": 300}, 300),
        ({"truncate": False, "truncate_prompt_tokens": 300}, 300),
    ],
)
def test_both_ways_to_allow_cutting(fields: dict[str, Any], truncate: int | None) -> None:
    assert rerank_request(body(documents=["a"], **fields)).truncate == truncate


def test_a_limit_for_each_document() -> None:
    assert rerank_request(body(documents=["a"], max_tokens_per_doc=7)).max_document == 7


@pytest.mark.parametrize(
    ("name", "value", "harmless"),
    [
        ("truncation_direction", "Left", "Right"),
        ("rank_fields", ["title"], ["text"]),
        ("max_chunks_per_doc", 3, None),
        ("use_activation", False, True),
        ("instruction", "Judge it.", ""),
    ],
)
def test_what_would_change_the_scores_is_refused(name: str, value: Any, harmless: Any) -> None:
    error = refused(documents=["a"], **{name: value})
    assert (error.param, error.code) == (name, "unsupported_parameter")
    rerank_request(body(documents=["a"], **{name: harmless}))


# ------------------------------------------------------------------------------------------ answers


def test_results_are_best_first_with_their_documents() -> None:
    assert answered(documents=["a", {"text": "b", "id": 5}, "c"]) == {
        "id": "rerank-1",
        "object": "list",
        "model": "m",
        "results": [
            {"index": 1, "relevance_score": 0.75, "document": {"text": "b", "id": 5}},
            {"index": 2, "relevance_score": 0.5, "document": {"text": "c"}},
            {"index": 0, "relevance_score": 0.25, "document": {"text": "a"}},
        ],
        "usage": {"prompt_tokens": 12, "total_tokens": 12},
        "meta": {"tokens": {"input_tokens": 12}},
    }


@pytest.mark.parametrize("name", ["return_documents", "return_text"])
def test_documents_can_be_left_out_or_asked_for(name: str) -> None:
    results = answered(documents=["a", "b", "c"], **{name: False})["results"]
    assert results[0] == {"index": 1, "relevance_score": 0.75}
    assert answered(texts=["a", "b", "c"], top_n=1, **{name: True}) == [
        {"index": 1, "score": 0.75, "text": "b"}
    ]


@pytest.mark.parametrize(("top_n", "n"), [(None, 3), (0, 3), (1, 1), (2, 2), (9, 3)])
def test_only_the_best_are_answered(top_n: int | None, n: int) -> None:
    best = [one["index"] for one in answered(documents=["a", "b", "c"], top_n=top_n)["results"]]
    assert best == [1, 2, 0][:n]
    assert len(answered(texts=["a", "b", "c"], top_n=top_n)) == n


def test_texts_are_answered_with_a_bare_list() -> None:
    assert answered(texts=["a", "b", "c"]) == [
        {"index": 1, "score": 0.75},
        {"index": 2, "score": 0.5},
        {"index": 0, "score": 0.25},
    ]


def test_equal_scores_keep_the_documents_order() -> None:
    equal = RerankResult((0.5,) * 5, 1)
    scored: Any = ranking("id", "m", body(texts=list("abcde")), equal)
    assert [one["index"] for one in scored] == [0, 1, 2, 3, 4]


# ------------------------------------------------------------------------------------------- routes


@pytest.mark.parametrize("path", [RERANK, *RERANK_ALIASES])
async def test_every_path_ranks(path: str) -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(path, json=ASK)
    assert response.status_code == 200
    answer = response.json()
    assert answer["id"].startswith("rerank-")
    assert answer["model"] == "rank"
    assert [one["index"] for one in answer["results"]] == [1, 2, 0]


async def test_unknown_fields_are_told() -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(RERANK, json=ASK | {"mystery": 1})
    assert response.headers["x-mullama-ignored"] == "mystery"


@pytest.mark.parametrize("model", ["chat", "embed", None])
async def test_a_model_without_a_rank_head_is_refused(model: str | None) -> None:
    backend = FakeBackend()
    async with client(backend) as http:
        response = await http.post(RERANK, json=ASK | {"model": model})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["param"] == "model"
    assert "no rank head" in error["message"]
    assert backend.asked == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"query": None}, "query"),
        ({"query": 5}, "query"),
        ({"documents": "abc"}, "documents"),
        ({"documents": ["a", 5]}, "documents[1]"),
        ({"documents": [{"image": "x"}]}, "documents[0].text"),
        ({"documents": [{"text": 5}]}, "documents[0].text"),
        ({"documents": None, "texts": ["a", {"text": "b"}]}, "texts[1]"),
        ({"top_n": -1}, "top_n"),
        ({"max_tokens_per_doc": 0}, "max_tokens_per_doc"),
        ({"truncate_prompt_tokens": 0}, "truncate_prompt_tokens"),
        ({"truncate_prompt_tokens": -2}, "truncate_prompt_tokens"),
        ({"raw_scores": "yes"}, "raw_scores"),
    ],
)
async def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(RERANK, json=ASK | fields)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == param
