"""Schemas of every keyword, by chance, for hypothesis; and values that may satisfy them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

OLD = "http://json-schema.org/draft-07/schema#"
NAMES = ("a", "b", "c")
MORE_NAMES = (*NAMES, "x", "y")
TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
PATTERNS = ("^a", "b$", "^[ab]*$", "^[0-9]+$", "^$", "^(?=.*a)[a-c1]{1,4}$", "a|1")
FORMATS = ("date", "uuid", "ipv4", "email", "time")
SCALARS = (
    None,
    False,
    True,
    0,
    1,
    -1,
    2,
    5,
    0.5,
    -2.5,
    1e3,
    12345678901,
    "",
    "a",
    "ab",
    "b1",
    "12",
)

Schema = dict[str, Any]
_sizes = st.integers(0, 3)
_numbers = st.sampled_from([-3, -1, 0, 0.5, 1, 2, 3.25, 7])
_names = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)


def values(depth: int = 2) -> st.SearchStrategy[Any]:
    """JSON values over few names and texts; the names of an object are in alphabetical order."""
    scalars = st.sampled_from(SCALARS)
    if not depth:
        return scalars
    inner = values(depth - 1)
    objects = st.dictionaries(st.sampled_from(MORE_NAMES), inner, max_size=4)
    ordered = objects.map(lambda one: dict(sorted(one.items())))
    return st.one_of(scalars, scalars, st.lists(inner, max_size=3), ordered)


def schemas(*, old: bool = False, exact: bool = False, depth: int = 2) -> st.SearchStrategy[Any]:
    """Documents of draft-07, if `old`, or of 2020-12.

    `exact` leaves out what is narrowed by intention.
    """
    inner = _schema(old, exact, depth)
    draft = {"$schema": OLD} if old else {}
    keyword = "definitions" if old else "$defs"
    return st.builds(
        lambda root, one: (
            {**draft, **root, keyword: {"one": one}} if isinstance(root, dict) else root
        ),
        inner,
        _schema(old, exact, depth - 1, refers=False),
    )


def _schema(old: bool, exact: bool, depth: int, *, refers: bool = True) -> st.SearchStrategy[Any]:
    """With `refers`, a reference may stand in its own place: its target must have none there."""
    if depth < 0:
        return st.sampled_from([True, {}, {"type": "integer"}, {"type": "string"}, {"const": "a"}])
    table = _keywords(old, exact, depth, refers)
    some = st.lists(st.sampled_from(sorted(table)), min_size=1, max_size=4, unique=True)
    built = some.flatmap(lambda names: st.fixed_dictionaries({name: table[name] for name in names}))
    return st.one_of(built, built, built, st.booleans())


def _keywords(
    old: bool, exact: bool, depth: int, refers: bool
) -> dict[str, st.SearchStrategy[Any]]:
    one = st.deferred(lambda: _schema(old, exact, depth - 1, refers=refers))
    below = st.one_of(one, one, one, st.just({"$ref": "#"}))
    some = st.lists(one, min_size=1, max_size=3)
    by_name = _by_name(one)
    required = st.dictionaries(st.sampled_from(NAMES), _names, max_size=2)
    table: dict[str, st.SearchStrategy[Any]] = {
        "type": st.one_of(
            st.sampled_from(TYPES),
            st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True),
        ),
        "enum": st.lists(values(1), min_size=1, max_size=4),
        "const": values(1),
        "multipleOf": st.sampled_from([1, 2, 3, 0.5, 10]),
        "minLength": _sizes,
        "maxLength": _sizes,
        "pattern": st.sampled_from(PATTERNS),
        "minItems": _sizes,
        "maxItems": _sizes,
        "uniqueItems": st.booleans(),
        "items": below,
        "properties": _by_name(below),
        "required": _names,
        "additionalProperties": below,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "[xy]"]), one, max_size=2),
        "propertyNames": one,
        "minProperties": _sizes,
        "maxProperties": _sizes,
        "contains": one,
        "allOf": some,
        "anyOf": some,
        "not": one,
        "if": one,
        "then": one,
        "else": one,
    }
    table |= dict.fromkeys(("minimum", "maximum"), _numbers)
    table |= dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _numbers)
    if refers:
        table["$ref"] = st.just(f"#/{'definitions' if old else '$defs'}/one")
    if not exact:
        table["oneOf"] = some
        table["format"] = st.sampled_from(FORMATS)
        # Of other drafts, too: readers of this one pass it over.
        table["dependencies"] = st.one_of(required, by_name)
        # For a boolean, jsonschema's additionalItems wants a list.
        table["items"] = st.one_of(one.filter(_is_object), some) if old else one
        table["additionalItems"] = one
    if not old:
        table |= {
            "prefixItems": st.lists(below, min_size=1, max_size=3),
            "unevaluatedItems": one,
            "unevaluatedProperties": one,
            "minContains": _sizes,
            "maxContains": _sizes,
        }
    if not old and not exact:  # named properties are written in order, before others
        table |= {"dependentRequired": required, "dependentSchemas": by_name}
    return table


def _is_object(schema: Any) -> bool:
    return isinstance(schema, dict)


def _by_name(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    pairs = st.lists(st.tuples(st.sampled_from(NAMES), one), max_size=3)
    return pairs.map(lambda given: dict(sorted(dict(given).items())))
