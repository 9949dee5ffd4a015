"""How long schemas take to compile, by kinds.

Each kind has sixty properties, or is one large thing. What is measured is what a request waits for:
our lowering, the grammar engine, and the first mask, in the process's own time, so that a busy
machine makes little difference. The first schema, which prepares the vocabulary, is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from mullama.text.constraint import Compiler
from mullama.types import Constraint, Vocab

N_PROPERTIES = 60
_FORMATS = ("date", "date-time", "uuid", "email", "ipv4", "uri")

Schema = dict[str, Any]


def measure(vocab: Vocab, repeats: int, tell: Callable[[str], None]) -> dict[str, float]:
    """Milliseconds by kind, medians of so many compilations."""
    compiler = Compiler(vocab)
    compiler.compile(Constraint.json_schema({"type": "object"}))
    found = {}
    for name, schema in KINDS.items():
        times = sorted(_times(compiler, schema, repeats))
        found[name] = round(median(times) * 1000, 2)
        tell(f"{name:24} {found[name]:7.2f} ms")
    return found


def _times(compiler: Compiler, schema: Schema, repeats: int) -> Iterator[float]:
    for i in range(repeats):
        constraint = Constraint.json_schema({**schema, "$comment": str(i)})  # not kept yet
        begin = time.process_time()
        compiler.compile(constraint).matcher().mask()
        yield time.process_time() - begin


def _object(properties: Schema) -> Schema:
    required = list(properties)
    closed = {"additionalProperties": False}
    return {"type": "object", "properties": properties, "required": required, **closed}


def _sixty(make: Callable[[int], Schema]) -> Schema:
    return _object({f"p{i}": make(i) for i in range(N_PROPERTIES)})


def _mixed(i: int) -> Schema:
    kinds: tuple[Schema, ...] = (
        {"type": "string", "maxLength": 40},
        {"type": "integer", "minimum": 0, "maximum": 120},
        {"type": "number"},
        {"enum": ["open", "closed"]},
        {"type": "string", "format": "date-time"},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
    )
    return kinds[i % len(kinds)]


_ADDRESS = _object(
    {"street": {"type": "string"}, "number": {"type": "integer", "minimum": 1}, "flat": {}}
)
_NODE = _object(
    {
        "value": {"type": "integer", "minimum": 0, "maximum": 99},
        "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
    }
)
KINDS: dict[str, Schema] = {
    "60 mixed": _sixty(_mixed),
    "60 optional": {**_sixty(_mixed), "required": []},
    "60 strings": _sixty(lambda i: {"type": "string"}),
    "60 lengths": _sixty(lambda i: {"type": "string", "maxLength": 100 + i}),
    "60 equal ranges": _sixty(lambda i: {"type": "integer", "format": "int32"}),
    "60 small ranges": _sixty(lambda i: {"type": "integer", "minimum": i, "maximum": 999 + i}),
    "60 enums": _sixty(lambda i: {"enum": ["a", "b", f"c{i}"]}),
    "60 formats": _sixty(lambda i: {"type": "string", "format": _FORMATS[i % len(_FORMATS)]}),
    "60 patterns": _sixty(lambda i: {"type": "string", "pattern": f"^[a-z]{{1,{i + 1}}}-[0-9]+$"}),
    "60 equal objects": _sixty(lambda i: _ADDRESS),
    "60 other objects": _sixty(lambda i: _object({f"a{i}": {"type": "string"}, "b": {}})),
    "60 lists": _sixty(lambda i: {"type": "array", "items": {"type": "integer", "minimum": 1}}),
    "an enum of 5,000": _object({"city": {"enum": [f"city {i} of {i % 7}" for i in range(5000)]}}),
    "recursion": {"$ref": "#/$defs/node", "$defs": {"node": _NODE}},
}
