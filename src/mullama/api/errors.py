"""Every exception's way to the client: one tree, one mapper.

`as_error` turns anything that was raised into a MullamaError that may be shown: what nobody
expected becomes an InternalError without details, its traceback in the log under the request's id.
`invalid` makes validation errors sentences that name the field. `error_response` is an error as
HTTP. A body is OpenAI's: {"error": {message, type, param, code}}.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from mullama.errors import (
    Conflict,
    Forbidden,
    InternalError,
    InvalidRequest,
    ModelError,
    MullamaError,
    NotFound,
    Overloaded,
    RateLimited,
    Unauthorized,
)

logger = logging.getLogger(__name__)

UNSUPPORTED = "unsupported_parameter"
SHAPE = "shape"  # the type of validation errors whose message is a complaint as it stands
TAG = "#"  # begins the names of a union's members, which are no part of a field's path

RETRY = ("x-should-retry", "retry-after", "retry-after-ms")  # the headers of `retry_headers`

_SCOPE_KEY = "mullama.request_id"
_DEFAULT_RETRY = 1.0  # seconds, where a retry helps and nobody knows when

_TYPES: Mapping[type[MullamaError], str] = {
    MullamaError: "server_error",
    InvalidRequest: "invalid_request_error",
    Unauthorized: "invalid_request_error",
    Forbidden: "permission_error",
    NotFound: "invalid_request_error",
    Conflict: "invalid_request_error",
    RateLimited: "rate_limit_error",
    Overloaded: "server_error",
    ModelError: "server_error",
    InternalError: "server_error",
}


def set_request_id(scope: Scope, name: str) -> None:
    """Remembers the id of the request that `scope` belongs to."""
    scope[_SCOPE_KEY] = name


def request_id(scope: Scope) -> str:
    """The id of the request that `scope` belongs to."""
    return str(scope.get(_SCOPE_KEY, "unknown"))


def openai_body(error: MullamaError) -> bytes:
    """An error as OpenAI's JSON."""
    kind = next(_TYPES[cls] for cls in type(error).__mro__ if cls in _TYPES)
    shown = {
        "message": error.message,
        "type": kind,
        "param": error.param,
        "code": error.code,
    }
    return msgspec.json.encode({"error": shown})


def retry_headers(error: MullamaError) -> dict[str, str]:
    """What the SDKs decide by: whether to try again, and when."""
    seconds = error.retry_after
    if seconds is None:
        if not error.retryable:
            return {"x-should-retry": "false"}
        seconds = _DEFAULT_RETRY
    return {
        "x-should-retry": "true",
        "retry-after": str(math.ceil(seconds)),
        "retry-after-ms": str(math.ceil(seconds * 1000)),
    }


def error_response(error: MullamaError, headers: Mapping[str, str] | None = None) -> Response:
    """An error as an HTTP response."""
    return Response(
        openai_body(error),
        status_code=error.status,
        headers={**(headers or {}), **retry_headers(error)},
        media_type="application/json",
    )


def as_error(raised: Exception, request_id: str) -> MullamaError:
    """What the client may know of `raised`; the log gets all of it, under the request's id."""
    if isinstance(raised, MullamaError) and not isinstance(raised, InternalError):
        logger.info("request %s: %d, %s", request_id, raised.status, raised.message)
        return raised
    logger.error("request %s failed: %s", request_id, raised, exc_info=raised)
    return InternalError(
        f"An internal error; the server's log has the details under request id {request_id}."
    )


# Endpoints of other APIs, and what answers the same question here.
_INSTEAD = {
    "/v1": "an endpoint, such as /v1/chat/completions; a client's base_url ends in /v1",
    "/v1/responses": "/v1/chat/completions",
    "/v1/messages": "/v1/chat/completions",
    "/api/chat": "/v1/chat/completions",
    "/api/generate": "/v1/completions",
    "/completion": "/v1/completions",
    "/embedding": "/v1/embeddings",
    "/api/embed": "/v1/embeddings",
    "/api/tags": "/v1/models",
}


def from_http(raised: HTTPException, method: str, path: str) -> MullamaError:
    """An error of the routing: no such path, or no such method there."""
    if raised.status_code == 404:
        use = _INSTEAD.get("/" + path.strip("/"))
        return NotFound(
            f"There is no {path} here; {f'use {use}' if use else '/docs lists what there is'}."
        )
    if raised.status_code == 405:
        allowed = (raised.headers or {}).get("Allow", "another method")
        return InvalidRequest(
            f"{path} can't be called with {method}; use {allowed}.",
            code="method_not_allowed",
            status=405,
        )
    return InvalidRequest(str(raised.detail), status=raised.status_code)


# ------------------------------------------------------------------------- validation errors


def invalid(found: ValidationError) -> InvalidRequest:
    """A validation error as one sentence about its first field; `param` is the field's path."""
    errors = found.errors(include_url=False, include_context=True)
    first = errors[0]
    if first["type"] == "json_invalid":
        return InvalidRequest(_not_json(first["ctx"]["error"]), code="not_json")
    param = path(first["loc"])
    more = f" ({len(errors) - 1} more fields are wrong.)" if len(errors) > 1 else ""
    return InvalidRequest(f"{param or 'The body'} {_complaint(first)}.{more}", param=param)


def is_not_json(found: ValidationError) -> bool:
    """Whether there was no JSON to be validated."""
    return found.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid"


def _not_json(reason: str) -> str:
    if reason.startswith("invalid unicode"):
        return f"The body is not UTF-8 ({reason}); send JSON in that encoding."
    if reason.startswith("recursion limit"):
        return f"The body is nested too deeply ({reason})."
    return f"The body is not JSON: {reason}."


def path(loc: tuple[int | str, ...]) -> str | None:
    """Where in the body: ("messages", 0, "content") is messages[0].content."""
    text = ""
    for step in loc:
        if isinstance(step, int):
            text += f"[{step}]"
        elif not step.startswith(TAG):
            text += f".{step}" if text else step
    return text or None


_MUST_BE = {
    "int_type": "an integer",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a string",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "finite_number": "a finite number",
    "literal_error": "{expected}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}


def _complaint(error: ErrorDetails) -> str:
    """The rest of a sentence that begins with the field's name."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind in _MUST_BE:
        return f"must be {_MUST_BE[kind].format(**context)}, not {_shown(error['input'])}"
    if kind == "too_long":
        return f"has too many items; the most is {context['max_length']}"
    if kind == SHAPE:
        return error["msg"]
    return f"is wrong: {error['msg']}"


def _shown(value: Any) -> str:
    """A value as a client would recognise it, however large it is."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    not_json = isinstance(value, float) and not math.isfinite(value)
    text = str(value) if not_json else msgspec.json.encode(value).decode()
    return text if len(text) <= 40 else f"{text[:40]}…"
