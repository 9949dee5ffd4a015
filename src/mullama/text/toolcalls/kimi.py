"""Kimi K2. Its templates write a call's id, which has the name in it, so probing sees no name.

    <|tool_calls_section_begin|><|tool_call_begin|>functions.get_time:0<|tool_call_argument_begin|>
    {"city": "Paris"}<|tool_call_end|><|tool_calls_section_end|>

(without the line break). The model leaves out section marks and ends of calls, and calls from
inside of a thought that it does not close.
"""

from mullama.text.syntax import CallSyntax, Format, Reasoning, Slot

FORMAT = Format(
    name="kimi",
    reasoning=Reasoning(ended_by_call=True),
    calls=CallSyntax(
        begin="<|tool_calls_section_begin|>",
        call=(
            "<|tool_call_begin|>functions.",
            Slot.NAME,
            ":",
            Slot.INDEX,
            "<|tool_call_argument_begin|>",
            Slot.ARGUMENTS,
            "<|tool_call_end|>",
        ),
        end="<|tool_calls_section_end|>",
    ),
)
