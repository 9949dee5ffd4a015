"""Granite 3. Its templates tell the model of the format, and do not write earlier calls.

<|tool_call|>[{"name": "get_time", "arguments": {"city": "Paris"}}]
"""

from mullama.text.syntax import CallSyntax, Format, JsonCall, Reasoning, Slot

FORMAT = Format(
    name="granite",
    reasoning=Reasoning(),
    calls=CallSyntax(
        begin="<|tool_call|>[",
        call=('{"name": "', Slot.NAME, '", "arguments": ', Slot.ARGUMENTS, "}"),
        between=", ",
        end="]",
        json=JsonCall(),
    ),
)
