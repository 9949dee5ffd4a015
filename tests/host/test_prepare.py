"""Requests become tokens, or an error that names what is wrong with them."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mullama.errors import InvalidRequest, ModelError
from mullama.host.prepare import Preparer, result
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    GenerateOptions,
    SamplerParams,
    Token,
)
from tests.host.fakes import BOS, EOS, Template, Vocab

N_VOCAB = Vocab.n_tokens
HELLO: tuple[dict[str, Any], ...] = ({"role": "user", "content": "hello"},)


def plain(text: str) -> tuple[Token, ...]:
    return tuple(Vocab().tokenize(text, add_special=False))


def preparer(vocab: Vocab | None = None, template: Template | None = None) -> Preparer:
    return Preparer(vocab or Vocab(), template or Template())


def prompt_of(request: ChatRequest | CompletionRequest, vocab: Vocab | None = None) -> Any:
    return preparer(vocab).generate(7, request).request.prompt


def refusal(request: ChatRequest | CompletionRequest, vocab: Vocab | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        preparer(vocab).generate(7, request)
    return caught.value


def vectors(*rows: Sequence[float]) -> list[bytes]:
    return [struct.pack(f"<{len(row)}f", *row) for row in rows]


def unpacked(rows: Sequence[bytes]) -> list[list[float]]:
    return [list(struct.unpack(f"<{len(row) // 4}f", row)) for row in rows]


def test_a_chat_is_rendered_and_begins_with_bos_but_does_not_end_with_eos() -> None:
    options = GenerateOptions(max_tokens=3)
    prepared = preparer().generate(7, ChatRequest(HELLO, options))
    assert prepared.request.id == 7
    assert prepared.request.options is options
    assert prepared.request.prompt == (BOS, *plain("user:hello;assistant:"))
    assert prepared.prompt_text == ""


def test_a_template_that_writes_bos_does_not_double_it() -> None:
    request = ChatRequest(HELLO, template_kwargs={"begin": "^"})
    assert prompt_of(request) == (BOS, *plain("user:hello;assistant:"))


def test_a_model_that_wants_no_bos_gets_none() -> None:
    expected = plain("user:hello;assistant:")
    assert prompt_of(ChatRequest(HELLO), Vocab(adds=False)) == expected
    assert prompt_of(ChatRequest(HELLO), Vocab(bos=None)) == expected


def test_the_templates_own_words_reach_the_caller() -> None:
    error = refusal(ChatRequest(HELLO, template_kwargs={"refuse": True}))
    assert error.message == "the template refuses"


def test_the_generation_prompt_can_be_left_out() -> None:
    request = ChatRequest(HELLO, add_generation_prompt=False)
    assert prompt_of(request) == (BOS, *plain("user:hello;"))


@pytest.mark.parametrize("name", ["messages", "add_generation_prompt", "self"])
def test_template_arguments_cannot_replace_fields_of_the_request(name: str) -> None:
    error = refusal(ChatRequest(HELLO, template_kwargs={name: False}))
    assert error.param == "chat_template_kwargs"
    assert name in error.message


def test_a_chat_without_a_template_is_refused_and_a_completion_is_not() -> None:
    bare = Preparer(Vocab(), None)
    with pytest.raises(InvalidRequest, match="no chat template") as caught:
        bare.generate(1, ChatRequest(HELLO))
    assert caught.value.param == "messages"
    assert bare.generate(1, CompletionRequest("a")).request.prompt == (BOS, *plain("a"))


def test_a_completion_may_write_bos_itself() -> None:
    assert prompt_of(CompletionRequest("abc")) == (BOS, *plain("abc"))
    assert prompt_of(CompletionRequest("^abc")) == (BOS, *plain("abc"))


def test_tokens_are_taken_as_they_are_with_their_text_for_an_echo() -> None:
    prepared = preparer().generate(1, CompletionRequest((3, 4)))
    assert prepared.request.prompt == (3, 4)
    assert prepared.prompt_text == Vocab().detokenize((3, 4))


def test_an_empty_prompt_is_bos() -> None:
    assert prompt_of(CompletionRequest("")) == (BOS,)
    assert prompt_of(CompletionRequest(())) == (BOS,)
    assert prompt_of(CompletionRequest(""), Vocab(adds=False)) == (BOS,)


@pytest.mark.parametrize("prompt", ["", ()])
def test_an_empty_prompt_without_bos_is_refused(prompt: str | tuple[Token, ...]) -> None:
    error = refusal(CompletionRequest(prompt), Vocab(bos=None))
    assert error.param == "prompt"


@pytest.mark.parametrize("bad", [-1, N_VOCAB, 2**40])
def test_a_token_out_of_range_is_named(bad: int) -> None:
    logit_bias = SamplerParams(logit_bias=((bad, 1.0),))
    for options, prompt, param in (
        (GenerateOptions(), (1, bad, 2), "prompt"),
        (GenerateOptions(stop_tokens=(bad,)), (1,), "stop_token_ids"),
        (GenerateOptions(sampler=logit_bias), (1,), "logit_bias"),
    ):
        error = refusal(CompletionRequest(prompt, options))
        assert error.param == param
        assert f"token {bad}," in error.message
        assert f"0 to {N_VOCAB - 1}" in error.message


def test_a_suffix_becomes_the_infill_prompt() -> None:
    request = CompletionRequest("ab", suffix="xyz")
    assert prompt_of(request) == (90, *plain("ab"), 91, 3)


def test_a_suffix_is_refused_where_it_can_not_be_served() -> None:
    assert refusal(CompletionRequest("a", suffix="b"), Vocab(infills=False)).param == "suffix"
    assert refusal(CompletionRequest((1,), suffix="b")).param == "prompt"


def test_inputs_to_embed_get_the_models_special_tokens_and_token_lists_do_not() -> None:
    inputs = preparer().embed(EmbedRequest(("ab", (5, 6))), 4)
    assert inputs == [[BOS, *plain("ab"), EOS], (5, 6)]


@pytest.mark.parametrize("dimensions", [-1, 0, 5])
def test_dimensions_beyond_the_models_are_refused(dimensions: int) -> None:
    with pytest.raises(InvalidRequest, match=r"4\s+components") as caught:
        preparer().embed(EmbedRequest(("a",), dimensions=dimensions), 4)
    assert caught.value.param == "dimensions"


def test_an_input_without_any_token_is_named() -> None:
    bare = preparer(Vocab(bos=None))
    for item in ("", ()):
        with pytest.raises(InvalidRequest, match=r"input\[1\] is empty"):
            bare.embed(EmbedRequest(("a", item)), 4)


def test_a_token_out_of_range_in_an_input_is_named() -> None:
    with pytest.raises(InvalidRequest, match=f"input holds token {N_VOCAB},"):
        preparer().embed(EmbedRequest(("a", (1, N_VOCAB))), 4)


def test_vectors_are_scaled_to_unit_length() -> None:
    answer = result(vectors([3, 4, 0], [0, 0, 2]), dimensions=None, normalize=True, n_tokens=9)
    assert unpacked(answer.vectors) == [pytest.approx([0.6, 0.8, 0]), [0, 0, 1]]
    assert (answer.n_embd, answer.n_tokens) == (3, 9)


def test_vectors_are_left_as_they_are_if_asked() -> None:
    answer = result(vectors([3, 4, 0]), dimensions=None, normalize=False, n_tokens=1)
    assert unpacked(answer.vectors) == [[3, 4, 0]]


def test_fewer_dimensions_are_the_first_ones_normalized_again() -> None:
    answer = result(vectors([3, 4, 12], [0, 5, 1]), dimensions=2, normalize=True, n_tokens=1)
    assert unpacked(answer.vectors) == [pytest.approx([0.6, 0.8]), [0, 1]]
    assert answer.n_embd == 2


def test_a_vector_of_zeros_stays_so() -> None:
    answer = result(vectors([0, 0]), dimensions=None, normalize=True, n_tokens=1)
    assert unpacked(answer.vectors) == [[0, 0]]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_vector_that_is_no_number_is_an_error(bad: float) -> None:
    with pytest.raises(ModelError, match="NaN or infinity"):
        result(vectors([1, bad]), dimensions=None, normalize=True, n_tokens=1)


def test_vectors_are_contiguous_float32() -> None:
    answer = result(vectors([1, 2, 3], [4, 5, 6]), dimensions=2, normalize=False, n_tokens=1)
    assert [np.frombuffer(row, "<f4").tolist() for row in answer.vectors] == [[1, 2], [4, 5]]
