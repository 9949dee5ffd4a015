"""The keywords for arrays."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

from mullama.text.constraint.logic import either
from mullama.text.constraint.walk import (
    Handler,
    Made,
    Place,
    Unsupported,
    Walk,
    least,
    most,
    schemas,
    size,
)

_MAX_UNIQUE = 4  # distinct items whose arrangements are written out (65 of them)
_EVALUATE = frozenset(
    {"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "if", "contains"}
)


def _items(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    if isinstance(node["items"], list):  # a tuple, up to draft 2019-09
        _tuple(walk, node["items"], made, place.at("items"))
        if not walk.is_old:
            made.inexact()
    else:
        made.plain["items"] = walk.schema(node["items"], place.at("items"))


def _prefix_items(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    _tuple(walk, node["prefixItems"], made, place.at("prefixItems"))


def _tuple(walk: Walk, items: Any, made: Made, place: Place) -> None:
    given = enumerate(schemas(items))
    made.plain["prefixItems"] = [walk.schema(item, place.at(i)) for i, item in given]


def _additional_items(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    if isinstance(node.get("items"), list):  # it means nothing beside a single schema
        made.plain["items"] = walk.schema(node["additionalItems"], place.at("additionalItems"))


def _unevaluated_items(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    if "items" in made.plain or node["unevaluatedItems"] is True:
        return
    if _EVALUATE & node.keys():
        raise Unsupported("it stands beside keywords that evaluate items")
    made.plain["items"] = walk.schema(node["unevaluatedItems"], place.at("unevaluatedItems"))


def _contains(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    lower = size(node.get("minContains", 1))
    if node["contains"] is True:
        made.plain["minItems"] = max(lower, made.plain.get("minItems", 0))
        if "maxContains" in node:
            upper = size(node["maxContains"])
            made.plain["maxItems"] = min(upper, made.plain.get("maxItems", upper))
    elif lower or "maxContains" in node:
        raise Unsupported


def _unique_items(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    upper = made.plain.get("maxItems", math.inf)
    if node["uniqueItems"] is not True or upper <= 1:
        return
    values = walk.logic.values(made.plain.get("items"))
    if values is None or len(values) > _MAX_UNIQUE or "prefixItems" in made.plain:
        raise Unsupported(f"items must come from an enum of up to {_MAX_UNIQUE}")
    arrays = [
        list(chosen)
        for n in range(made.plain.get("minItems", 0), min(len(values), upper) + 1)
        for chosen in permutations(values, n)
    ]
    others = sorted(made.types - {"array"})
    made.parts.append(either([{"enum": arrays}, *([{"type": others}] if others else [])]))


FOR_ARRAYS: dict[str, Handler] = {
    "prefixItems": _prefix_items,
    "items": _items,
    "additionalItems": _additional_items,
    "unevaluatedItems": _unevaluated_items,
    "minItems": least("minItems"),
    "maxItems": most("maxItems"),
    "contains": _contains,
    "uniqueItems": _unique_items,
}
