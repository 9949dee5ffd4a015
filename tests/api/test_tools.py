"""Definitions of tools, and who may call them: checked, in one form, errors naming the path."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mullama.api.openai.convert import chat_request
from mullama.api.openai.schema import ChatBody
from mullama.errors import InvalidRequest
from mullama.text.tools import MAX_TOOLS
from mullama.types import ChatRequest, ToolChoice, ToolMode


def tool(name: Any = "f", **fields: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **fields}}


TWO = [tool("f"), tool("g")]


def chat(**fields: Any) -> ChatRequest:
    body = {"messages": [{"role": "user", "content": "Hi"}], **fields}
    return chat_request(ChatBody.model_validate_json(json.dumps(body)))


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        chat(**fields)
    return caught.value


def test_tools_are_handed_on_as_they_are() -> None:
    given = tool("f", description="d", parameters={"type": "object"}, strict=True)
    asked = chat(tools=[given])
    assert asked.tools == asked.offered == (given,)
    assert asked.tool_choice == ToolChoice()


def test_nulls_in_a_definition_are_left_out_and_its_type_is_a_function() -> None:
    given = {"function": {"name": "f", "description": None, "parameters": None}}
    assert chat(tools=[given]).tools == (tool("f"),)


def test_a_flat_definition_is_the_same() -> None:
    """The Responses API has tools in this form, and some clients send it to chat."""
    flat = {"type": "function", "name": "f", "description": "d", "parameters": {}, "strict": True}
    given = tool("f", description="d", parameters={}, strict=True)
    assert chat(tools=[flat]).tools == (given,)
    marked = {**flat, "cache_control": {"type": "ephemeral"}}
    assert chat(tools=[marked]).tools == ({**given, "cache_control": {"type": "ephemeral"}},)
    assert refusal(tools=[{"type": "function", "name": 5}]).param == "tools[0].function.name"


@pytest.mark.parametrize(
    ("choice", "same"),
    [
        ({"type": "auto"}, "auto"),
        ({"type": "none"}, "none"),
        ({"type": "any"}, "required"),
        ({"type": "required"}, "required"),
        ({"type": "tool", "name": "g"}, {"type": "function", "function": {"name": "g"}}),
    ],
)
def test_a_choice_may_be_an_object_as_in_other_apis(choice: Any, same: Any) -> None:
    assert chat(tools=TWO, tool_choice=choice) == chat(tools=TWO, tool_choice=same)


def test_no_tools_are_none() -> None:
    for fields in ({}, {"tools": []}, {"tools": None, "tool_choice": "auto"}, {"functions": []}):
        assert chat(**fields).offered == ()


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ([{}], "tools[0].function"),
        ([tool(), {"type": "function", "function": "g"}], "tools[1].function"),
        ([{"type": "custom", "custom": {"name": "x"}}], "tools[0].type"),
        ([{"type": "function", "function": {}}], "tools[0].function.name"),
        ([tool(5)], "tools[0].function.name"),
        ([tool("")], "tools[0].function.name"),
        ([tool("a b")], "tools[0].function.name"),
        ([tool('x"}')], "tools[0].function.name"),
        ([tool("f\n")], "tools[0].function.name"),
        ([tool("x" * 129)], "tools[0].function.name"),
        ([tool(parameters=[])], "tools[0].function.parameters"),
        ([tool(description=5)], "tools[0].function.description"),
        ([tool(strict="yes")], "tools[0].function.strict"),
        ([tool("f"), tool("g"), tool("f")], "tools[2]"),
        ([tool(f"f{i}") for i in range(MAX_TOOLS + 1)], "tools"),
    ],
)
def test_a_wrong_definition_is_named_by_its_path(given: Any, path: str) -> None:
    error = refusal(tools=given)
    assert error.param == path
    assert path in error.message


def test_nothing_is_offered_to_who_may_not_call() -> None:
    asked = chat(tools=TWO, tool_choice="none")
    assert asked.tools == tuple(TWO)
    assert asked.offered == ()


def test_only_allowed_tools_are_offered() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool("g")]}}
    asked = chat(tools=TWO, tool_choice=choice)
    assert asked.tool_choice == ToolChoice(ToolMode.AUTO, ("g",))
    assert asked.offered == (tool("g"),)


@pytest.mark.parametrize("parallel", [True, False])
def test_whether_calls_may_be_parallel_is_handed_on(parallel: bool) -> None:
    assert chat(tools=TWO, parallel_tool_calls=parallel).tool_choice.parallel is parallel


NAMED = {"type": "function", "function": {"name": "f"}}


def test_a_named_function_is_called_once_unless_the_request_says_more() -> None:
    assert not chat(tools=TWO, tool_choice=NAMED).tool_choice.parallel
    assert chat(tools=TWO, tool_choice=NAMED, parallel_tool_calls=True).tool_choice.parallel


ALLOWED = "allowed_tools"


@pytest.mark.parametrize(
    ("choice", "path"),
    [
        ("always", "tool_choice"),
        (5, "tool_choice"),
        ({"type": "function"}, "tool_choice"),
        ({"type": "function", "function": {"name": "nobody"}}, "tool_choice"),
        ({"type": ALLOWED, ALLOWED: {"tools": TWO}}, "tool_choice.allowed_tools.mode"),
        ({"type": ALLOWED, ALLOWED: {"mode": "auto"}}, "tool_choice.allowed_tools.tools"),
        (
            {"type": ALLOWED, ALLOWED: {"mode": "auto", "tools": [tool("f"), {}]}},
            "tool_choice.allowed_tools.tools[1]",
        ),
    ],
)
def test_a_wrong_choice_is_named_by_its_path(choice: Any, path: str) -> None:
    error = refusal(tools=TWO, tool_choice=choice)
    assert error.param == path
    assert path in error.message


@pytest.mark.parametrize(
    ("choice", "names", "parallel"),
    [
        ("required", (), True),
        ("any", (), True),
        (NAMED, ("f",), False),
        ({"type": "function", "name": "f"}, ("f",), False),
        ({"type": ALLOWED, ALLOWED: {"mode": "required", "tools": [tool("f")]}}, ("f",), True),
    ],
)
def test_a_call_may_have_to_come(choice: Any, names: tuple[str, ...], parallel: bool) -> None:
    asked = chat(tools=TWO, tool_choice=choice)
    assert asked.tool_choice == ToolChoice(ToolMode.REQUIRED, names, parallel)


def test_no_call_can_come_without_tools() -> None:
    assert refusal(tool_choice="required").param == "tool_choice"


def test_functions_are_tools_of_old_and_call_once() -> None:
    function = {"name": "f", "parameters": {"type": "object"}}
    asked = chat(functions=[function], function_call="auto")
    assert asked.tools == ({"type": "function", "function": function},)
    assert asked.tool_choice == ToolChoice(parallel=False)
    assert chat(functions=[function], function_call="none").offered == ()
    named = chat(functions=[function], function_call={"name": "f"}).tool_choice
    assert named == ToolChoice(ToolMode.REQUIRED, ("f",), parallel=False)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"functions": [{}]}, "functions[0].name"),
        ({"functions": [{"name": "f"}, {"name": "f"}]}, "functions[1]"),
        ({"functions": [{"name": "f"}], "tools": TWO}, "functions"),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call"),
    ],
)
def test_what_is_wrong_with_functions_is_named(fields: dict[str, Any], path: str) -> None:
    assert refusal(**fields).param == path
