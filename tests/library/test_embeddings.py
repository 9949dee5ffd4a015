"""Texts as vectors."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mullama import (
    Context,
    ContextLengthExceeded,
    EmbeddingGenerator,
    InvalidRequest,
    Model,
    ModelError,
    cosine_similarity,
)
from mullama.llama.embedder import LlamaEmbedder
from mullama.llama.model import LlamaModel


@pytest.fixture(scope="module")
def minilm(minilm_model: Path) -> Iterator[Model]:
    with Model.load(minilm_model) as model:
        yield model


@pytest.fixture(scope="module")
def generator(minilm: Model) -> Iterator[EmbeddingGenerator]:
    with EmbeddingGenerator(minilm) as made:
        yield made


def test_a_text_is_a_vector(generator: EmbeddingGenerator) -> None:
    vector = generator.embed("Hello, world")
    assert vector.shape == (generator.n_embd,) == (384,)
    assert vector.dtype == np.float32
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_texts_are_vectors_in_order(generator: EmbeddingGenerator) -> None:
    texts = ["a cat", "a much longer text about something else entirely", "a dog"]
    vectors = generator.embed_batch(texts)
    assert vectors.shape == (3, 384)
    for vector, text in zip(vectors, texts, strict=True):
        assert cosine_similarity(vector, generator.embed(text)) > 0.9999
    assert generator.embed_batch([]).shape == (0, 384)


def test_like_texts_are_near(generator: EmbeddingGenerator) -> None:
    cat, kitten, tax = generator.embed_batch(["a cat", "a kitten", "income tax"])
    assert cosine_similarity(cat, kitten) > cosine_similarity(cat, tax) + 0.2


def test_vectors_are_those_of_the_reference(
    generator: EmbeddingGenerator, shared_data: Callable[[str], Path]
) -> None:
    reference = json.loads(shared_data("minilm/reference.json").read_text())
    texts, expected = reference["texts"], reference["embeddings"]
    for found, vector in zip(generator.embed_batch(texts), expected, strict=True):
        assert cosine_similarity(found, vector) > 0.9999


def test_without_normalizing_vectors_keep_their_length(minilm: Model) -> None:
    with EmbeddingGenerator(minilm, normalize=False) as raw:
        vector = raw.embed("Hello, world")
        assert abs(np.linalg.norm(vector) - 1) > 0.01
        vector *= 2  # the caller's own


def test_a_chat_model_embeds_too(model: Model) -> None:
    with EmbeddingGenerator(model, n_ctx=512, normalize=True) as generator:
        assert generator.embed_batch(["Hello world", "Goodbye world"]).shape == (2, model.n_embd)


def test_threads_share_a_generator(generator: EmbeddingGenerator) -> None:
    expected = generator.embed("text 3")
    found: list[float] = []

    def work() -> None:
        vectors = generator.embed_batch([f"text {i}" for i in range(8)])
        found.append(cosine_similarity(vectors[3], expected))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert min(found) > 0.9999


def test_a_text_that_is_too_long_is_named(minilm: Model) -> None:
    with (
        EmbeddingGenerator(minilm, n_ctx=16) as generator,
        pytest.raises(ContextLengthExceeded, match="Input 1"),
    ):
        generator.embed_batch(["short", "word " * 50])


def test_a_single_text_is_no_list_of_letters(generator: EmbeddingGenerator) -> None:
    with pytest.raises(InvalidRequest, match="list"):
        generator.embed_batch("hello")


def test_an_embedding_model_generates_nothing(minilm: Model) -> None:
    with Context(minilm, embeddings=True) as context:
        context.decode(minilm.tokenize("hello"))
        assert context.get_embeddings() is not None
        with pytest.raises(InvalidRequest, match="embeddings"):
            context.generate("hello")


def test_a_negative_context_is_refused(minilm: Model) -> None:
    with pytest.raises(InvalidRequest) as caught:
        EmbeddingGenerator(minilm, n_ctx=-1)
    assert caught.value.param == "n_ctx"


def test_how_a_generator_computes_is_said_as_of_a_context(
    minilm: Model, generator: EmbeddingGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took no word on threads and offloading; a server's embeddings obeyed them."""
    told: dict[str, object] = {}
    init = LlamaEmbedder.__init__

    def noting(self: LlamaEmbedder, model: LlamaModel, **options: Any) -> None:
        told.update(options)
        init(self, model, **options)

    monkeypatch.setattr(LlamaEmbedder, "__init__", noting)
    said = {"n_threads": 1, "flash_attn": "off", "kv_offload": False, "op_offload": False}
    with EmbeddingGenerator(minilm, 64, **said) as told_so:  # type: ignore[arg-type]
        assert cosine_similarity(told_so.embed("hello"), generator.embed("hello")) > 0.999
    assert told == {"n_ctx": 64, **said}


@pytest.mark.parametrize(
    ("name", "value"), [("n_threads", -1), ("flash_attn", "maybe"), ("kv_offload", "no")]
)
def test_a_generator_s_wrong_option_is_refused_by_name(
    minilm: Model, name: str, value: Any
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        EmbeddingGenerator(minilm, **{name: value})
    assert caught.value.param == name


def test_what_is_not_a_number_is_an_error(
    generator: EmbeddingGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = np.full(384, np.nan, np.float32).tobytes()
    monkeypatch.setattr(LlamaEmbedder, "embed", lambda self, inputs: [nan] * len(inputs))
    with pytest.raises(ModelError, match="NaN"):
        generator.embed("hello")


def test_a_closed_generator_is_an_error(minilm: Model) -> None:
    generator = EmbeddingGenerator(minilm)
    generator.close()
    generator.close()
    with pytest.raises(InvalidRequest, match="closed"):
        generator.embed("hello")


def test_cosine_similarity_is_about_directions() -> None:
    assert cosine_similarity([1, 0], [5, 0]) == pytest.approx(1)
    assert cosine_similarity([1, 0], [0, 1]) == 0
    assert cosine_similarity(np.float32([1, 2]), [-1, -2]) == pytest.approx(-1)  # type: ignore[arg-type]
    assert cosine_similarity([0, 0], [1, 1]) == 0
    with pytest.raises(InvalidRequest, match="same length"):
        cosine_similarity([1, 2], [1, 2, 3])
