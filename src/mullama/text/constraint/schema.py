"""JSON Schema -> a smaller JSON Schema that the grammar engine enforces to the letter.

The engine (llguidance) ignores what it does not know and reads some of what it knows differently,
so nothing that a client wrote reaches it as it stands. Each schema is read by our own walk and
written anew, in the 2020-12 spelling of few keywords; what those can't say is rewritten where a
rewrite is exact or narrower (`not`, `if`, `oneOf`, dependencies, names of properties, formats,
anchors in patterns), and otherwise *unsupported*:

- strict: InvalidRequest, naming the keyword and its JSON path;
- not strict: the keyword is left out, and `Lowered.loosened` lists it.

So the promise is: what satisfies the lowered schema satisfies the given one, but for what
`loosened` lists. A tighter reading is allowed (a format's ASCII part); a looser one never is.
Keywords that only describe (`title`, `default`, `contentEncoding`, names that nobody knows) assert
nothing, in JSON Schema's own words, and are dropped.

All of drafts 4 to 2020-12 is read, in all spellings at once; a `$ref` may have siblings in each,
which hold, too. Readers of another draft pass some of them over: so they are enforced, and nothing
is concluded from them. Nothing here knows grammars or tokens. `walk` has the mechanics,
`keywords_*` say what becomes of each keyword, `logic` has proofs, `complement` complements.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text.constraint.document import Document
from mullama.text.constraint.finite import is_finite
from mullama.text.constraint.keywords_any import FOR_ANY
from mullama.text.constraint.keywords_array import FOR_ARRAYS
from mullama.text.constraint.keywords_object import FOR_OBJECTS
from mullama.text.constraint.keywords_scalar import FOR_BOTH, FOR_NUMBERS, FOR_STRINGS
from mullama.text.constraint.logic import INEXACT, TYPES, Schema
from mullama.text.constraint.walk import Place, Tables, Walk

MAX_NESTING = 120  # brackets within brackets of the document, values in enums included
MAX_LOWERED = 200_000  # values in the lowered schema, where rewriting has multiplied them

_TABLES: Tables = (
    (frozenset({"number", "integer"}), FOR_NUMBERS),
    (frozenset({"string"}), FOR_STRINGS),
    (frozenset({"array"}), FOR_ARRAYS),
    (frozenset({"object"}), FOR_OBJECTS),
    (frozenset(TYPES), FOR_BOTH),
    (frozenset(TYPES), FOR_ANY),
)

_NAMED = frozenset({"properties", "patternProperties", "$defs"})
ASSERTIONS = frozenset(keyword for _, table in _TABLES for keyword in table) | {
    # read by those whose meaning they change
    *("type", "minContains", "maxContains", "then", "else"),
}


@dataclass(frozen=True, slots=True)
class Lowered:
    """A schema in the engine's keywords, and what was left out: "$.path: keyword" each."""

    schema: Schema
    loosened: tuple[str, ...] = ()


def lower(schema: Any, *, strict: bool, param: str | None = None) -> Lowered:
    """`schema` as the engine is to see it. `param` is the request's field, for errors.

    Raises InvalidRequest for what is no schema, for a schema beyond the limits, and, if `strict`,
    for keywords that can't be enforced.
    """
    if _count(schema, MAX_LOWERED) is None:
        raise InvalidRequest(
            f"The schema is too large or nested more than {MAX_NESTING} deep.", param=param
        )
    walk = Walk(Document(schema), _TABLES, strict, param)
    try:
        root = walk.schema(schema, Place("$", walk.document.base))
        walk.finish()
    except RecursionError:  # references within conditions within references
        raise walk.wrong("The schema's references and conditions are nested too deep.") from None
    if not is_finite(root, walk.definitions):
        raise walk.wrong(
            "Nothing finite satisfies the schema at $. Is there a way out of its recursion, and an "
            "option that is not false?"
        )
    if walk.definitions and isinstance(root, dict):
        root = {**root, "$defs": walk.definitions}
    if _count(root, MAX_LOWERED) is None:
        raise walk.wrong(
            "The schema grows too large when its conditions are written out. Use anyOf instead of "
            "oneOf, not and if."
        )
    return Lowered(_unmarked(root), tuple(dict.fromkeys(walk.loosened)))


def _unmarked(schema: Any) -> Any:
    """Without the marks of `logic`: beside references, they would be keywords to the engine."""
    if isinstance(schema, list):
        return list(map(_unmarked, schema))
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for keyword, value in schema.items():
        if keyword in _NAMED:
            made[keyword] = {name: _unmarked(one) for name, one in value.items()}
        elif keyword != INEXACT:
            made[keyword] = value if keyword == "enum" else _unmarked(value)
    return made


def _count(value: Any, most: int) -> int | None:
    """How many values `value` is made of; None for more than `most`, or for too deep a nesting."""
    n, level = 0, [value]
    for _ in range(MAX_NESTING):
        n += len(level)
        if n > most:
            return None
        inner = chain.from_iterable(map(_inside, level))
        level = list(islice(inner, most - n + 1))
        if not level:
            return n
    return None


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
