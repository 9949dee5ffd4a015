"""Texts to be embedded or ranked fit, or are refused with numbers; raw outputs become answers."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mullama.errors import ContextLengthExceeded, InvalidRequest, ModelError
from mullama.host import inputs
from mullama.types import EmbedRequest, RerankRequest, Token
from tests.host.fakes import BOS, EOS, Vocab

N_VOCAB = Vocab.n_tokens
N_CTX = 10


def plain(text: str) -> list[Token]:
    return Vocab().tokenize(text, add_special=False)


def to_embed(*items: Any, vocab: Vocab | None = None, **fields: Any) -> list[Sequence[Token]]:
    request = EmbedRequest(items, **fields)
    return inputs.to_embed(vocab or Vocab(), request, n_embd=4, n_ctx=N_CTX)


def to_rank(query: str, *documents: str, **fields: Any) -> list[Sequence[Token]]:
    return inputs.to_rank(Vocab(), RerankRequest(query, documents, **fields), n_ctx=N_CTX)


def vectors(*rows: Sequence[float]) -> list[bytes]:
    return [struct.pack(f"<{len(row)}f", *row) for row in rows]


def unpacked(rows: Sequence[bytes]) -> list[list[float]]:
    return [list(struct.unpack(f"<{len(row) // 4}f", row)) for row in rows]


# ---------------------------------------------------------------------------------------- embedding


def test_inputs_get_the_models_special_tokens_and_token_lists_do_not() -> None:
    assert to_embed("ab", (5, 6)) == [[BOS, *plain("ab"), EOS], (5, 6)]


@pytest.mark.parametrize("dimensions", [-1, 0, 5])
def test_dimensions_beyond_the_models_are_refused(dimensions: int) -> None:
    with pytest.raises(InvalidRequest, match=r"4\s+components") as caught:
        to_embed("a", dimensions=dimensions)
    assert caught.value.param == "dimensions"


def test_an_input_without_any_token_is_named() -> None:
    for item in ("", ()):
        with pytest.raises(InvalidRequest, match=r"input\[1\] is empty"):
            to_embed("a", item, vocab=Vocab(bos=None))


def test_a_token_out_of_range_in_an_input_is_named() -> None:
    with pytest.raises(InvalidRequest, match=f"input holds token {N_VOCAB},"):
        to_embed("a", (1, N_VOCAB))


def test_an_input_that_is_too_long_is_refused_with_both_numbers() -> None:
    assert len(to_embed("a" * 8)[0]) == N_CTX
    for item in ("a" * 9, (1,) * 11):
        with pytest.raises(ContextLengthExceeded, match=r"input\[1\] has 11 tokens.*10") as caught:
            to_embed("a", item)
        assert caught.value.param == "input"
        assert "truncate" in caught.value.message


def test_a_cut_text_keeps_the_tokens_around_it() -> None:
    text = "abcdefghijkl"
    assert to_embed(text, truncate=0) == [[BOS, *plain(text[:8]), EOS]]
    assert to_embed(text, truncate=5) == [[BOS, *plain("abc"), EOS]]
    assert to_embed(text, truncate=99) == [[BOS, *plain(text[:8]), EOS]]
    assert to_embed("ab", truncate=4) == [[BOS, *plain("ab"), EOS]]
    assert to_embed("abc", truncate=1) == [[BOS]]


def test_cut_tokens_end_as_they_did() -> None:
    assert to_embed((1, 2, 3, 4), truncate=3) == [(1, 2, 3)]
    assert to_embed((1, 2, 3, EOS), truncate=3) == [[1, 2, EOS]]
    assert to_embed("abcdef", vocab=Vocab(adds=False), truncate=3) == [plain("abc")]


def test_only_what_is_too_long_is_cut() -> None:
    assert [len(tokens) for tokens in to_embed("a", "a" * 50, (1, 2), truncate=0)] == [3, N_CTX, 2]


def test_vectors_are_scaled_to_unit_length() -> None:
    answer = inputs.embedded(
        vectors([3, 4, 0], [0, 0, 2]), dimensions=None, normalize=True, n_tokens=9
    )
    assert unpacked(answer.vectors) == [pytest.approx([0.6, 0.8, 0]), [0, 0, 1]]
    assert (answer.n_embd, answer.n_tokens) == (3, 9)


def test_vectors_are_left_as_they_are_if_asked() -> None:
    answer = inputs.embedded(vectors([3, 4, 0]), dimensions=None, normalize=False, n_tokens=1)
    assert unpacked(answer.vectors) == [[3, 4, 0]]


def test_fewer_dimensions_are_the_first_ones_normalized_again() -> None:
    answer = inputs.embedded(
        vectors([3, 4, 12], [0, 5, 1]), dimensions=2, normalize=True, n_tokens=1
    )
    assert unpacked(answer.vectors) == [pytest.approx([0.6, 0.8]), [0, 1]]
    assert answer.n_embd == 2


def test_a_vector_of_zeros_stays_so() -> None:
    answer = inputs.embedded(vectors([0, 0]), dimensions=None, normalize=True, n_tokens=1)
    assert unpacked(answer.vectors) == [[0, 0]]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_is_an_error(bad: float) -> None:
    with pytest.raises(ModelError, match="NaN or infinity instead of a vector"):
        inputs.embedded(vectors([1, bad]), dimensions=None, normalize=True, n_tokens=1)
    with pytest.raises(ModelError, match="NaN or infinity instead of a score"):
        inputs.ranked(vectors([1], [bad]), raw=False, n_tokens=1)


def test_vectors_are_contiguous_float32() -> None:
    answer = inputs.embedded(
        vectors([1, 2, 3], [4, 5, 6]), dimensions=2, normalize=False, n_tokens=1
    )
    assert [np.frombuffer(row, "<f4").tolist() for row in answer.vectors] == [[1, 2], [4, 5]]


# ---------------------------------------------------------------------------------------- reranking


def test_the_query_goes_with_each_document() -> None:
    assert to_rank("ab", "c", "") == [
        [BOS, *plain("ab"), EOS, *plain("c"), EOS],
        [BOS, *plain("ab"), EOS, EOS],
    ]


def test_a_pair_that_is_too_long_is_refused_with_both_numbers() -> None:
    assert len(to_rank("ab", "c" * 5)[0]) == N_CTX
    with pytest.raises(ContextLengthExceeded, match=r"documents\[1\] has 11 tokens.*10") as caught:
        to_rank("ab", "c", "c" * 6)
    assert caught.value.param == "documents"


def test_a_pair_is_cut_at_the_documents_end() -> None:
    assert to_rank("ab", "cdefghijk", truncate=0) == [
        [BOS, *plain("ab"), EOS, *plain("cdefg"), EOS]
    ]
    assert to_rank("ab", "cdefg", truncate=6) == [[BOS, *plain("ab"), EOS, *plain("c"), EOS]]
    assert to_rank("ab", "c", truncate=6) == to_rank("ab", "c")


def test_a_query_that_leaves_no_room_is_refused_though_cutting_is_allowed() -> None:
    with pytest.raises(ContextLengthExceeded, match="10 of 10 tokens") as caught:
        to_rank("a" * 7, "c", truncate=0)
    assert caught.value.param == "query"


def test_documents_alone_can_be_limited() -> None:
    assert to_rank("ab", "cdef", "c", max_document=2) == to_rank("ab", "cd", "c")
    with pytest.raises(ContextLengthExceeded):
        to_rank("abcdef", "cdef", max_document=2)


def test_a_vocabulary_that_can_not_part_texts_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no template for reranking") as caught:
        inputs.to_rank(Vocab(pairs=False), RerankRequest("a", ("b",)), n_ctx=N_CTX)
    assert caught.value.param == "model"


def test_scores_are_probabilities_or_as_the_model_says() -> None:
    log_odds = vectors([0], [math.log(3)], [-1e4], [1e4])
    assert inputs.ranked(log_odds, raw=False, n_tokens=8).scores == pytest.approx((0.5, 0.75, 0, 1))
    raw = inputs.ranked(log_odds, raw=True, n_tokens=8)
    assert raw.scores == pytest.approx((0, math.log(3), -1e4, 1e4))
    assert raw.n_tokens == 8
