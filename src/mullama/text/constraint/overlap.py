"""Whether some text satisfies several schemas at once: the grammar engine finds out.

It intersects the automata of their patterns, within its limits, and says so where nothing is left.
"""

from __future__ import annotations

import json
from typing import Any

from llguidance import LLMatcher, LLParserLimits

from mullama.text.constraint import deep

_OWN = ("enum", "pattern", "minLength", "maxLength")


def no_text(*schemas: dict[str, Any]) -> bool:
    """A proof that no string satisfies all of these lowered schemas, by their own keywords.

    False may mean that none was found.
    """
    parts = [
        {"type": "string", **{key: schema[key] for key in _OWN if key in schema}}
        for schema in schemas
    ]
    source = f"start: %json {json.dumps({'allOf': parts})}\n"
    limits = LLParserLimits(initial_lexer_fuel=100_000, verbose_errors=False)
    error: str = deep.call(LLMatcher.validate_grammar, source, limits=limits)
    return "Unsatisfiable schema" in error
