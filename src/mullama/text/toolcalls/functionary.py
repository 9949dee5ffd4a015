"""Functionary 3.2: every part of an answer is addressed, to `all` or to a function.

    >>>all
    Let me look.>>>get_time
    {"city": "Paris"}

The prompt ends with the first `>>>`.
"""

from mullama.text.syntax import CallSyntax, Format, Slot

FORMAT = Format(
    name="functionary",
    content_begin=">>>all\n",
    calls=CallSyntax(call=(">>>", Slot.NAME, "\n", Slot.ARGUMENTS)),
)
