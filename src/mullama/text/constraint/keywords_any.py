"""The keywords for values of every type: constants, references and combinations.

`oneOf`, `not` and `if` need the complement of a schema. A complement of something that was left out
or narrowed would be wrong, so then they can't be enforced either (see `logic.INEXACT`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from mullama.text.constraint.complement import NoComplement, complement
from mullama.text.constraint.keywords_scalar import exact
from mullama.text.constraint.logic import INEXACT, Schema, both, either
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
        apart = _told_apart([_beside(one, made.plain) for one in options], walk)
        found = _exactly_one(options, apart, walk)
    except NoComplement:
        made.parts.append(either(options))
        raise Unsupported("its options may overlap; use anyOf") from None
    made.parts.append(found)


def _told_apart(options: list[Schema], walk: Walk) -> _Apart:
    """What tells each from each. Raises NoComplement where they are too many that nothing tells."""
    apart = _Apart(options)
    for i, j in combinations(range(len(options)), 2):
        apart.tell(walk, i, j)
        if apart.rivals[i] and len(options) > _MAX_EXCLUSIVE:
            raise NoComplement
    return apart


@dataclass(slots=True)
class _Apart:
    """What tells the options of a `oneOf` apart: properties that they need, others to exclude.

    A tag that has a default is often not required; what is written has it, so that it is certainly
    one option only.
    """

    options: list[Schema]
    needed: list[list[str]] = field(init=False)
    rivals: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.needed, self.rivals = [[] for _ in self.options], [[] for _ in self.options]

    def tell(self, walk: Walk, i: int, j: int) -> None:
        """Two of them."""
        a, b = self.options[i], self.options[j]
        if walk.logic.disjoint(a, b):
            return
        tag = _tag(a, b, walk)
        for n, other in ((i, j), (j, i)):
            if tag is None:
                self.rivals[n].append(other)
            elif tag not in self.needed[n]:
                self.needed[n].append(tag)


def _beside(option: Schema, plain: dict[str, Any]) -> Schema:
    """An option with those of its neighbours that it says nothing of itself."""
    if not isinstance(option, dict) or INEXACT in plain:
        return option
    required = [*plain.get("required", ()), *option.get("required", ())]
    return {**plain, **option, **({"required": required} if required else {})}


def _tag(a: Schema, b: Schema, walk: Walk) -> str | None:
    """A property that can't be the same in both."""
    mine, theirs = walk.logic.properties(a), walk.logic.properties(b)
    for name in mine:
        pair = mine[name], theirs.get(name, True)
        if False not in pair and walk.logic.disjoint(*pair):
            return name
    return None


def _exactly_one(options: list[Schema], apart: _Apart, walk: Walk) -> Schema:
    """Each option with the properties that it needs, and without those that it may overlap."""
    told = [
        walk.require(option, names) if names else option
        for option, names in zip(options, apart.needed, strict=True)
    ]
    found = either(
        both([one, *(complement(options[n], walk.logic) for n in others)])
        for one, others in zip(told, apart.rivals, strict=True)
    )
    return {**found, INEXACT: True} if told != options and isinstance(found, dict) else found


def _not(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    inner = walk.schema(node["not"], place.at("not"))
    try:
        made.parts.append(complement(inner, walk.logic))
    except NoComplement:
        raise Unsupported from None


def _if(walk: Walk, node: dict[str, Any], made: Made, place: Place) -> None:
    condition = walk.schema(node["if"], place.at("if"))
    then = walk.schema(node.get("then", True), place.at("then"))
    otherwise = walk.schema(node.get("else", True), place.at("else"))
    if then is True and otherwise is True:
        return
    try:
        opposite = complement(condition, walk.logic)
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
