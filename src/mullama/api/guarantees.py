"""What can't be promised of a request's tools, said before its answer begins.

A function's parameters are held to its schema by the worker, in the style in which its model
writes arguments. What of a schema that can't enforce is known from schema and style alone; so it is
found out here, where a stream's headers can still say it: a strict function is refused, any other
answered with a warning. The same tools come with every turn of a conversation, so results are kept.
"""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict

from mullama.api.bodies import printable
from mullama.text.syntax import CallSyntax
from mullama.types import ChatRequest

WARNING = "x-mullama-warning"
_MOST_KEPT = 256
_MOST_NAMED = 20

_Key = tuple[CallSyntax, str, tuple[str, ...], str]


class Guarantees:
    """What is loosened of the tools that models are offered."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Key, tuple[str, ...]] = OrderedDict()

    async def loosened(
        self, request: ChatRequest, syntax: CallSyntax, param: str
    ) -> tuple[str, ...]:
        """The places of what is not enforced; `param` is the field that has the tools.

        Raises InvalidRequest, naming the place, where a strict function has such a place.
        """
        if not request.offered:
            return ()
        key = (syntax, json.dumps(request.tools), request.tool_choice.names, param)
        if key in self._known:
            self._known.move_to_end(key)
        else:
            self._known[key] = await asyncio.to_thread(_loosened, request, syntax, param)
            while len(self._known) > _MOST_KEPT:
                self._known.popitem(last=False)
        return self._known[key]


def _loosened(request: ChatRequest, syntax: CallSyntax, param: str) -> tuple[str, ...]:
    # Not for a server without tools: the grammar engine takes 12 MB.
    from mullama.text.guide import tools_of

    dotted = "tools[{}].function.parameters" if param == "tools" else "functions[{}].parameters"
    found = tools_of(syntax, request.tools, request.tool_choice.names, place=dotted)
    return tuple(place for tool in found for place in tool.loosened)


def warning(loosened: tuple[str, ...]) -> dict[str, str]:
    """The header that lists what is not enforced; none where everything is."""
    if not loosened:
        return {}
    named = [printable(place, 200) for place in loosened[:_MOST_NAMED]]
    if len(loosened) > _MOST_NAMED:
        named.append(f"and {len(loosened) - _MOST_NAMED} more")
    return {WARNING: "not enforced: " + ", ".join(named)}
