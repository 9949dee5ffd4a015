"""Command R and R+, whose template asks for a list of actions in prose.

    Action:
    ```json
    [
        {
            "tool_name": "get_time",
            "parameters": {"city": "Paris"}
        }
    ]```

The model may write its own role's token and the end of its turn as text.
"""

from mullama.text.syntax import CallSyntax, Format, JsonCall, Slot

FORMAT = Format(
    name="command-r",
    content_begin="<|CHATBOT_TOKEN|>",
    content_end="<|END_OF_TURN_TOKEN|>",
    calls=CallSyntax(
        begin="Action:\n```json\n[\n",
        call=(
            '    {\n        "tool_name": "',
            Slot.NAME,
            '",\n        "parameters": ',
            Slot.ARGUMENTS,
            "\n    }",
        ),
        between=",\n",
        end="\n]```",
        json=JsonCall("tool_name", "parameters"),
        told_by="Action:\n```json",
    ),
)
