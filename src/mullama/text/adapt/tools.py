"""Tools as a template takes them: filled, in another place than usual, or described in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from mullama.text.messages import SYSTEM, Message, joined


def filled(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool with the description and parameters that a template misses."""
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    function = {**function, "parameters": dict(function.get("parameters") or {})}
    function.setdefault("description", "")
    function["parameters"].setdefault("type", "object")
    function["parameters"].setdefault("properties", {})
    return {**tool, "function": function}


def described(
    messages: list[Message], tools: Sequence[dict[str, Any]], example: str
) -> list[Message]:
    """The tools described in the instructions, with an example of a call."""
    listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
    text = (
        "You can call functions. Their descriptions, as JSON, one a line:\n"
        f"<tools>\n{listed}\n</tools>\n"
        f"To call one, write its name and its arguments exactly in this form:\n{example}"
    )
    first, rest = _system_first(messages)
    return [first | {"content": joined(first["content"], text, "\n\n")}, *rest]


def with_tools(
    messages: list[Message], tools: Sequence[dict[str, Any]], field: str, form: str
) -> list[Message]:
    """The tools as a field of the instructions, a list or its text."""
    first, rest = _system_first(messages)
    functions = [tool.get("function", tool) for tool in tools]
    given = json.dumps(functions, ensure_ascii=False) if form == "text" else [*map(filled, tools)]
    return [first | {field: given}, *rest]


def _system_first(messages: list[Message]) -> tuple[Message, list[Message]]:
    """The system message that begins the conversation, an empty one if none does, and the rest."""
    if messages[0]["role"] in SYSTEM:
        return messages[0], messages[1:]
    return {"role": "system", "content": ""}, messages


def with_functions(messages: list[Message], tools: Sequence[dict[str, Any]]) -> list[Message]:
    """The tools as a message, behind the instructions."""
    listed = [tool.get("function", tool) for tool in tools]
    content = json.dumps(listed, ensure_ascii=False, indent=4)
    n = int(messages[0]["role"] in SYSTEM)
    return [*messages[:n], {"role": "functions", "content": content}, *messages[n:]]
