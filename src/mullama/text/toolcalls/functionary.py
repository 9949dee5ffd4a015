"""Functionary: every part of an answer is addressed, to `all` or to a function.

    >>>all                                      <|recipient|>all
    Let me look.>>>get_time                     <|content|>Let me look.
    {"city": "Paris"}                           <|from|>assistant
                                                <|recipient|>get_time
                                                <|content|>{"city": "Paris"}

3.2 on the left, 2 on the right. The prompt ends with the first `>>>` or `<|recipient|>`.
"""

from mullama.text.syntax import CallSyntax, Format, Slot

FORMAT = Format(
    name="functionary",
    content_begin=">>>all\n",
    calls=CallSyntax(call=(">>>", Slot.NAME, "\n", Slot.ARGUMENTS)),
)
FORMAT_2 = Format(
    name="functionary-2",
    content_begin="<|recipient|>all\n<|content|>",
    dropped=("<|from|>assistant", "<|stop|>"),
    calls=CallSyntax(
        call=("<|recipient|>", Slot.NAME, "\n<|content|>", Slot.ARGUMENTS),
        between="\n<|from|>assistant\n",
    ),
)
