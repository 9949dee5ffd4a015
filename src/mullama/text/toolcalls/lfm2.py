"""LFM2. The template of the first models does not write earlier calls.

<|tool_call_start|>[get_time(city="Paris"), get_date()]<|tool_call_end|>
"""

from mullama.text.syntax import Format, Reasoning
from mullama.text.toolcalls.shapes import python

CALLS = python("<|tool_call_start|>[", ", ", "]<|tool_call_end|>")
FORMAT = Format(name="lfm2", reasoning=Reasoning(), calls=CALLS)
