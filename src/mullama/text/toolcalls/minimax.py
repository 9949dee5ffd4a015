"""MiniMax M3: elements inside of elements, each tag behind a mark of its own.

    <mm:think>Thinking…</mm:think>]<]minimax[>[<tool_call>
    ]<]minimax[>[<invoke name="get_time">]<]minimax[>[<city>Paris]<]minimax[>[</city>
    ]<]minimax[>[</invoke>
    ]<]minimax[>[</tool_call>

(with no line break after `</city>`). The mark looks like the pieces that texts are compared by.
"""

from mullama.text.syntax import Arguments, CallSyntax, Format, Reasoning, Slot, Style

_MARK = "]<]minimax[>["

FORMAT = Format(
    name="minimax-m3",
    reasoning=Reasoning("<mm:think>", "</mm:think>"),
    calls=CallSyntax(
        begin=f"{_MARK}<tool_call>\n",
        call=(f'{_MARK}<invoke name="', Slot.NAME, '">', Slot.ARGUMENTS, f"{_MARK}</invoke>\n"),
        end=f"{_MARK}</tool_call>",
        arguments=Arguments(Style.NESTED, begin=f"{_MARK}<", key_end=">", end=f"{_MARK}</"),
    ),
)
