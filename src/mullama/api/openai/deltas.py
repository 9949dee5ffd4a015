"""A span as the `delta` of a chunk, in JSON. Pure functions.

A call's first delta has its index, id and name, the others its index and a piece of the arguments.
In the first form of the API (`functions`) there is one call, without index and id.
"""

from __future__ import annotations

from typing import Any

from mullama.api.openai.shape import Shape, encode
from mullama.text.spans import Span, SpanKind


def delta(span: Span, shape: Shape) -> bytes:
    """The delta with its name; nothing where a span has no word for the client."""
    match span.kind:
        case SpanKind.CONTENT:
            return b'"delta":{"content":' + encode(span.text) + b"}"
        case SpanKind.REASONING:
            named = dict.fromkeys(shape.thought_fields, span.text)
            return b'"delta":' + encode(named) if named else b""
        case SpanKind.CALL:
            function = {"name": span.name, "arguments": ""}
            return _call(span, shape, function, {"id": span.id, "type": "function"})
        case SpanKind.ARGUMENTS:
            return _call(span, shape, {"arguments": span.text}, {})
        case SpanKind.CALL_END:
            return b""


def _call(span: Span, shape: Shape, function: dict[str, str], facts: dict[str, str]) -> bytes:
    if shape.legacy_calls:
        return b'"delta":' + encode({"function_call": function})
    call: dict[str, Any] = {"index": span.index, **facts, "function": function}
    return b'"delta":' + encode({"tool_calls": [call]})
