"""LFM2. The template of the first models does not write earlier calls.

<|tool_call_start|>[get_time(city="Paris"), get_date()]<|tool_call_end|>
"""

from mullama.text.syntax import Arguments, CallSyntax, Format, Reasoning, Slot, Style

CALLS = CallSyntax(
    begin="<|tool_call_start|>[",
    call=(Slot.NAME, "(", Slot.ARGUMENTS, ")"),
    between=", ",
    end="]<|tool_call_end|>",
    arguments=Arguments(Style.KEYWORDS),
)
FORMAT = Format(name="lfm2", reasoning=Reasoning(), calls=CALLS)
