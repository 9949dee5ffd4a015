"""Documents in the order of how well they answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from mullama import (
    ContextLengthExceeded,
    EmbeddingGenerator,
    InvalidRequest,
    Model,
    ModelError,
    Reranker,
)
from tests.rank_models import write_bert, write_qwen

DOCUMENTS = ["the mat", "Paris, France", "", "on and on and on"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def ranking(folder: Path) -> Iterator[Model]:
    with Model.load(write_bert(folder / "bert.gguf")) as model:
        yield model


@pytest.fixture(scope="module")
def reranker(ranking: Model) -> Iterator[Reranker]:
    with Reranker(ranking) as made:
        yield made


def test_scores_are_in_the_documents_order(reranker: Reranker) -> None:
    scores = reranker.scores("where is it?", DOCUMENTS)
    assert scores.shape == (4,)
    assert ((scores > 0) & (scores < 1)).all()
    alone = [reranker.scores("where is it?", [document])[0] for document in DOCUMENTS]
    assert scores == pytest.approx(alone, abs=0.01)
    assert reranker.scores("a", []).shape == (0,)


def test_raw_scores_are_log_odds(reranker: Reranker) -> None:
    raw = reranker.scores("where is it?", DOCUMENTS, raw=True)
    scores = reranker.scores("where is it?", DOCUMENTS)
    assert scores == pytest.approx(1 / (1 + np.exp(-raw)))


def test_the_best_come_first(reranker: Reranker) -> None:
    scores = reranker.scores("where is it?", DOCUMENTS)
    ranked = reranker.rank("where is it?", DOCUMENTS)
    assert [index for index, _ in ranked] == np.argsort(-scores).tolist()
    assert dict(ranked) == pytest.approx(dict(enumerate(scores)))
    assert reranker.rank("where is it?", DOCUMENTS, top_n=2) == ranked[:2]


def test_a_causal_model_ranks_too(folder: Path) -> None:
    with Model.load(write_qwen(folder / "qwen.gguf")) as model, Reranker(model) as reranker:
        assert len(set(reranker.scores("where is it?", DOCUMENTS))) == len(DOCUMENTS)


def test_threads_share_a_reranker(reranker: Reranker) -> None:
    expected = reranker.scores("q", DOCUMENTS)
    with ThreadPoolExecutor(4) as pool:
        for scores in pool.map(lambda _: reranker.scores("q", DOCUMENTS), range(8)):
            assert scores == pytest.approx(expected, abs=0.01)


def test_a_pair_that_is_too_long_is_named(ranking: Model) -> None:
    with (
        Reranker(ranking, n_ctx=20) as reranker,
        pytest.raises(ContextLengthExceeded, match=r"Input 1 has \d+ tokens.*20"),
    ):
        reranker.scores("q", ["a", "word " * 20])


def test_a_model_that_ranks_does_not_embed_and_the_other_way_round(
    ranking: Model, minilm_model: Path
) -> None:
    with pytest.raises(ModelError, match="reranking model"):
        EmbeddingGenerator(ranking)
    with Model.load(minilm_model) as minilm, pytest.raises(ModelError, match="no rank head"):
        Reranker(minilm)


def test_a_model_that_can_not_part_texts_is_refused(folder: Path) -> None:
    bare = {"tokenizer.ggml.pre": "gpt-2", "tokenizer.ggml.add_eos_token": False}
    with (
        Model.load(write_bert(folder / "bare.gguf", **bare)) as model,
        Reranker(model) as reranker,
        pytest.raises(ModelError, match="no template for reranking"),
    ):
        reranker.scores("q", ["a"])


def test_wrong_arguments_are_refused(ranking: Model, reranker: Reranker) -> None:
    with pytest.raises(InvalidRequest, match="list"):
        reranker.scores("q", "abc")
    with pytest.raises(InvalidRequest, match="least is 0"):
        Reranker(ranking, n_ctx=-1)
    with pytest.raises(InvalidRequest, match="n_threads is -1; the least is 0"):
        Reranker(ranking, n_threads=-1)
    with pytest.raises(InvalidRequest, match="whole number"):
        Reranker(ranking, n_ctx="8")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="whole number"):
        reranker.rank("q", ["a"], top_n=1.5)  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="least is 0"):
        reranker.rank("q", ["a"], top_n=-1)


def test_a_closed_reranker_is_an_error(ranking: Model) -> None:
    reranker = Reranker(ranking)
    reranker.close()
    reranker.close()
    with pytest.raises(InvalidRequest, match="This Reranker is closed"):
        reranker.scores("q", ["a"])
