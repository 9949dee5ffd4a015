"""Embeddings: right against the reference, the same however they are packed, never cut off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mullama.errors import InternalError, InvalidRequest, ModelError
from mullama.llama import embedder as embedder_module
from mullama.llama.batch import Batch
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.embedder import LlamaEmbedder, Span, packed, spans
from mullama.llama.model import LlamaModel
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from mullama.types import Token
from tests.gguf_models import N_EMBD

CHANCE = np.random.default_rng(1)


def unit(vector: bytes | list[float]) -> np.ndarray[Any, Any]:
    array = np.frombuffer(vector, np.float32) if isinstance(vector, bytes) else np.array(vector)
    return array / np.linalg.norm(array)


def tokens(n: int) -> list[Token]:
    return [int(token) for token in CHANCE.integers(5, 260, n)]


@pytest.fixture(scope="module")
def bert(encoder: LlamaModel) -> Iterator[LlamaEmbedder]:
    with LlamaEmbedder(encoder, n_threads=1) as embedder:
        yield embedder


@pytest.fixture
def causal(model: LlamaModel) -> Iterator[Callable[[str | None], LlamaEmbedder]]:
    """`causal(pooling)`: the random model's embedder, as if its header said so."""
    made: list[LlamaEmbedder] = []

    def make(pooling: str | None) -> LlamaEmbedder:
        twin = LlamaModel(model.handle, replace(model.info, pooling=pooling), vocab_only=False)
        made.append(LlamaEmbedder(twin, n_threads=1))
        return made[-1]

    yield make
    for embedder in made:
        embedder.close()


# ----------------------------------------------------------------------------------------- encoders


def test_the_reference_vectors(
    shared_data: Callable[[str], Path], encoder: LlamaModel, bert: LlamaEmbedder
) -> None:
    reference = json.loads(shared_data("minilm/reference.json").read_text())
    vocab = LlamaVocab(encoder)
    inputs = [vocab.tokenize(text) for text in reference["texts"]]
    vectors = bert.embed(inputs[:10]) + bert.embed(inputs[10:])
    for vector, expected in zip(vectors, reference["embeddings"], strict=True):
        assert unit(vector) @ unit(expected) >= 0.9999


def test_the_sizes_of_an_encoder(bert: LlamaEmbedder) -> None:
    assert (bert.n_embd, bert.n_ctx, bert.n_batch, bert.n_lanes) == (384, 512, 256, 64)
    assert [len(vector) for vector in bert.embed([[101, 2000, 102]])] == [384 * 4]


def test_inputs_do_not_see_those_packed_with_them(bert: LlamaEmbedder) -> None:
    inputs = [[101, *tokens(n), 102] for n in (1, 7, 30, 200)]
    alone = [bert.embed([each])[0] for each in inputs]
    for together, each in zip(bert.embed(inputs), alone, strict=True):
        assert unit(together) @ unit(each) > 0.99999


def test_as_many_inputs_as_there_are_lanes(bert: LlamaEmbedder) -> None:
    inputs = [[101, 1000 + i, 102] for i in range(bert.n_lanes)]
    vectors = bert.embed(inputs)
    assert len({bytes(vector) for vector in vectors}) == bert.n_lanes


def test_the_longest_input(bert: LlamaEmbedder) -> None:
    (vector,) = bert.embed([[101, *tokens(bert.n_ctx - 2), 102]])
    assert np.isfinite(unit(vector)).all()


def test_nothing_of_nothing(bert: LlamaEmbedder) -> None:
    assert bert.embed([]) == []


@pytest.mark.parametrize(
    "inputs", [[[5] * 513], [[5] * 300, [5] * 300], [[5]] * 65, [[]], [[5], []]]
)
def test_what_does_not_fit_is_refused_not_cut(
    bert: LlamaEmbedder, inputs: list[list[Token]]
) -> None:
    with pytest.raises(InternalError, match="can't be embedded"):
        bert.embed(inputs)


def test_a_shorter_context_is_kept(encoder: LlamaModel) -> None:
    with LlamaEmbedder(encoder, n_ctx=100, n_threads=1) as embedder:
        assert (embedder.n_ctx, embedder.n_batch, embedder.n_lanes) == (100, 100, 64)
        embedder.embed([[5] * 100])
        with pytest.raises(InternalError, match="at most 64 inputs and 100 tokens"):
            embedder.embed([[5] * 101])


def test_no_context_is_longer_than_the_models(encoder: LlamaModel) -> None:
    with LlamaEmbedder(encoder, n_ctx=100_000, n_threads=1) as embedder:
        assert embedder.n_ctx == 512


def test_one_long_input_may_be_longer_than_a_packed_batch(
    encoder: LlamaModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedder_module, "N_PACKED", 64)
    with LlamaEmbedder(encoder, n_threads=1) as embedder:
        assert (embedder.n_batch, embedder.n_ctx) == (64, 512)
        embedder.embed([[5] * 512])
        with pytest.raises(InternalError):
            embedder.embed([[5] * 40, [5] * 40])


# ------------------------------------------------------------------------------------ causal models


def pooled_by_llama_cpp(model: LlamaModel, pooling: str, inputs: list[Token]) -> bytes:
    """The whole input in one micro-batch."""
    options = ContextOptions(
        n_ctx=512, n_batch=512, n_ubatch=512, n_outputs=512, embeddings=True, pooling=pooling
    )
    with LlamaContext(model, options) as context:
        batch = Batch(512)
        batch.add(inputs, 0, 0, wanted=True)
        context.decode(batch)
        return context.pooled(0, N_EMBD).tobytes()


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
@pytest.mark.parametrize("n", [1, 2, 128, 129, 500])
def test_pooling_in_pieces_is_that_of_llama_cpp(
    causal: Callable[[str | None], LlamaEmbedder], model: LlamaModel, pooling: str, n: int
) -> None:
    inputs = tokens(n)
    (vector,) = causal(pooling).embed([inputs])
    assert unit(vector) @ unit(pooled_by_llama_cpp(model, pooling, inputs)) > 0.9999


@pytest.mark.parametrize("said", [None, "none"])
def test_a_model_without_pooling_gets_the_mean(
    causal: Callable[[str | None], LlamaEmbedder], said: str | None
) -> None:
    inputs = tokens(20)
    assert causal(said).embed([inputs]) == causal("mean").embed([inputs])


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_calls_and_inputs_of_a_causal_model_do_not_see_each_other(
    causal: Callable[[str | None], LlamaEmbedder], pooling: str
) -> None:
    embedder = causal(pooling)
    first, second = tokens(30), tokens(200)
    alone = [embedder.embed([each])[0] for each in (first, second)]
    for together, each in zip(embedder.embed([first, second]), alone, strict=True):
        assert unit(together) @ unit(each) > 0.99999


@pytest.mark.parametrize(
    ("pooling", "passed", "wanted"),
    [
        ("mean", [], [(0, 0, 3), (1, 0, 1)]),
        ("cls", [], [(0, 0, 1), (1, 0, 1)]),
        ("last", [(0, 0, 2), (1, 0, 0)], [(0, 2, 3), (1, 0, 1)]),
    ],
)
def test_only_rows_that_the_pooling_looks_at_are_wanted(
    pooling: str, passed: list[Span], wanted: list[Span]
) -> None:
    assert spans([3, 1], pooling) == (passed, wanted)


@given(lengths=st.lists(st.integers(1, 40)), n_rows=st.integers(1, 50))
def test_packing_keeps_rows_in_order_and_fills_batches(lengths: list[int], n_rows: int) -> None:
    whole = [(lane, 0, n) for lane, n in enumerate(lengths)]
    batches = list(packed(whole, n_rows))
    sizes = [sum(end - start for _, start, end in batch) for batch in batches]
    assert sum(sizes) == sum(lengths)
    assert all(size == n_rows for size in sizes[:-1])
    rows = [(lane, pos) for batch in batches for lane, a, b in batch for pos in range(a, b)]
    assert rows == [(lane, pos) for lane, n in enumerate(lengths) for pos in range(n)]


# ------------------------------------------------------------------------------ what has no vector


def test_a_vocabulary_alone_has_no_embeddings(random_file: Path) -> None:
    info = read_info(random_file)
    with (
        LlamaModel.load(info, vocab_only=True) as vocabulary,
        pytest.raises(ModelError, match="only its vocabulary is loaded"),
    ):
        LlamaEmbedder(vocabulary)


def test_a_computation_that_fails_leaves_nothing_behind(encoder: LlamaModel) -> None:
    with LlamaEmbedder(encoder, n_threads=1) as embedder:
        embedder.abort()
        with pytest.raises(ModelError, match="could not be computed"):
            embedder.embed([[101, 102]])
        assert embedder.embed([[101, 102]])


def test_a_closed_embedder_can_not_be_used(encoder: LlamaModel) -> None:
    embedder = LlamaEmbedder(encoder, n_threads=1)
    embedder.close()
    with pytest.raises(InvalidRequest, match="The context is closed"):
        embedder.embed([[101, 102]])
