"""Granite 3. Its templates tell the model of the format, and do not write earlier calls.

    <|tool_call|>[{"name": "get_time", "arguments": {"city": "Paris"}}]

Behind a thought its words stand in marks that are told in prose.

    <think>Thinking…</think><response>It is noon.</response>
"""

from mullama.text.syntax import Format
from mullama.text.toolcalls.shapes import listed

FORMAT = Format(
    name="granite", said=("<response>", "</response>"), calls=listed("<|tool_call|>[", "]")
)
