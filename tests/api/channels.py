"""A format with thoughts and calls, a tool, and what a model writes to call it."""

from __future__ import annotations

from typing import Any

from mullama.text.syntax import Format, Reasoning
from mullama.text.toolcalls import hermes

FORMAT = Format(name="test", reasoning=Reasoning(), calls=hermes.CALLS)
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "now",
            "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
        },
    }
]
CALL = '<tool_call>\n{"name": "now", "arguments": {"a": 1}}\n</tool_call>'
