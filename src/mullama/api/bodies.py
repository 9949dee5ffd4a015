"""A request's bytes become a validated model, or an error that names the field.

The bytes are validated as they are, in one pass of pydantic's own JSON parser: it is faster than
a route's usual way through Python objects. It refuses half a surrogate pair, which no later layer
could encode. Clients cut texts in the middle of one, and send such a history with every turn; so
these become U+FFFD, as browsers have it, and the body is read again.

A small body is read where it is, in the event loop. A large one takes so long that other answers
would stand still, so a thread reads it (`apart`).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from mullama.api.errors import invalid, is_not_json
from mullama.errors import InvalidRequest

IGNORED = "x-mullama-ignored"
_MOST_NAMED = 10
# Bytes whose reading costs the event loop two milliseconds at most, whatever they hold. A thread
# costs a tenth of one.
_SMALL = 64 << 10

_FORM = "application/x-www-form-urlencoded"  # what curl calls a body if nobody says otherwise
_BOM = "\ufeff".encode()
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# Escapes of JSON one by one, so that a backslash that is itself escaped begins none.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)

B = TypeVar("B", bound=BaseModel)
P = ParamSpec("P")
R = TypeVar("R")


async def read(request: Request, model: type[B]) -> B:
    """The request's JSON body. Raises InvalidRequest: 415 for other types, 400 for the rest."""
    _check_content_type(request.headers.get("content-type", ""))
    _check_encoding(request.headers.get("content-encoding", ""))
    return await apart(request, _validated, model, await request.body())


async def apart(request: Request, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What `work` makes of the request's body; in a thread if that is large."""
    if len(await request.body()) <= _SMALL:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)


def _validated(model: type[B], data: bytes) -> B:
    data = data.removeprefix(_BOM)
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        if not (is_not_json(error) and _SURROGATE.search(data)):
            raise invalid(error) from None
    try:
        return model.model_validate_json(_ESCAPE.sub(_whole_character, data))
    except ValidationError as error:
        raise invalid(error) from None


def _whole_character(escape: re.Match[bytes]) -> bytes:
    """An escape as it is, or U+FFFD for half a surrogate pair."""
    return rb"\ufffd" if escape["half"] else escape[0]


def _check_content_type(value: str) -> None:
    kind = value.partition(";")[0].strip().lower()
    if kind in ("", "application/json") or (kind[:12] == "application/" and kind[-5:] == "+json"):
        return
    curl = " With curl that is -H 'Content-Type: application/json'." if kind == _FORM else ""
    raise InvalidRequest(
        f"The Content-Type is {kind!r}; send the body as application/json.{curl}",
        code="unsupported_media_type",
        status=415,
    )


def _check_encoding(value: str) -> None:
    if value.strip().lower() not in ("", "identity"):
        raise InvalidRequest(
            f"The Content-Encoding is {value!r}; send the body as it is.",
            code="unsupported_media_type",
            status=415,
        )


def ignored(
    *bodies: BaseModel, known: Callable[[str], bool] = lambda name: False
) -> dict[str, str]:
    """A header that names the fields that nobody here knows; none where all were known.

    `bodies` are one body, as those see it who read it; `known` is true for what is looked at though
    no schema declares it. Null asks for nothing, and so nothing of it is ignored.
    """
    unknown = sorted(
        name for name in set.intersection(*map(_undeclared, bodies)) if not known(name)
    )
    if not unknown:
        return {}
    named = [printable(name) for name in unknown[:_MOST_NAMED]]
    if len(unknown) > _MOST_NAMED:
        named.append(f"and {len(unknown) - _MOST_NAMED} more")
    return {IGNORED: ", ".join(named)}


def _undeclared(body: BaseModel) -> set[str]:
    """The paths of fields that no schema declares, those in declared objects included."""
    found = {name for name, value in (body.model_extra or {}).items() if value is not None}
    for name in body.model_fields_set:
        if isinstance(inner := getattr(body, name), BaseModel):
            found |= {f"{name}.{field}" for field in _undeclared(inner)}
    return found


def printable(name: str, most: int = 60) -> str:
    """A header's value holds no line breaks, whatever a client calls its fields."""
    return "".join(c if c.isascii() and c.isprintable() and c != "," else "?" for c in name[:most])
