"""Every error that Mullama raises, one tree.

    MullamaError
    ├── InvalidRequest            400  invalid_request   the caller's input; names the field
    │   └── ContextLengthExceeded 400  invalid_request   gives both numbers
    ├── Unauthorized              401  unauthorized
    ├── Forbidden                 403  forbidden
    ├── NotFound                  404  not_found         model, route
    ├── Conflict                  409  conflict
    ├── RateLimited               429  rate_limited      with retry_after
    ├── Overloaded                503  overloaded        queue full, loading; with retry_after
    ├── ModelError                500  model_error       a load failed, a worker died
    └── InternalError             500  internal_error    our mistake; the log has the details

A message says what happened and what to do next. `type` is the native dialect's word; every other
dialect maps from the class, in one place. Errors cross the process border as `ErrorInfo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """An error as plain data, to be sent to another process and raised there."""

    kind: str  # the class's name
    message: str
    code: str | None = None
    param: str | None = None
    status: int | None = None
    retry_after: float | None = None  # seconds


class MullamaError(Exception):
    """The root. `status` is the HTTP status, `code` a stable word for programs."""

    type: ClassVar[str] = "internal_error"
    status: int = 500
    code: str | None = None
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after
        if code is not None:
            self.code = code
        if status is not None:
            self.status = status

    def info(self) -> ErrorInfo:
        """This error as data; `from_info` is the way back."""
        return ErrorInfo(
            type(self).__name__,
            self.message,
            self.code,
            self.param,
            self.status,
            self.retry_after,
        )


class InvalidRequest(MullamaError):
    """The caller's input can't be served; `param` names the field."""

    type = "invalid_request"
    status = 400


class ContextLengthExceeded(InvalidRequest):
    """The prompt has more tokens than the context has room for."""

    code = "context_length_exceeded"


class Unauthorized(MullamaError):
    """No key, or a wrong one."""

    type = "unauthorized"
    status = 401
    code = "invalid_api_key"


class Forbidden(MullamaError):
    """The key is right and does not allow this."""

    type = "forbidden"
    status = 403
    code = "forbidden"


class NotFound(MullamaError):
    """There is no such model, response or route."""

    type = "not_found"
    status = 404
    code = "not_found"


class Conflict(MullamaError):
    """The request contradicts the present state."""

    type = "conflict"
    status = 409
    code = "conflict"


class RateLimited(MullamaError):
    """The caller's share is used up for now."""

    type = "rate_limited"
    status = 429
    code = "rate_limit_exceeded"
    retryable = True


class Overloaded(MullamaError):
    """The server can't take this now: queue full, model loading, shutting down."""

    type = "overloaded"
    status = 503
    code = "overloaded"
    retryable = True


class ModelError(MullamaError):
    """A model can't be loaded, or its worker died."""

    type = "model_error"
    status = 500
    code = "model_error"


class InternalError(MullamaError):
    """Our own mistake. The client learns no details; the log has them."""

    code = "internal_error"


_CLASSES: dict[str, type[MullamaError]] = {
    cls.__name__: cls
    for cls in (
        MullamaError,
        InvalidRequest,
        ContextLengthExceeded,
        Unauthorized,
        Forbidden,
        NotFound,
        Conflict,
        RateLimited,
        Overloaded,
        ModelError,
        InternalError,
    )
}


def from_info(info: ErrorInfo) -> MullamaError:
    """The exception that `MullamaError.info` described."""
    return _CLASSES.get(info.kind, InternalError)(
        info.message,
        code=info.code,
        param=info.param,
        status=info.status,
        retry_after=info.retry_after,
    )
