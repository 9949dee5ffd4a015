"""The tokenizer: llama.cpp's own vectors, text of all kinds, and tokens that there are not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mullama.errors import InvalidRequest
from mullama.llama.model import LlamaModel
from mullama.llama.vocab import LlamaVocab
from mullama.models.gguf import read_info
from tests.gguf_models import BOS, EOS, FIM_MIDDLE, FIM_PREFIX, FIM_SUFFIX, vocabulary, write_model

VOCABULARIES = ["bert-bge", "gpt-2", "llama-bpe", "llama-spm", "phi-3", "qwen2"]
SEPARATOR = "\n__ggml_vocab_test__\n"


@pytest.mark.parametrize("name", VOCABULARIES)
def test_the_vectors_of_llama_cpp(shared_data: Callable[[str], Path], name: str) -> None:
    path = shared_data(f"vocab/ggml-vocab-{name}.gguf")
    text = path.with_suffix(".gguf.inp").read_bytes().decode()
    texts = text.removesuffix(SEPARATOR).split(SEPARATOR)
    answers = path.with_suffix(".gguf.out").read_text().splitlines()
    assert len(texts) == len(answers) > 40
    with LlamaModel.load(read_info(path), vocab_only=True) as model:
        vocab = LlamaVocab(model)
        for text, answer in zip(texts, answers, strict=True):
            expected = [int(token) for token in answer.split()]
            assert vocab.tokenize(text, add_special=False) == expected, text


def test_special_tokens_are_text_unless_parsed(vocab: LlamaVocab) -> None:
    assert vocab.tokenize("<|end|>", add_special=False, parse_special=True) == [EOS]
    plain = vocab.tokenize("<|end|>", add_special=False)
    assert EOS not in plain
    assert vocab.detokenize(plain) == "<|end|>"


def test_bos_is_added_where_the_model_wants_it(vocab: LlamaVocab) -> None:
    assert vocab.tokenize("the")[0] == BOS
    assert vocab.tokenize("") == [BOS]
    assert vocab.tokenize("", add_special=False) == []


def test_the_special_tokens(vocab: LlamaVocab) -> None:
    assert (vocab.bos, vocab.eos, vocab.eog) == (BOS, EOS, frozenset({EOS}))
    assert vocab.suppressed == ()
    assert vocab.n_tokens == len(vocabulary())


def test_tokens_that_must_not_be_drawn(tmp_path: Path) -> None:
    never = {"tokenizer.ggml.suppress_tokens": [7, 9]}
    path = write_model(tmp_path / "m.gguf", metadata=never, tensors=False)
    with LlamaModel.load(read_info(path), vocab_only=True) as model:
        assert LlamaVocab(model).suppressed == (7, 9)


@example(" .")  # llama.cpp's own detokenizer drops the space
@given(st.text())
def test_text_comes_back_as_it_was(vocab: LlamaVocab, text: str) -> None:
    tokens = vocab.tokenize(text, add_special=False)
    assert vocab.detokenize(tokens) == text
    assert b"".join(vocab.piece(token) for token in tokens) == text.encode()


def test_a_nul_is_text_like_any_other(vocab: LlamaVocab) -> None:
    tokens = vocab.tokenize("a\0b", add_special=False)
    assert vocab.detokenize(tokens) == "a\0b"


def test_half_a_surrogate_pair_is_refused_by_place(vocab: LlamaVocab) -> None:
    with pytest.raises(InvalidRequest, match=r"U\+D83D, stands at character 2"):
        vocab.tokenize("ab\ud83d")


def test_a_long_text_is_tokenized_whole(vocab: LlamaVocab) -> None:
    text = "the hen in a tin " * 60_000
    assert vocab.detokenize(vocab.tokenize(text, add_special=False)) == text


def test_more_tokens_than_bytes_are_all_there(shared_data: Callable[[str], Path]) -> None:
    """A vocabulary that adds a space in front can need more tokens than the text has bytes."""
    path = shared_data("vocab/ggml-vocab-llama-spm.gguf")
    with LlamaModel.load(read_info(path), vocab_only=True) as model:
        vocab = LlamaVocab(model)
        assert vocab.detokenize(vocab.tokenize("\x01\x02\x03"), remove_special=True)[-3:] == (
            "\x01\x02\x03"
        )


def test_pieces_are_bytes_and_may_be_half_a_character(vocab: LlamaVocab) -> None:
    tokens = vocab.tokenize("é", add_special=False)
    assert [vocab.piece(token) for token in tokens] == [b"\xc3", b"\xa9"]


def test_control_tokens_have_a_piece_only_when_asked(vocab: LlamaVocab) -> None:
    assert vocab.piece(EOS) == b""
    assert vocab.piece(EOS, special=True) == b"<|end|>"
    assert vocab.piece(EOS) == b""


def test_a_piece_may_be_long(tmp_path: Path) -> None:
    tokens = vocabulary()
    tokens[-1] = "x" * 500
    path = write_model(
        tmp_path / "m.gguf",
        tensors=False,
        metadata={"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.merges": ["a n"]},
    )
    with LlamaModel.load(read_info(path), vocab_only=True) as model:
        assert LlamaVocab(model).piece(len(tokens) - 1) == b"x" * 500


def test_detokenizing_can_leave_out_or_write_special_tokens(vocab: LlamaVocab) -> None:
    tokens = [BOS, *vocab.tokenize("the", add_special=False), EOS]
    assert vocab.detokenize(tokens) == "the"
    assert vocab.detokenize(tokens, unparse_special=True) == "<|begin|>the<|end|>"


def test_half_a_character_becomes_a_mark(vocab: LlamaVocab) -> None:
    first = vocab.tokenize("é", add_special=False)[:1]
    assert vocab.detokenize(first) == "\ufffd"


@pytest.mark.parametrize("token", [-1, 100_000, 2**31, -(2**70)])
def test_a_token_that_does_not_exist_is_refused(vocab: LlamaVocab, token: int) -> None:
    with pytest.raises(InvalidRequest, match=f"There is no token {token}"):
        vocab.piece(token)
    with pytest.raises(InvalidRequest, match=f"There is no token {token}"):
        vocab.detokenize([5, token])


def test_infilling_has_the_usual_order(vocab: LlamaVocab) -> None:
    before = vocab.tokenize("the", add_special=False)
    after = vocab.tokenize("hen", add_special=False)
    expected = [BOS, FIM_PREFIX, *before, FIM_SUFFIX, *after, FIM_MIDDLE]
    assert vocab.infill("the", "hen") == expected


def test_infilling_takes_markers_in_the_text_as_text(vocab: LlamaVocab) -> None:
    tokens = vocab.infill("<|fim_middle|>", "")
    assert tokens is not None
    assert tokens.count(FIM_MIDDLE) == 1


def test_a_model_without_the_tokens_can_not_infill(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("vocab/ggml-vocab-gpt-2.gguf")
    with LlamaModel.load(read_info(path), vocab_only=True) as model:
        assert LlamaVocab(model).infill("a", "b") is None


def test_many_threads_at_once(vocab: LlamaVocab) -> None:
    texts = [f"the hen {i} in the tin " * 20 for i in range(64)]
    expected = [vocab.tokenize(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(vocab.tokenize, texts)) == expected
