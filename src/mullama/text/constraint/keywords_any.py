"""The keywords for values of every type: constants, references and combinations.

`oneOf`, `not` and `if` need the complement of a schema. A complement of something that was left out
or narrowed would be wrong, so then they can't be enforced either (see `logic.INEXACT`).
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from mullama.text.constraint.keywords_scalar import exact
from mullama.text.constraint.logic import NoComplement, Schema, both, either
from mullama.text.constraint.walk import Handler, Made, Place, Unsupported, Walk, schemas

_MAX_EXCLUSIVE = 8  # options of a oneOf that are told apart by complements


def _enum(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    if not isinstance(node["enum"], list):
        raise Unsupported("it must be a list")
    walk.count_values(node["enum"])
    _hold(made, [exact(value) for value in node["enum"]])


def _const(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    _hold(made, [exact(node["const"])])


def _hold(made: Made, values: list[Any]) -> None:
    if "enum" in made.plain:
        made.parts.append({"enum": values})
    else:
        made.plain["enum"] = values


def _ref(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    made.parts.append({"$ref": walk.refer(node["$ref"], place)})


def _moving_ref(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    raise Unsupported("write it as $ref")


def _each(walk: Walk, node: dict[str, Any], keyword: str, place: Place) -> list[Schema]:
    place = place.at(keyword)
    return [walk.schema(one, place.at(i)) for i, one in enumerate(schemas(node[keyword]))]


def _all_of(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    made.parts += _each(walk, node, "allOf", place)


def _any_of(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    made.parts.append(either(_each(walk, node, "anyOf", place)))


def _one_of(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    options = _each(walk, node, "oneOf", place)
    try:
        made.parts.append(_exactly_one(options, walk))
    except NoComplement:
        made.parts.append(either(options))
        raise Unsupported("its options may overlap; use anyOf") from None


def _exactly_one(options: list[Schema], walk: Walk) -> Schema:
    """Each option without those that it may overlap."""
    rivals: list[list[Schema]] = [[] for _ in options]
    for (i, a), (j, b) in combinations(enumerate(options), 2):
        if not walk.logic.disjoint(a, b):
            rivals[i].append(b)
            rivals[j].append(a)
    if any(rivals) and len(options) > _MAX_EXCLUSIVE:
        raise NoComplement
    return either(
        both([option, *map(walk.logic.complement, others)])
        for option, others in zip(options, rivals, strict=True)
    )


def _not(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    inner = walk.schema(node["not"], place.at("not"))
    try:
        made.parts.append(walk.logic.complement(inner))
    except NoComplement:
        raise Unsupported from None


def _if(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    condition = walk.schema(node["if"], place.at("if"))
    then = walk.schema(node.get("then", True), place.at("then"))
    otherwise = walk.schema(node.get("else", True), place.at("else"))
    if then is True and otherwise is True:
        return
    try:
        opposite = walk.logic.complement(condition)
    except NoComplement:
        raise Unsupported("its condition is too complex") from None
    made.parts.append(either([both([condition, then]), both([opposite, otherwise])]))


FOR_ANY: dict[str, Handler] = {
    "const": _const,
    "enum": _enum,
    "$ref": _ref,
    "$dynamicRef": _moving_ref,
    "$recursiveRef": _moving_ref,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
}
