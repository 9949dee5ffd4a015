"""Requests become tokens, or an error that names what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.host.prepare import Preparer
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    GenerateOptions,
    SamplerParams,
    Token,
    TokenizeRequest,
    TokenizeResult,
)
from tests.host.fakes import BOS, EOS, Template, Vocab

N_VOCAB = Vocab.n_tokens
N_CTX = 4096
HELLO: tuple[dict[str, Any], ...] = ({"role": "user", "content": "hello"},)


def plain(text: str) -> tuple[Token, ...]:
    return tuple(Vocab().tokenize(text, add_special=False))


def preparer(vocab: Vocab | None = None, template: Template | None = None) -> Preparer:
    return Preparer(vocab or Vocab(), template or Template(), N_CTX)


def prompt_of(request: ChatRequest | CompletionRequest, vocab: Vocab | None = None) -> Any:
    return preparer(vocab).generate(7, request).request.prompt


def refusal(request: ChatRequest | CompletionRequest, vocab: Vocab | None = None) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        preparer(vocab).generate(7, request)
    return caught.value


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


def test_tools_reach_the_template() -> None:
    tool = {"type": "function", "function": {"name": "now"}}
    request = ChatRequest(HELLO, tools=(tool,))
    assert prompt_of(request) == (BOS, *plain("tool:now;user:hello;assistant:"))


@pytest.mark.parametrize(
    "name", ["messages", "tools", "continue_final_message", "self", "bos_token"]
)
def test_template_arguments_cannot_replace_fields_of_the_request(name: str) -> None:
    error = refusal(ChatRequest(HELLO, template_kwargs={name: False}))
    assert error.param == "chat_template_kwargs"
    assert name in error.message


def test_a_chat_without_a_template_is_refused_and_a_completion_is_not() -> None:
    bare = Preparer(Vocab(), None, N_CTX)
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


def test_a_texts_tokens_with_and_without_the_special_ones() -> None:
    ask = preparer().tokenize
    assert ask(TokenizeRequest("ab")).tokens == (BOS, *plain("ab"), EOS)
    assert ask(TokenizeRequest("ab", add_special=False)).tokens == plain("ab")
    assert ask(TokenizeRequest("^", add_special=False)).tokens == (BOS,)
    assert ask(TokenizeRequest("^", add_special=False, parse_special=False)).tokens == plain("^")
    assert ask(TokenizeRequest("", add_special=False)) == TokenizeResult(())


def test_a_conversation_is_tokenized_as_it_would_be_answered() -> None:
    chat = ChatRequest(HELLO)
    result = preparer().tokenize(TokenizeRequest(chat))
    assert result == TokenizeResult(prompt_of(chat), (), "user:hello;assistant:")


def test_pieces_are_each_tokens_bytes() -> None:
    result = preparer().tokenize(TokenizeRequest("ab", add_special=False, with_pieces=True))
    assert result.pieces == tuple(Vocab().piece(token, special=True) for token in plain("ab"))


def test_a_model_without_a_template_tokenizes_no_conversation() -> None:
    bare = Preparer(Vocab(), None, N_CTX)
    with pytest.raises(InvalidRequest, match="no chat template") as caught:
        bare.tokenize(TokenizeRequest(ChatRequest(HELLO)))
    assert caught.value.param == "messages"


def test_tokens_become_text_and_bad_ones_are_named() -> None:
    tokens = plain("ab")
    pieces = [Vocab().piece(token, special=True) for token in tokens]
    assert preparer().detokenize(tokens) == b"".join(pieces).decode()
    with pytest.raises(InvalidRequest, match=f"tokens holds token {N_VOCAB},") as caught:
        preparer().detokenize((1, N_VOCAB))
    assert caught.value.param == "tokens"
