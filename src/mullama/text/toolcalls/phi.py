"""Phi 4 mini, where its template tells it of this word, but writes earlier calls without it.

functools[{"name": "get_time", "arguments": {"city": "Paris"}}]
"""

from mullama.text.syntax import CallSyntax, Format, JsonCall, Slot

CALLS = CallSyntax(
    begin="functools[",
    call=('{"name": "', Slot.NAME, '", "arguments": ', Slot.ARGUMENTS, "}"),
    between=", ",
    end="]",
    json=JsonCall(),
)
FORMAT = Format(name="phi", calls=CALLS)
