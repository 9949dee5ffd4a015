"""Constraints: JSON Schema, regular expressions, grammars -> the tokens that may come next.

    request -> Constraint (types)   plain data, from a field of the wire (`wire`)
            -> Part (`grammar`)     a small tree, also built by hand for tool calls
            -> Compiled (`compiler`) kept by content
            -> Matcher (types)      one answer's place in it (`matcher`, `lazy`)

The grammar engine is llguidance. It is fast and well tested, and it is trusted with what it is
asked for: but not with what it might ignore. So a schema is lowered first (`schema`) to what it
enforces to the letter, a regular expression is translated (`regex`), and a GBNF grammar is
converted (`gbnf`). What can't be enforced is refused by name, or loosened and listed where the
caller does not insist.

Nothing here knows models, requests or templates; a vocabulary is a `types.Vocab`.
"""

from mullama.text.constraint.compiler import Compiled, Compiler
from mullama.text.constraint.grammar import (
    Choice,
    Json,
    Markup,
    Part,
    Regex,
    Repeat,
    Seq,
    Text,
    Until,
    Words,
)
from mullama.text.constraint.lazy import Lazy, Template

__all__ = [
    "Choice",
    "Compiled",
    "Compiler",
    "Json",
    "Lazy",
    "Markup",
    "Part",
    "Regex",
    "Repeat",
    "Seq",
    "Template",
    "Text",
    "Until",
    "Words",
]
