"""Whether to think, and how much: said in many ways, understood in one, and never two at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from mullama.api.errors import UNSUPPORTED, invalid
from mullama.api.openai.convert import chat_request
from mullama.api.openai.refuse import refuse_unsupported
from mullama.api.openai.schema import ChatBody, CompletionBody
from mullama.api.openai.thinking import BUDGETS, Thinking, thinking
from mullama.errors import InvalidRequest
from mullama.types import EFFORTS, THINKING_SHARES

HI = {"role": "user", "content": "Hi"}


def body(**fields: Any) -> ChatBody:
    return ChatBody.model_validate_json(json.dumps({"messages": [HI], **fields}))


def said(**fields: Any) -> Thinking:
    return thinking(body(**fields))


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises((InvalidRequest, ValidationError)) as caught:
        said(**fields)
    if isinstance(caught.value, ValidationError):
        return invalid(caught.value)
    assert isinstance(caught.value, InvalidRequest)
    return caught.value


def test_who_says_nothing_gets_what_the_template_does() -> None:
    assert said() == Thinking({}, None, None, "", shown=True)


@pytest.mark.parametrize(
    "fields",
    [
        *({name: 40} for name in BUDGETS),
        {"reasoning": {"max_tokens": 40}},
        {"thinking": {"type": "enabled", "budget_tokens": 40}},
        {"thinking_budget": 40, "thinking_budget_tokens": 40},
    ],
)
def test_a_budget_has_many_names(fields: dict[str, Any]) -> None:
    assert said(**fields).budget == 40
    assert chat_request(body(**fields)).thinking_budget == 40


def test_a_budget_is_a_limit_and_no_wish() -> None:
    assert said(thinking_budget=40).variables == {}
    assert said(thinking_budget=40, enable_thinking=False).variables == {"enable_thinking": False}
    assert said(thinking_budget=40, enable_thinking=False).budget == 40


def test_minus_one_is_no_limit() -> None:
    assert said(thinking_budget_tokens=-1) == said()
    assert said(reasoning={"max_tokens": -1}) == said()
    assert refusal(thinking_budget_tokens=-2).param == "thinking_budget_tokens"


@pytest.mark.parametrize(
    "fields",
    [
        {"thinking_budget_tokens": 0},
        {"reasoning_effort": "none"},
        {"reasoning": {"enabled": False}},
        {"reasoning": {"effort": "none"}},
        {"reasoning": {"max_tokens": 0}},
        {"thinking": {"type": "disabled"}},
        {"thinking": False},
        {"think": False},
        {"think": "none"},
        {"thinking_budget_tokens": 0, "chat_template_kwargs": {"enable_thinking": False}},
        {"enable_thinking": False, "reasoning_effort": "none"},
    ],
)
def test_no_thought_is_the_templates_switch_and_a_budget_of_nothing(fields: dict[str, Any]) -> None:
    asked = said(**fields)
    assert asked.variables == {"enable_thinking": False}
    assert asked.budget == 0
    assert asked.share is None


@pytest.mark.parametrize(
    "fields",
    [
        {"reasoning": {"enabled": True}},
        {"thinking": {"type": "enabled"}},
        {"thinking": True},
        {"think": True},
        {"enable_thinking": True},
        {"chat_template_kwargs": {"enable_thinking": True}},
    ],
)
def test_a_wish_to_think_is_the_templates_switch(fields: dict[str, Any]) -> None:
    assert said(**fields) == Thinking({"enable_thinking": True}, None, None, "", shown=True)


def test_the_templates_own_switch_leaves_models_without_it_alone() -> None:
    assert said(enable_thinking=False).budget is None
    assert said(chat_template_kwargs={"enable_thinking": False}).budget is None


def test_adaptive_is_as_if_nothing_had_been_said() -> None:
    assert said(thinking={"type": "adaptive"}) == said()


@pytest.mark.parametrize("effort", EFFORTS[1:])
def test_an_effort_is_the_templates_word_and_else_a_share(effort: str) -> None:
    for fields in ({"reasoning_effort": effort}, {"reasoning": {"effort": effort}}):
        asked = said(**fields)
        assert asked.variables == {"enable_thinking": True, "reasoning_effort": effort}
        assert asked.share == THINKING_SHARES.get(effort)
        assert asked.budget is None
    assert said(think=effort) == said(reasoning_effort=effort)


def test_a_budget_takes_the_place_of_a_share() -> None:
    asked = said(reasoning_effort="low", thinking_budget=99)
    assert asked.share is None
    assert asked.budget == 99


def test_a_no_beside_an_effort_is_a_no_without_it() -> None:
    asked = said(reasoning_effort="high", enable_thinking=False)
    assert asked.variables == {"enable_thinking": False}
    own = {"reasoning_effort": "high"}
    asked = said(chat_template_kwargs=own, enable_thinking=False)
    assert asked.variables == {"enable_thinking": False, **own}


def test_who_does_not_think_needs_no_share() -> None:
    assert said(reasoning_effort="high", enable_thinking=False).share is None


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"thinking_budget": 5, "thinking_budget_tokens": 6}, "thinking_budget"),
        ({"thinking_budget": 5, "reasoning": {"max_tokens": 6}}, "reasoning.max_tokens"),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "reasoning.effort"),
        ({"reasoning_effort": "low", "think": "high"}, "think"),
        ({"enable_thinking": True, "thinking_budget": 0}, "enable_thinking"),
        ({"enable_thinking": True, "reasoning_effort": "none"}, "enable_thinking"),
        ({"enable_thinking": True, "thinking": {"type": "disabled"}}, "enable_thinking"),
        ({"think": True, "reasoning": {"enabled": False}}, "think"),
        ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.type"),
        ({"think": False, "chat_template_kwargs": {"enable_thinking": True}}, "think"),
        ({"include_reasoning": True, "reasoning": {"exclude": True}}, "include_reasoning"),
        ({"include_reasoning": False, "reasoning_format": "none"}, "include_reasoning"),
    ],
)
def test_two_that_differ_are_refused(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert error.param == param
    assert "send one of them" in error.message or "send one" in error.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
        ({"reasoning": {"enabled": 1}}, "reasoning.enabled"),
        ({"reasoning": {"max_tokens": "9"}}, "reasoning.max_tokens"),
        ({"reasoning": {"max_tokens": True}}, "reasoning.max_tokens"),
        ({"reasoning": {"exclude": "yes"}}, "reasoning.exclude"),
        ({"thinking": "yes"}, "thinking"),
        ({"thinking": {}}, "thinking.type"),
        ({"thinking": {"type": "on"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1.5}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "display": "short"}}, "thinking.display"),
        ({"think": 1}, "think"),
        ({"think": "much"}, "think"),
    ],
)
def test_what_is_no_answer_is_refused_by_its_path(fields: dict[str, Any], param: str) -> None:
    assert refusal(**fields).param == param


@pytest.mark.parametrize("name", ["reasoning", "thinking"])
def test_what_an_object_says_beyond_that_is_refused_by_name(name: str) -> None:
    known = {"type": "enabled"} if name == "thinking" else {}
    error = refusal(**{name: {**known, "depth": 3}})
    assert (error.param, error.code) == (f"{name}.depth", UNSUPPORTED)
    assert said(**{name: {**known, "depth": None}}).budget is None


def test_thoughts_need_not_be_sent() -> None:
    for fields in (
        {"include_reasoning": False},
        {"reasoning": {"exclude": True}},
        {"thinking": {"type": "adaptive", "display": "omitted"}},
    ):
        assert not said(**fields).shown
    assert said(reasoning={"exclude": False}).shown


def test_old_thoughts_may_be_cleared_where_a_template_knows_that() -> None:
    asked = said(thinking={"type": "enabled", "clear_thinking": False})
    assert asked.variables == {"enable_thinking": True, "clear_thinking": False}


def test_last_words_go_along() -> None:
    asked = chat_request(body(thinking_budget=3, reasoning_budget_message=" Enough."))
    assert asked.last_words == " Enough."


@pytest.mark.parametrize("name", BUDGETS)
def test_a_plain_prompt_has_no_thoughts_to_be_limited(name: str) -> None:
    prompt = CompletionBody.model_validate({"prompt": "a", name: 5})
    with pytest.raises(InvalidRequest) as caught:
        refuse_unsupported(prompt)
    assert caught.value.param == name
    refuse_unsupported(CompletionBody.model_validate({"prompt": "a", name: -1}))
