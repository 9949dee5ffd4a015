"""Phi 4 mini, where its template tells it of this word, but writes earlier calls without it.

functools[{"name": "get_time", "arguments": {"city": "Paris"}}]
"""

from mullama.text.syntax import Format
from mullama.text.toolcalls.shapes import listed

CALLS = listed("functools[", "]")
FORMAT = Format(name="phi", calls=CALLS)
