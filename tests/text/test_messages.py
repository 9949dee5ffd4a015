"""Messages as clients write them come into one form; what could be meant is not lost."""

from __future__ import annotations

from typing import Any

import pytest

from mullama.errors import InvalidRequest
from mullama.text.messages import normalized, tool_list

USER = {"role": "user", "content": "Hi"}


def call(name: str = "now", id: str | None = None, arguments: Any = "{}") -> dict[str, Any]:
    made = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return made if id is None else {"id": id, **made}


def calls(*made: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": list(made)}


def result(content: str, id: str | None = None, **more: Any) -> dict[str, Any]:
    return {"role": "tool", "content": content, "tool_call_id": id, **more}


def answers(*messages: dict[str, Any]) -> list[tuple[str, str | None, str | None]]:
    return [
        (message["content"], message.get("tool_call_id"), message.get("name"))
        for message in normalized([USER, *messages])
        if message["role"] == "tool"
    ]


def test_nulls_are_left_out_and_missing_content_is_empty() -> None:
    message = {"role": "assistant", "content": None, "tool_calls": None, "refusal": None}
    assert normalized([message]) == [{"role": "assistant", "content": ""}]
    assert normalized([{"role": "assistant", "tool_calls": []}]) == [
        {"role": "assistant", "content": ""}
    ]


@pytest.mark.parametrize("field", ["reasoning", "thinking", "reasoning_content"])
def test_thoughts_have_one_name(field: str) -> None:
    assert normalized([{"role": "assistant", "content": "A", field: "T"}]) == [
        {"role": "assistant", "content": "A", "reasoning_content": "T"}
    ]


def test_functions_of_old_are_calls_of_tools() -> None:
    old = {"role": "assistant", "function_call": {"name": "now", "arguments": "{}"}}
    made = normalized([USER, old, {"role": "function", "name": "now", "content": "noon"}])
    assert made[1:] == [
        {"role": "assistant", "content": "", "tool_calls": [call(id="call00000")]},
        {"role": "tool", "content": "noon", "name": "now", "tool_call_id": "call00000"},
    ]


def test_a_result_gets_the_name_of_its_call() -> None:
    made = answers(calls(call("now", "a"), call("here", "b")), result("1", "a"), result("2", "b"))
    assert made == [("1", "a", "now"), ("2", "b", "here")]


def test_results_come_in_the_order_of_their_calls() -> None:
    made = answers(calls(call("now", "a"), call("here", "b")), result("2", "b"), result("1", "a"))
    assert made == [("1", "a", "now"), ("2", "b", "here")]


def test_results_without_ids_answer_the_calls_in_order() -> None:
    made = answers(calls(call("now"), call("here")), result("1"), result("2"), result("3"))
    assert made == [("1", "call00000", "now"), ("2", "call00001", "here"), ("3", None, None)]


def test_a_result_of_an_unknown_id_answers_the_call_that_is_left() -> None:
    made = answers(calls(call("now", "a"), call("here", "b")), result("2", "x"), result("1", "a"))
    assert made == [("1", "a", "now"), ("2", "b", "here")]


def test_ids_that_repeat_are_told_apart() -> None:
    made = answers(calls(call("now", "a"), call("here", "a")), result("1", "a"), result("2", "a"))
    assert made == [("1", "a", "now"), ("2", "call00001", "here")]


def test_a_result_without_a_call_stays() -> None:
    assert answers(result("1", "a")) == [("1", "a", None)]


def test_many_calls_take_time_in_proportion() -> None:
    n = 20_000
    ids = [str(index) for index in range(n)]
    results = [result(id, id) for id in reversed(ids)]
    made = normalized([calls(*(call(id=id) for id in ids)), *results])
    assert [message["content"] for message in made[1:]] == ids


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "tool_calls": {}},
        {"role": "assistant", "tool_calls": ["now"]},
        {"role": "assistant", "tool_calls": [{"id": "a"}]},
        {"role": "assistant", "tool_calls": [{"function": {"arguments": "{}"}}]},
        {"role": "assistant", "tool_calls": [call(arguments=[1])]},
        {"role": "assistant", "tool_calls": [call() | {"id": 7}]},
        {"role": "assistant", "function_call": "now"},
        {"role": "tool", "content": "x", "tool_call_id": ["a"]},
    ],
)
def test_calls_of_the_wrong_shape_are_refused(message: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match=r"messages\[1\]") as caught:
        normalized([USER, message])
    assert caught.value.param == "messages"


def test_tools_lose_their_nulls() -> None:
    tool = {"type": "function", "function": {"name": "now", "description": None, "strict": True}}
    assert tool_list([tool]) == [{"type": "function", "function": {"name": "now", "strict": True}}]


@pytest.mark.parametrize("tool", ["now", {}, {"function": "now"}, {"function": {"name": None}}])
def test_tools_of_the_wrong_shape_are_refused(tool: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"tools\[0\]") as caught:
        tool_list([tool])
    assert caught.value.param == "tools"
