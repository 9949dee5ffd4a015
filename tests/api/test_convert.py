"""Bodies become requests: names, defaults, shapes, and what is refused on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from mullama.api.errors import invalid
from mullama.api.openai.convert import (
    CONSTRAINTS,
    MAX_ANSWERS,
    MAX_STOP,
    MAX_STOPS,
    chat_request,
    completion_requests,
    embed_request,
    from_address,
)
from mullama.api.openai.schema import (
    MAX_STOP_TOKENS,
    MAX_TEXTS,
    ChatBody,
    CompletionBody,
    EmbeddingBody,
)
from mullama.errors import InvalidRequest
from mullama.text.constraint.wire import FIELDS
from mullama.types import (
    WHOLE_INTERVAL,
    ChatRequest,
    CompletionRequest,
    Constraint,
    ConstraintKind,
    EmbedRequest,
    GenerateOptions,
)

HI = {"role": "user", "content": "Hi"}


def chat(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    body = {"messages": list(messages) or [HI], **fields}
    return chat_request(ChatBody.model_validate_json(json.dumps(body)))


def completions(prompt: Any = "Once", **fields: Any) -> list[CompletionRequest]:
    body = {"prompt": prompt, **fields}
    return completion_requests(CompletionBody.model_validate_json(json.dumps(body)))


def options(**fields: Any) -> GenerateOptions:
    return completions(**fields)[0].options


def embed(input: Any, **fields: Any) -> EmbedRequest:
    body = {"input": input, **fields}
    return embed_request(EmbeddingBody.model_validate_json(json.dumps(body)))


def refusal(convert: Any, *args: Any, **fields: Any) -> InvalidRequest:
    """The error of a conversion that must fail, by the schema or after it."""
    with pytest.raises((InvalidRequest, ValidationError)) as caught:
        convert(*args, **fields)
    if isinstance(caught.value, ValidationError):
        return invalid(caught.value)
    assert isinstance(caught.value, InvalidRequest)
    return caught.value


# ------------------------------------------------------------------------------ messages


def test_a_message_goes_to_the_template_as_it_is() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "system", "content": "Be brief.", "name": "boss"},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "42"},
        {"role": "user", "content": "So?", "cache_control": {"type": "ephemeral"}},
    ]
    assert list(chat(*messages).messages) == messages


def test_nulls_of_a_message_are_dropped_but_for_an_assistants_content() -> None:
    given = {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}], "name": None}
    assert chat(HI, given).messages[1] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c"}],
    }
    assert chat(HI, {"role": "assistant"}).messages[1] == {"role": "assistant", "content": None}


def test_parts_of_text_stay_parts_of_one_message() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert chat({"role": "user", "content": parts}).messages == (
        {"role": "user", "content": parts},
    )


def test_a_refusal_is_what_the_assistant_said() -> None:
    part = {"type": "refusal", "refusal": "No."}
    said = chat(HI, {"role": "assistant", "content": [part]}).messages[1]["content"]
    assert [one["text"] for one in said] == ["No."]
    assert [one["type"] for one in said] == ["text"]
    assert chat(HI, {"role": "assistant", "content": None, "refusal": "No."}).messages[1] == {
        "role": "assistant",
        "content": "No.",
    }


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_past_reasoning_is_taken_by_both_of_its_names(name: str) -> None:
    message = chat(HI, {"role": "assistant", "content": "42", name: "6 * 7"}).messages[1]
    assert message["reasoning_content"] == "6 * 7"
    assert "reasoning" not in message


@pytest.mark.parametrize("kind", ["input_text", "output_text"])
def test_a_text_part_may_have_its_name_of_the_responses_api(kind: str) -> None:
    (message,) = chat({"role": "user", "content": [{"type": kind, "text": "a"}]}).messages
    assert message["content"] == [{"type": "text", "text": "a"}]
    error = refusal(chat, {"role": "user", "content": [{"type": kind}]})
    assert error.param == "messages[0].content[0].text"


@pytest.mark.parametrize("role", ["tool", "function"])
def test_a_tool_may_have_returned_nothing(role: str) -> None:
    assert chat(HI, {"role": role, "content": None}).messages[1]["content"] == ""
    assert chat(HI, {"role": role}).messages[1]["content"] == ""


@pytest.mark.parametrize("role", ["system", "developer", "user"])
def test_who_asks_must_say_something(role: str) -> None:
    error = refusal(chat, HI, {"role": role, "content": None})
    assert error.param == "messages[1].content"


@pytest.mark.parametrize(
    ("message", "param"),
    [
        ({"content": "x"}, "messages[0].role"),
        ({"role": "usr", "content": "x"}, "messages[0].role"),
        ({"role": "user", "content": 5}, "messages[0].content"),
        ({"role": "user", "content": {"type": "text"}}, "messages[0].content"),
        ({"role": "user", "content": ["x"]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"text": "x"}]}, "messages[0].content[0].type"),
        ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "text", "text": 5}]}, "messages[0].content[0].text"),
        ({"role": "user", "content": [{"type": "image_url"}]}, "messages[0].content[0]"),
        ({"role": "user", "content": [{"type": "input_audio"}]}, "messages[0].content[0]"),
        ({"role": "assistant", "content": "x", "audio": {"id": "a"}}, "messages[0].audio"),
        ({"role": "assistant", "content": "x", "tool_calls": "x"}, "messages[0].tool_calls"),
    ],
)
def test_a_wrong_message_is_refused_by_its_field(message: dict[str, Any], param: str) -> None:
    error = refusal(chat, message)
    assert error.param == param
    assert error.status == 400


def test_an_empty_conversation_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="messages is empty"):
        chat_request(ChatBody.model_validate_json(b'{"messages": []}'))


# ------------------------------------------------------------------------------ templates


def test_an_answer_is_begun_unless_the_client_says_otherwise() -> None:
    assert chat().add_generation_prompt
    assert not chat().continue_final_message
    assert not chat(add_generation_prompt=False).add_generation_prompt


def test_a_continued_message_gets_no_generation_prompt() -> None:
    asked = chat(continue_final_message=True)
    assert asked.continue_final_message
    assert not asked.add_generation_prompt
    error = refusal(chat, continue_final_message=True, add_generation_prompt=True)
    assert error.param == "add_generation_prompt"


def test_template_variables_are_handed_on() -> None:
    assert chat(chat_template_kwargs={"a": [1]}).template_kwargs == {"a": [1]}
    assert chat().template_kwargs == {}


def test_no_reasoning_is_the_templates_own_switch() -> None:
    assert chat(reasoning_effort="none").template_kwargs == {"enable_thinking": False}
    explicit = {"enable_thinking": True}
    asked = chat(reasoning_effort="none", chat_template_kwargs=explicit)
    assert asked.template_kwargs == explicit


def test_an_effort_is_a_wish_to_think_and_the_templates_own_word() -> None:
    asked = chat(reasoning_effort="low").template_kwargs
    assert asked == {"enable_thinking": True, "reasoning_effort": "low"}
    assert chat(verbosity="low").template_kwargs == {"verbosity": "low"}
    own = {"reasoning_effort": "deep"}
    assert chat(reasoning_effort="low", chat_template_kwargs=own).template_kwargs == {
        "enable_thinking": True,
        "reasoning_effort": "deep",
    }


def test_thinking_can_be_asked_for_by_its_own_field() -> None:
    assert chat(enable_thinking=False).template_kwargs == {"enable_thinking": False}
    both = chat(enable_thinking=False, reasoning_effort="high").template_kwargs
    assert both["enable_thinking"] is False
    other = {"enable_thinking": True}
    error = refusal(chat, enable_thinking=False, chat_template_kwargs=other)
    assert error.param == "enable_thinking"


# ------------------------------------------------------------------------------ options


def test_what_is_left_out_has_no_effect() -> None:
    whole: dict[str, Any] = {"delta_interval": WHOLE_INTERVAL}
    assert options() == GenerateOptions(sampler=options().sampler, **whole)
    assert chat().options == replace(options(), delta_interval=0.0)


def test_a_stream_is_told_as_it_comes_and_so_is_a_chat_whose_channels_are_counted() -> None:
    assert options(stream=True) == replace(options(), delta_interval=0.0)
    assert chat(stream=False).options.delta_interval == 0


def test_null_is_the_same_as_left_out() -> None:
    nulls = dict.fromkeys(CompletionBody.model_fields.keys() - {"prompt"})
    assert completions(**nulls) == completions()
    nulls = dict.fromkeys(ChatBody.model_fields.keys() - {"messages"})
    assert chat(**nulls) == chat()


def test_options_keep_their_names() -> None:
    asked = options(
        max_tokens=5,
        min_tokens=2,
        n=3,
        stop_token_ids=[7],
        ignore_eos=True,
        cache_prompt=False,
        return_token_ids=True,
        skip_special_tokens=False,
    )
    assert asked == GenerateOptions(
        sampler=asked.sampler,
        max_tokens=5,
        min_tokens=2,
        n=3,
        stop_tokens=(7,),
        ignore_eos=True,
        cache_prompt=False,
        return_tokens=True,
        special=True,
        delta_interval=WHOLE_INTERVAL,
    )


@pytest.mark.parametrize("name", ["max_tokens", "n_predict", "max_completion_tokens"])
def test_a_limit_has_several_names(name: str) -> None:
    assert chat(**{name: 9}).options.max_tokens == 9
    assert chat(**{name: -1}).options.max_tokens is None
    assert chat(**{name: 0}).options.max_tokens == 0


def test_of_several_limits_all_hold() -> None:
    assert chat(max_tokens=5, max_completion_tokens=6).options.max_tokens == 5
    assert chat(max_tokens=7, max_completion_tokens=6, n_predict=-1).options.max_tokens == 6
    assert chat(max_tokens=0, max_completion_tokens=6).options.max_tokens == 0
    assert chat(max_tokens=-1, n_predict=-1).options.max_tokens is None


def test_a_whole_number_may_be_written_as_a_float() -> None:
    asked = chat(max_tokens=9.0, n=2.0, seed=3.0, top_k=4.0, priority=5.0).options
    assert asked == chat(max_tokens=9, n=2, seed=3, top_k=4, priority=5).options
    assert type(asked.max_tokens) is int
    assert refusal(chat, top_k=1.5).message == "top_k must be an integer, not 1.5."
    assert refusal(chat, n=0.0).param == "n"
    assert embed("a", dimensions=8.0).dimensions == 8


@pytest.mark.parametrize(
    "hint",
    [
        "metadata",
        "store",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "prediction",
        "timings_per_token",
    ],
)
@pytest.mark.parametrize("value", [5, "x", True, [1], {"a": None}])
def test_a_hint_of_any_kind_changes_nothing(hint: str, value: Any) -> None:
    assert chat(**{hint: value}) == chat()


def test_whoever_asks_may_be_a_number() -> None:
    assert chat(user=5).options.caller == "5"
    assert refusal(chat, user=True).param == "user"


def test_stops_are_one_text_or_several() -> None:
    assert options(stop="a").stop == ("a",)
    assert options(stop=["a", "b"]).stop == ("a", "b")
    assert options(stop=[]).stop == ()
    assert options(stop="").stop == ()
    assert options(stop=["", "a", ""]).stop == ("a",)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": -2}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": "5"}, "max_tokens"),
        ({"max_tokens": 10**12}, "max_tokens"),
        ({"min_tokens": 6, "max_tokens": 5}, "min_tokens"),
        ({"n": 0}, "n"),
        ({"n": 10**6}, "n"),
        ({"stop": 5}, "stop"),
        ({"stop": ["a", 5]}, "stop[1]"),
        ({"stop": ["a"] * (MAX_STOPS + 1)}, "stop"),
        ({"stop": "a" * (MAX_STOP + 1)}, "stop"),
        ({"stop_token_ids": [1] * (MAX_STOP_TOKENS + 1)}, "stop_token_ids"),
        ({"stop_token_ids": [-1]}, "stop_token_ids[0]"),
        ({"stop_token_ids": [2**31]}, "stop_token_ids[0]"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"seed": "x"}, "seed"),
        ({"model": 5}, "model"),
        ({"logprobs": -1}, "logprobs"),
        ({"logprobs": 101}, "logprobs"),
        ({"best_of": 0}, "best_of"),
        ({"n": 3, "best_of": 2}, "best_of"),
        ({"best_of": 2, "stream": True}, "best_of"),
    ],
)
def test_wrong_options_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    error = refusal(completions, **fields)
    assert error.param == param
    assert error.message.startswith((param, "best_of", "101"))


# ------------------------------------------------------------------------------ logprobs


def test_logprobs_of_a_chat_are_a_switch_and_a_number() -> None:
    assert chat().options.logprobs is None
    assert chat(logprobs=False).options.logprobs is None
    assert chat(logprobs=True).options.logprobs == 0
    assert chat(logprobs=True, top_logprobs=20).options.logprobs == 20


@pytest.mark.parametrize(
    "fields", [{"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 21}, {"top_logprobs": -1}]
)
def test_top_logprobs_need_logprobs_and_a_sensible_number(fields: dict[str, Any]) -> None:
    assert refusal(chat, **fields).param == "top_logprobs"


def test_logprobs_of_a_completion_are_a_number() -> None:
    assert options(logprobs=0).logprobs == 0
    assert options(logprobs=5).logprobs == 5
    assert refusal(completions, logprobs=True).param == "logprobs"


def test_a_prompt_is_scored_when_it_is_echoed_with_logprobs() -> None:
    assert not options(echo=True).prompt_logprobs
    assert not options(logprobs=1).prompt_logprobs
    assert options(echo=True, logprobs=0, max_tokens=0).prompt_logprobs


def test_the_best_of_several_are_found_by_their_logprobs() -> None:
    assert options(best_of=4).n == 4
    assert options(best_of=4).logprobs == 0
    assert options(best_of=4, n=2, logprobs=3).logprobs == 3
    assert options(best_of=2, n=2).logprobs is None


# ------------------------------------------------------------------------------ prompts, inputs


@pytest.mark.parametrize(
    ("prompt", "prompts"),
    [
        ("Once", ["Once"]),
        ("", [""]),
        (["a", "b"], ["a", "b"]),
        ([1, 2], [(1, 2)]),
        ([[1, 2], [3]], [(1, 2), (3,)]),
    ],
)
def test_prompts_come_in_four_shapes(prompt: Any, prompts: list[Any]) -> None:
    assert [one.prompt for one in completions(prompt)] == prompts


def test_a_request_asks_for_so_many_answers_at_most() -> None:
    assert len(completions(["x"] * 32, n=MAX_ANSWERS // 32)) == 32
    assert refusal(completions, ["x"] * 33, n=MAX_ANSWERS // 32).param == "prompt"


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        (["a"] * (MAX_TEXTS + 1), "prompt"),
        ([], "prompt"),
        ([[]], "prompt[0]"),
        ([[1], []], "prompt[1]"),
        (None, "prompt"),
        (5, "prompt"),
        ({"text": "x"}, "prompt"),
        ([1, "a"], "prompt[1]"),
        (["a", 1], "prompt[1]"),
        ([[1], "a"], "prompt[1]"),
        ([1, 2.5], "prompt[1]"),
        ([True], "prompt[0]"),
        ([{"type": "text", "text": "x"}], "prompt"),
        ([None], "prompt"),
        ([-1], "prompt[0]"),
        ([2**31], "prompt[0]"),
    ],
)
def test_other_prompts_are_refused(prompt: Any, param: str) -> None:
    assert refusal(completions, prompt).param == param


def test_an_empty_suffix_is_none() -> None:
    assert completions(suffix="end")[0].suffix == "end"
    assert completions(suffix="")[0].suffix is None


def test_inputs_come_in_four_shapes() -> None:
    assert embed("a").inputs == ("a",)
    assert embed(["a", "b"]).inputs == ("a", "b")
    assert embed([1, 2]).inputs == ((1, 2),)
    assert embed([[1], [2, 3]]).inputs == ((1,), (2, 3))
    assert embed("a", dimensions=8).dimensions == 8
    assert embed("a", normalize=False).normalize is False


@pytest.mark.parametrize(
    ("fields", "truncate"),
    [
        ({}, None),
        ({"truncate": False}, None),
        ({"truncate": True}, 0),
        ({"truncate_prompt_tokens": -1}, 0),
        ({"truncate_prompt_tokens": 8, "truncate": True}, 8),
    ],
)
def test_inputs_may_be_cut_if_the_request_says_so(
    fields: dict[str, Any], truncate: int | None
) -> None:
    assert embed("a", **fields).truncate == truncate


@pytest.mark.parametrize(
    ("name", "value", "harmless"),
    [
        ("input_type", "query", ""),
        ("task", "retrieval.query", ""),
        ("truncation_side", "left", "right"),
        ("embd_normalize", -1, 2),
        ("normalized", False, True),
        ("embedding_types", ["int8"], ["float"]),
    ],
)
def test_what_would_change_vectors_is_refused(name: str, value: Any, harmless: Any) -> None:
    error = refusal(embed, input="a", **{name: value})
    assert (error.param, error.code) == (name, "unsupported_parameter")
    assert embed("a", **{name: harmless}) == embed("a")


@pytest.mark.parametrize("wrong", [[1, *["a"] * 9], [[1], *["a"] * 9], [[1], *[[True] * 9] * 9]])
def test_the_first_wrong_item_of_a_list_is_enough(wrong: list[Any]) -> None:
    """A million wrong items used to make a million errors: seconds, and a gigabyte."""
    with pytest.raises(ValidationError) as caught:
        completions(wrong)
    assert caught.value.error_count() == 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": [[1], []]}, "input[1]"),
        ({"input": 5}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": 1.5}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
    ],
)
def test_wrong_inputs_are_refused_by_name(fields: dict[str, Any], param: str) -> None:
    assert refusal(embed, **fields).param == param


# ------------------------------------------------------------------------------ constraints


def test_the_fields_that_constrain_are_those_that_are_read() -> None:
    assert CONSTRAINTS == FIELDS


def test_a_constraint_comes_from_any_of_its_fields() -> None:
    assert options().constraint is None
    assert options(response_format={"type": "text"}).constraint is None
    assert options(grammar=None).constraint is None
    made = options(guided_regex="[0-9]+").constraint
    assert made == Constraint(ConstraintKind.REGEX, "[0-9]+")
    schema = {"type": "object"}
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert chat(response_format=asked).options.constraint == Constraint.json_schema(schema)


def test_two_constraints_at_once_are_refused() -> None:
    error = refusal(options, guided_regex="a", grammar='root ::= "a"')
    assert "send one" in error.message


def test_a_request_is_its_callers_or_else_its_addresss() -> None:
    assert from_address(chat(), "10.0.0.1").options.caller == "10.0.0.1"
    assert from_address(chat(user="ann"), "10.0.0.1").options.caller == "ann"


def test_who_waits_how_long_and_apart_from_whom() -> None:
    asked = options(priority=-2, max_wait=1.5, cache_salt="mine", return_progress=True)
    assert (asked.priority, asked.max_wait, asked.cache_salt) == (-2, 1.5, "mine")
    assert not asked.progress  # only a stream has a place for it
    assert options(return_progress=True, stream=True).progress
