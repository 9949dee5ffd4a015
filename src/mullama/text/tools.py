"""Tools and who may call them, from the forms in which they are written to the one that we keep.

    tools: [{"type": "function", "function": {"name", "description", "parameters", "strict"}}]
    choice: "none" | "auto" | "required" | {"type": "function", "function": {"name"}}
          | {"type": "allowed_tools", "allowed_tools": {"mode", "tools"}}
          | {"type": "none" | "auto" | "required" | "any"} | {"type": "tool", "name"}

A tool may also stand flat, {"type": "function", "name", …}, as OpenAI's Responses API has it, and
so may a named function. Definitions are checked as far as every format needs it; errors name the
path below `param`. Pure functions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mullama.errors import InvalidRequest
from mullama.types import ToolChoice, ToolMode

Tool = dict[str, Any]

MAX_TOOLS = 1024  # beyond it no model could read them
# OpenAI's are letters, digits, - and _; servers of tools also use dots, colons and slashes.
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
_TYPES: dict[str, tuple[type, str]] = {
    "description": (str, "a string"),
    "parameters": (dict, "an object, a JSON Schema"),
    "strict": (bool, "true or false"),
}


def checked(given: Sequence[Any], param: str = "tools") -> tuple[Tool, ...]:
    """Tools in their present form, without nulls. Raises InvalidRequest."""
    tools = tuple(_tool(one, f"{param}[{index}]") for index, one in enumerate(given))
    check_all(tools, param)
    return tools


def choice(value: Any, tools: Sequence[Tool], param: str = "tool_choice") -> ToolChoice:
    """Which calls of these tools an answer may have. Raises InvalidRequest."""
    chosen = _choice(value, param)
    known = {tool["function"]["name"] for tool in tools}
    for name in chosen.names:
        if name not in known:
            raise _wrong(param, f"{param} names {name!r}, which is none of the tools")
    if chosen.mode is ToolMode.REQUIRED and not tools:
        raise _wrong(param, f"{param} asks for a call, and there are no tools")
    return chosen


def definition(function: Tool, param: str) -> Tool:
    """A function's definition without its nulls. Raises InvalidRequest."""
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong(
            f"{param}.name",
            f"{param}.name is {_shown(name)}; it must be 1 to 128 letters, digits and _ - . : /",
        )
    kept = {key: value for key, value in function.items() if value is not None}
    for key, (kind, words) in _TYPES.items():
        if key in kept and not isinstance(kept[key], kind):
            raise _wrong(f"{param}.{key}", f"{param}.{key} must be {words}")
    return kept


def check_all(tools: Sequence[Tool], param: str) -> None:
    """Raises InvalidRequest for too many tools, and for two of one name."""
    if len(tools) > MAX_TOOLS:
        raise _wrong(param, f"{param} has {len(tools)} tools; the most is {MAX_TOOLS}")
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        name = tool["function"]["name"]
        if name in seen:
            where = f"{param}[{index}]"
            raise _wrong(where, f"{where} has the name {name!r}, as one before it has")
        seen.add(name)


def _tool(tool: Any, param: str) -> Tool:
    if not isinstance(tool, dict):
        raise _wrong(param, f"{param} must be an object with a function")
    if tool.get("type", "function") != "function":
        raise InvalidRequest(
            f"{param}.type {_shown(tool['type'])} is not supported here, and the answer would "
            "differ without it. Send functions.",
            param=f"{param}.type",
            code="unsupported_parameter",
        )
    if "function" not in tool and "name" in tool:
        tool = _nested(tool)
    function = tool.get("function")
    if not isinstance(function, dict):
        raise _wrong(f"{param}.function", f"{param}.function must be an object with a name")
    return {**tool, "type": "function", "function": definition(function, f"{param}.function")}


def _nested(tool: Tool) -> Tool:
    """A flat definition in chat's form."""
    function = {key: tool[key] for key in ("name", *_TYPES) if key in tool}
    return {**{key: tool[key] for key in tool if key not in function}, "function": function}


def _choice(value: Any, param: str) -> ToolChoice:
    """What is asked for; a function that is named is called once, unless the request says more."""
    match value:
        case None | "auto" | {"type": "auto"}:
            return ToolChoice()
        case "none" | {"type": "none"}:
            return ToolChoice(ToolMode.NONE)
        case "required" | "any" | {"type": "required" | "any"}:
            return ToolChoice(ToolMode.REQUIRED)
        case {"type": "function", "function": {"name": str(name)}}:
            return ToolChoice(ToolMode.REQUIRED, (name,), parallel=False)
        case {"type": "function" | "tool", "name": str(name)}:  # the Responses API, Anthropic's
            return ToolChoice(ToolMode.REQUIRED, (name,), parallel=False)
        case {"type": "allowed_tools", "allowed_tools": dict(allowed)}:
            return _allowed(allowed, f"{param}.allowed_tools")
    raise _wrong(
        param,
        f"{param} is {_shown(value)}; it must be none, auto, required, or name a function or "
        "allowed_tools",
    )


def _allowed(allowed: Tool, param: str) -> ToolChoice:
    mode, given = allowed.get("mode"), allowed.get("tools")
    if mode not in ("auto", "required"):
        raise _wrong(
            f"{param}.mode", f"{param}.mode is {_shown(mode)}; it must be auto or required"
        )
    if not isinstance(given, list) or not given:
        raise _wrong(f"{param}.tools", f"{param}.tools must be a list of functions")
    names = []
    for index, one in enumerate(given):
        match one:
            case {"type": "function", "function": {"name": str(name)}}:
                names.append(name)
            case _:
                where = f"{param}.tools[{index}]"
                raise _wrong(where, f"{where} must be a function with a name")
    return ToolChoice(ToolMode(mode), tuple(names))


def _shown(value: Any) -> str:
    """A value in an error's words."""
    text = repr(value)
    return text if len(text) <= 100 else text[:100] + " …"


def _wrong(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(f"{message}.", param=param)
