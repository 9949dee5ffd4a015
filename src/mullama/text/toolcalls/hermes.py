"""Hermes, which Qwen made common. Also what models are told to write whose template has no tools.

<tool_call>
{"name": "get_time", "arguments": {"city": "Paris"}}
</tool_call>
"""

from mullama.text.syntax import CallSyntax, JsonCall, Slot

CALLS = CallSyntax(
    call=(
        '<tool_call>\n{"name": "',
        Slot.NAME,
        '", "arguments": ',
        Slot.ARGUMENTS,
        "}\n</tool_call>",
    ),
    between="\n",
    json=JsonCall(),
)
