"""What surrounds every request, as pure ASGI: nothing here costs a streamed token more than a call.

From the outside in: `RequestIds`, then CORS, then `Errors`, then `BodyLimit`, then the routes. So
an error's response has its id and its CORS headers too.
"""

from __future__ import annotations

import logging
import re
import secrets
import time

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mullama.api.bodies import IGNORED
from mullama.api.errors import RETRY, as_error, error_response, request_id, set_request_id
from mullama.api.guarantees import WARNING
from mullama.api.responses import ClientGone
from mullama.config import ServerOptions
from mullama.errors import InvalidRequest

logger = logging.getLogger(__name__)

REQUEST_ID = "x-request-id"
_SOUND_ID = re.compile(rb"[\w.:-]{1,128}")  # what may stand in a header and in a log line


def stack(options: ServerOptions) -> list[Middleware]:
    """The middleware of an application, outermost first."""
    origins = [origin.strip() for origin in options.cors_origins.split(",") if origin.strip()]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=["GET", "POST", "OPTIONS"],
        allow_headers=["*"],
        allow_private_network=True,
        expose_headers=[REQUEST_ID, IGNORED, WARNING, *RETRY],
    )
    return [
        Middleware(RequestIds),
        *([cors] if origins else []),
        Middleware(Errors),
        Middleware(BodyLimit, n_bytes=options.max_body_mb << 20),
    ]


class RequestIds:
    """Gives every request an id, or keeps the client's, and logs under it how it went."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "").encode("latin-1")
        name = given if _SOUND_ID.fullmatch(given) else secrets.token_hex(12).encode()
        set_request_id(scope, name.decode())
        header = (REQUEST_ID.encode(), name)
        status = 0
        begin = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            _log(scope, status, time.perf_counter() - begin)


def _log(scope: Scope, status: int, seconds: float) -> None:
    if logger.isEnabledFor(logging.DEBUG):
        what = f"{scope['method']} {scope['path']!r}"  # no line break gets into the log
        said = str(status) if status else "client left"
        logger.debug("request %s: %s, %s, %.1f ms", request_id(scope), what, said, 1e3 * seconds)


class Errors:
    """The end of every exception: a response where none has begun, else a cut connection."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except (ClientGone, ClientDisconnect):
            return
        except Exception as raised:
            if begun or scope["type"] != "http":
                raise
            error = as_error(raised, request_id(scope))
            await error_response(error)(scope, receive, send)


class BodyLimit:
    """Refuses larger bodies with 413: at once by their Content-Length, or when they get there."""

    def __init__(self, app: ASGIApp, *, n_bytes: int) -> None:
        self._app = app
        self._n_bytes = n_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal():
            self._check(int(declared))
        n_received = 0

        async def receive_and_count() -> Message:
            nonlocal n_received
            message = await receive()
            n_received += len(message.get("body", b""))
            self._check(n_received)
            return message

        await self._app(scope, receive_and_count, send)

    def _check(self, n_bytes: int) -> None:
        if n_bytes > self._n_bytes:
            raise InvalidRequest(
                f"The body is larger than {self._n_bytes >> 20} MiB; send less, or start the "
                "server with a larger --max-body-mb.",
                code="body_too_large",
                status=413,
            )
