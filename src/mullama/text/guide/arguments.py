"""A function's parameters -> the grammar of a call's arguments, in each style that models have.

In JSON the engine holds them to the schema itself. The other styles are written out here, from the
lowered schema: properties in the order of the schema, optional ones left out or written. Each value
must be *read* as what the schema wants, and readers tell text from JSON by the schema alone
(`toolcalls.kinds`). So where both are possible, text is narrowed to what can't be taken for JSON.

What a style can't say exactly is narrowed; what can't be narrowed is refused with its path where
the function is strict, else left out and listed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mullama.errors import InvalidRequest
from mullama.text.constraint.compiler import checked
from mullama.text.constraint.grammar import Json, Part
from mullama.text.guide.schemas import Flat, narrowed
from mullama.text.guide.style import Styled
from mullama.text.guide.style_braced import Braced
from mullama.text.guide.style_keywords import Keywords
from mullama.text.guide.style_nested import Nested
from mullama.text.guide.style_tagged import Tagged
from mullama.text.syntax import Arguments, Style

_STYLES: dict[Style, type[Styled]] = {
    Style.KEYWORDS: Keywords,
    Style.TAGGED: Tagged,
    Style.BRACED: Braced,
    Style.NESTED: Nested,
}


@dataclass(frozen=True, slots=True)
class Written:
    """Arguments as a grammar; `loosened` lists what it does not enforce: "$.path: keyword"."""

    part: Part
    loosened: tuple[str, ...] = ()


def written(
    syntax: Arguments, parameters: Mapping[str, Any] | None, stop: str = "", *, strict: bool
) -> Written:
    """The arguments of a function with these parameters; `stop` is the text behind them.

    Raises InvalidRequest for what is no schema, for parameters that are no object, and if `strict`
    for what can't be enforced.
    """
    schema = narrowed(parameters)
    found = checked(Json(json.dumps(schema), strict))
    if not isinstance(found.schema, dict) or schema.get("type") != "object":
        raise InvalidRequest("$: the parameters must describe an object that can exist.")
    if syntax.style is Style.JSON:
        text = json.dumps(found.schema)
        return Written(Json(text, lowered=True), found.loosened)
    style = _STYLES[syntax.style](syntax, Flat(found.schema), parameters or {}, stop, strict)
    part = style.arguments(found.schema)
    return Written(part, (*found.loosened, *dict.fromkeys(style.loosened)))
