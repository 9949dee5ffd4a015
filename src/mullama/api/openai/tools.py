"""Tools and who may call them, as a chat's body has them, in its present form and its first one.

    tools, tool_choice: see `text.tools`; parallel_tool_calls
    functions: [{"name", "description", "parameters"}], function_call: "none" | "auto" | {"name"}

Pure functions.
"""

from __future__ import annotations

from dataclasses import replace

from mullama.api.openai.schema import ChatBody, JsonObject
from mullama.errors import InvalidRequest
from mullama.text import tools as text_tools
from mullama.types import ToolChoice


def tools(body: ChatBody) -> tuple[JsonObject, ...]:
    """The tools in their present form, without nulls. Raises InvalidRequest."""
    if body.tools and body.functions:
        raise InvalidRequest(
            "functions is the old name of tools; send one of them.", param="functions"
        )
    if not body.functions:
        return text_tools.checked(body.tools or ())
    given = tuple(
        {"type": "function", "function": text_tools.definition(one, f"functions[{index}]")}
        for index, one in enumerate(body.functions)
    )
    text_tools.check_all(given, "functions")
    return given


def choice(body: ChatBody, tools: tuple[JsonObject, ...]) -> ToolChoice:
    """Which calls the answer may have. Raises InvalidRequest."""
    if body.functions:
        named = body.function_call
        if isinstance(named, dict) and "type" not in named:
            named = {"type": "function", **named}
        return replace(text_tools.choice(named, tools, "function_call"), parallel=False)
    chosen = text_tools.choice(body.tool_choice, tools)
    parallel = body.parallel_tool_calls
    return chosen if parallel is None else replace(chosen, parallel=parallel)
