"""A request's bytes become a validated model, or an error that names the field.

The bytes are validated as they are, in one pass of pydantic's own JSON parser: it is faster than
a route's usual way through Python objects, and it refuses what no later layer could encode, such
as half a surrogate pair.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from mullama.api.errors import invalid
from mullama.errors import InvalidRequest

IGNORED = "x-mullama-ignored"
_MOST_NAMED = 10

B = TypeVar("B", bound=BaseModel)


async def read(request: Request, model: type[B]) -> B:
    """The request's JSON body. Raises InvalidRequest: 415 for other types, 400 for the rest."""
    _check_content_type(request.headers.get("content-type", ""))
    data = await request.body()
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise invalid(error) from None


def _check_content_type(value: str) -> None:
    kind = value.partition(";")[0].strip().lower()
    if kind in ("", "application/json") or (kind[:12] == "application/" and kind[-5:] == "+json"):
        return
    raise InvalidRequest(
        f"The Content-Type is {kind!r}; send the body as application/json.",
        code="unsupported_media_type",
        status=415,
    )


def ignored(body: BaseModel) -> dict[str, str]:
    """A header that names the fields that nobody here knows; none where all were known."""
    unknown = sorted(body.model_extra or ())
    if not unknown:
        return {}
    named = [_printable(name) for name in unknown[:_MOST_NAMED]]
    if len(unknown) > _MOST_NAMED:
        named.append(f"and {len(unknown) - _MOST_NAMED} more")
    return {IGNORED: ", ".join(named)}


def _printable(name: str) -> str:
    """A header's value holds no line breaks, whatever a client calls its fields."""
    return "".join(c if c.isascii() and c.isprintable() and c != "," else "?" for c in name[:60])
