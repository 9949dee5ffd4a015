"""Reranking models: a head's numbers are right, and pairs are as llama.cpp's server makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mullama.llama import pairs
from mullama.llama.batch import Batch
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.embedder import LlamaEmbedder, log_odds
from mullama.llama.model import LlamaModel
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from mullama.types import Pair, Token
from tests.gguf_models import BOS, EOS, N_EMBD
from tests.rank_models import TEMPLATE, bert_head, qwen_head, write_bert, write_qwen

Array = np.ndarray[Any, Any]

DOCUMENTS = ("the cat", "on and on", "a cat sat on the mat. " * 3, "", "Paris")


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    path = write_bert(tmp_path_factory.mktemp("models") / "bert.gguf")
    with LlamaModel.load(read_info(path)) as model:
        yield model


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    path = write_qwen(tmp_path_factory.mktemp("models") / "qwen.gguf")
    with LlamaModel.load(read_info(path)) as model:
        yield model


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Callable[[Path], LlamaModel]]:
    loaded: list[LlamaModel] = []

    def load(path: Path) -> LlamaModel:
        loaded.append(LlamaModel.load(read_info(path)))
        return loaded[-1]

    yield load
    for model in loaded:
        model.close()


def inputs(model: LlamaModel) -> list[list[Token]]:
    vocab = LlamaVocab(model)
    found = [vocab.pair("where is it?", document) for document in DOCUMENTS]
    return [list(pair.tokens) for pair in found if pair is not None]


def scores(vectors: list[bytes]) -> list[float]:
    return [float(np.frombuffer(vector, np.float32).item()) for vector in vectors]


def hidden(model: LlamaModel, pooling: str, tokens: list[Token]) -> Array:
    """The row that a head looks at, computed by llama.cpp alone."""
    options = ContextOptions(
        n_ctx=512, n_batch=512, n_ubatch=512, n_outputs=512, embeddings=True, pooling=pooling,
        flash_attn="off",
    )  # fmt: skip
    with LlamaContext(model, options) as context:
        batch = Batch(512)
        batch.add(tokens, 0, 0, wanted=True)
        context.decode(batch)
        return context.pooled(0, N_EMBD).copy()


def bert_outputs(row: Array, n_outputs: int = 1) -> Array:
    head = bert_head(n_outputs)
    dense = np.tanh(head["cls.weight"] @ row + head["cls.bias"])
    outputs: Array = head["cls.output.weight"] @ dense + head["cls.output.bias"]
    return outputs


def test_an_encoders_scores_are_its_heads(bert: LlamaModel) -> None:
    expected = [float(bert_outputs(hidden(bert, "cls", each))[0]) for each in inputs(bert)]
    assert np.ptp(expected) > 0.5
    with LlamaEmbedder(bert, n_threads=1, flash_attn="off") as ranker:
        assert (ranker.ranks, ranker.n_embd, ranker.n_ctx) == (True, 1, 512)
        found = scores(ranker.embed(inputs(bert)[:3]) + ranker.embed(inputs(bert)[3:]))
    assert found == pytest.approx(expected, abs=1e-3)


def test_a_causal_models_scores_are_its_heads_log_odds(qwen: LlamaModel) -> None:
    rows = [hidden(qwen, "last", each) for each in inputs(qwen)]
    logits = [qwen_head()["cls.output.weight"] @ row for row in rows]
    expected = [float(yes - no) for yes, no in logits]
    assert np.ptp(expected) > 0.5
    with LlamaEmbedder(qwen, n_threads=1, flash_attn="off") as ranker:
        assert (ranker.ranks, ranker.n_embd, ranker.n_ctx) == (True, 1, 512)
        found = scores(ranker.embed(inputs(qwen)))
    assert found == pytest.approx(expected, abs=5e-3)


@pytest.mark.parametrize("kind", ["bert", "qwen"])
def test_pairs_do_not_see_those_packed_with_them(kind: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(kind)
    with LlamaEmbedder(model, n_threads=1) as ranker:
        alone = [ranker.embed([each])[0] for each in inputs(model)]
        together = scores(ranker.embed(inputs(model)))
        assert together == pytest.approx(scores(alone), abs=0.05)
        longest = [int(t) for t in np.random.default_rng(1).integers(5, 260, ranker.n_ctx)]
        assert np.isfinite(scores(ranker.embed([longest]))).all()
        assert scores(ranker.embed(inputs(model))) == together


def test_of_several_outputs_the_first_is_set_against_the_others(
    tmp_path: Path, load: Callable[[Path], LlamaModel]
) -> None:
    model = load(write_bert(tmp_path / "three.gguf", n_outputs=3))
    tokens = inputs(model)[0]
    outputs = bert_outputs(hidden(model, "cls", tokens), 3)
    with LlamaEmbedder(model, n_threads=1, flash_attn="off") as ranker:
        (found,) = scores(ranker.embed([tokens]))
    others = np.log(np.exp(outputs[1:]).sum())
    assert found == pytest.approx(float(outputs[0] - others), abs=1e-3)


def test_log_odds_of_probabilities_and_of_logits() -> None:
    def of(*values: float, softmax: bool = False) -> float:
        return scores([log_odds(np.array(values, np.float32), softmax=softmax)])[0]

    assert of(-2.5) == -2.5
    assert of(1, 3) == -2
    assert of(0.8, 0.2, softmax=True) == pytest.approx(np.log(4))
    assert of(0.8, 0.1, 0.1, softmax=True) == pytest.approx(np.log(4))
    assert of(1, 0, softmax=True) == -of(0, 1, softmax=True)
    assert 80 < of(1, 0, softmax=True) < 100


# -------------------------------------------------------------------------------------------- pairs


def test_a_vocabulary_parts_texts_with_the_tokens_that_it_wants(bert: LlamaModel) -> None:
    vocab = LlamaVocab(bert)
    query, document = (vocab.tokenize(text, add_special=False) for text in ("the", "a cat"))
    assert vocab.pair("the", "a cat") == Pair(
        [BOS, *query, EOS, EOS, *document, EOS], len(query) + 3, len(query) + 3 + len(document)
    )


def test_control_tokens_in_texts_are_text_where_there_is_no_template(bert: LlamaModel) -> None:
    pair = LlamaVocab(bert).pair("<|end|>", "<|begin|>")
    assert pair is not None
    assert [token for token in pair.tokens if token in (BOS, EOS)] == [BOS, EOS, EOS, EOS]


def test_a_model_that_parts_nothing_makes_no_pair(vocab: LlamaVocab) -> None:
    assert vocab.pair("a", "b") is None


@pytest.mark.parametrize(("sep", "between"), [(None, [2]), (3, [2, 3])])
def test_a_separator_stands_between_texts_that_end(sep: int | None, between: list[int]) -> None:
    pair = pairs.by_tokens([7], [8], bos=1, eos=2, sep=sep)
    assert pair == Pair([1, 7, *between, 8, 2], 2 + len(between), 3 + len(between))


def test_a_separator_alone_is_enough() -> None:
    assert pairs.by_tokens([7], [], bos=None, eos=None, sep=3) == Pair([7, 3], 2, 2)


def test_the_models_template_is_filled(qwen: LlamaModel) -> None:
    vocab = LlamaVocab(qwen)
    text = TEMPLATE.replace("{query}", "the cat").replace("{document}", "a mat")
    pair = vocab.pair("the cat", "a mat")
    assert pair is not None
    assert pair.tokens == vocab.tokenize(text, add_special=False, parse_special=True)
    assert pair.tokens[0] == BOS
    assert list(pair.tokens[pair.end :]) == [EOS]
    assert vocab.detokenize(pair.tokens[pair.start : pair.end]) == "a mat"


def letters(text: str) -> list[Token]:
    return [ord(letter) for letter in text]


def filled(template: str, query: str, document: str) -> tuple[str, str]:
    """The whole text, and the document as the pair has it."""
    pair = pairs.by_template(template, query, document, letters)
    text = "".join(map(chr, pair.tokens))
    return text, text[pair.start : pair.end]


def test_what_a_text_contains_is_no_place_for_the_other_one() -> None:
    assert filled("{query}-{document}", "{document}", "{query}") == (
        "{document}-{query}",
        "{query}",
    )


def test_the_document_may_come_first_and_more_than_once() -> None:
    assert filled("[{document}|{query}]", "q", "doc") == ("[doc|q]", "doc")
    assert filled("{document}.{query}.{document}!", "q", "doc") == ("doc.q.doc!", "doc")


def test_a_token_over_the_documents_edge_moves_it() -> None:
    """`letters`, but "ab" is one token."""

    def merging(text: str) -> list[Token]:
        return letters(text.replace("ab", "!"))

    pair = pairs.by_template("{query}a{document}", "q", "b", merging)
    assert pair == Pair(letters("q!"), 2, 2)


@pytest.mark.parametrize("text", ["", "{query}", "{document}", "{ query } {document}"])
def test_a_template_has_a_place_for_both(text: str) -> None:
    assert not pairs.is_template(text)
    assert pairs.is_template(text + "{query}{document}")
