"""Tokens, text and templates on the wire: every client's names, both servers' defaults."""

from __future__ import annotations

from typing import Any

import pytest

from mullama.api.native.schema import TokenizeBody
from mullama.api.native.tokens import chat_tokens_request, text_request
from mullama.errors import InvalidRequest
from mullama.types import ChatRequest, TokenizeRequest
from tests.api.clients import HI, client
from tests.api.fakes import N_CTX, FakeBackend

pytestmark = pytest.mark.anyio

TOKENIZE, DETOKENIZE, TEMPLATE = "/tokenize", "/detokenize", "/apply-template"
CHAT = ChatRequest(({"role": "user", "content": "Hi"},))


def asked(**fields: Any) -> TokenizeRequest:
    return text_request(TokenizeBody.model_validate(fields))


async def post(path: str, body: Any, backend: FakeBackend | None = None) -> Any:
    async with client(backend or FakeBackend()) as http:
        response = await http.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_texts_name_decides_on_special_tokens() -> None:
    assert asked(content="a") == TokenizeRequest("a", add_special=False)
    assert asked(prompt="a") == asked(text="a") == TokenizeRequest("a", add_special=True)


@pytest.mark.parametrize("name", ["add_special", "add_special_tokens"])
@pytest.mark.parametrize("text", ["content", "prompt"])
def test_special_tokens_can_be_asked_for(name: str, text: str) -> None:
    for value in (True, False):
        assert asked(**{text: "a", name: value}).add_special is value


def test_control_tokens_are_parsed_unless_told_otherwise() -> None:
    assert asked(content="a").parse_special
    assert not asked(content="a", parse_special=False).parse_special


@pytest.mark.parametrize("name", ["with_pieces", "return_token_strs"])
def test_pieces_are_asked_for_where_they_are_wanted(name: str) -> None:
    assert asked(content="a", **{name: True}).with_pieces
    assert not asked(content="a", **{name: False}).with_pieces


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "content"),
        ({"content": "a", "prompt": "a"}, "prompt"),
        ({"content": "a", "add_special": True, "add_special_tokens": False}, "add_special_tokens"),
    ],
)
def test_a_text_has_one_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        asked(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"content": "a"}, "content"),
        ({"add_special_tokens": True}, "add_special"),
        ({"parse_special": False}, "parse_special"),
    ],
)
def test_a_template_decides_on_a_conversations_tokens(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chat_tokens_request(TokenizeBody.model_validate(fields), CHAT)
    assert caught.value.param == param
    harmless = TokenizeBody(add_special_tokens=False, parse_special=True)
    assert chat_tokens_request(harmless, CHAT) == TokenizeRequest(CHAT)


# ------------------------------------------------------------------------------------------- routes


async def test_tokens_have_both_servers_fields() -> None:
    answer = await post(TOKENIZE, {"content": "ab"})
    assert answer == {"tokens": [97, 98], "count": 2, "max_model_len": N_CTX}


async def test_pieces_stand_beside_tokens() -> None:
    answer = await post(TOKENIZE, {"content": "a€", "with_pieces": True})
    assert answer["tokens"] == [
        {"id": 97, "piece": "a"},
        {"id": 0xE2, "piece": [0xE2]},
        {"id": 0x82, "piece": [0x82]},
        {"id": 0xAC, "piece": [0xAC]},
    ]
    assert "token_strs" not in answer


async def test_pieces_are_a_list_of_their_own() -> None:
    answer = await post(TOKENIZE, {"prompt": "a€", "return_token_strs": True})
    assert answer["tokens"] == [97, 0xE2, 0x82, 0xAC]
    assert answer["token_strs"] == ["a", "\ufffd", "\ufffd", "\ufffd"]


async def test_an_empty_text_has_its_special_tokens_at_most() -> None:
    assert (await post(TOKENIZE, {"content": ""}))["tokens"] == []


async def test_a_conversation_is_tokenized() -> None:
    backend = FakeBackend()
    body = {"messages": HI, "add_generation_prompt": False, "chat_template_kwargs": {"a": 1}}
    answer = await post(TOKENIZE, body, backend)
    assert answer["count"] == len("<user>Hi")
    (request,) = backend.asked
    assert request.source.messages == ({"role": "user", "content": "Hi"},)
    assert not request.source.add_generation_prompt
    assert request.source.template_kwargs == {"a": 1}


async def test_a_conversations_own_fields_are_known_to_the_tokenizer() -> None:
    body = {"messages": HI, "with_pieces": True, "add_generation_prompt": True, "mystery": 1}
    async with client(FakeBackend()) as http:
        response = await http.post(TOKENIZE, json=body)
    assert response.headers["x-mullama-ignored"] == "mystery"


async def test_tokens_become_text_under_both_names() -> None:
    answer = await post(DETOKENIZE, {"tokens": [72, 105]})
    assert answer == {"content": "Hi", "prompt": "Hi"}
    assert (await post(DETOKENIZE, {"tokens": []}))["content"] == ""


async def test_a_conversation_becomes_a_prompt() -> None:
    backend = FakeBackend()
    assert await post(TEMPLATE, {"messages": HI}, backend) == {"prompt": "<user>Hi"}
    (request,) = backend.asked
    assert request.source.messages == CHAT.messages


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        (TOKENIZE, {"content": 5}, "content"),
        (TOKENIZE, {"content": ["a"]}, "content"),
        (TOKENIZE, {"messages": "Hi"}, "messages"),
        (TOKENIZE, {"messages": []}, "messages"),
        (TOKENIZE, {"messages": [{"role": "user"}]}, "messages[0].content"),
        (TOKENIZE, {"content": "a", "add_special": 1}, "add_special"),
        (DETOKENIZE, {}, "tokens"),
        (DETOKENIZE, {"tokens": "1"}, "tokens"),
        (DETOKENIZE, {"tokens": [1, "2"]}, "tokens[1]"),
        (DETOKENIZE, {"tokens": [-1]}, "tokens[0]"),
        (TEMPLATE, {}, "messages"),
        (TEMPLATE, {"messages": HI, "web_search_options": {}}, "web_search_options"),
        (TEMPLATE, {"messages": HI, "model": "nobody"}, "model"),
    ],
)
async def test_a_wrong_field_is_named(path: str, body: Any, param: str) -> None:
    async with client(FakeBackend()) as http:
        response = await http.post(path, json=body)
    assert response.status_code == (404 if param == "model" else 400)
    assert response.json()["error"]["param"] == param
