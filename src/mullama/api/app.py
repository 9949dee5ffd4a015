"""The application: every route, what surrounds it, and its description."""

from __future__ import annotations

from fastapi import Request
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mullama import __version__
from mullama.api.docs import page
from mullama.api.errors import error_response, from_http
from mullama.api.middleware import stack
from mullama.api.native.routes import Native
from mullama.api.native.schema import DetokenizeBody, RerankBody, TokenizeBody
from mullama.api.openai.routes import OpenAI
from mullama.api.openai.schema import ChatBody, CompletionBody, EmbeddingBody
from mullama.api.openapi import App
from mullama.api.paths import forgive_paths
from mullama.api.system import System
from mullama.config import ServerOptions
from mullama.types import Backend

# Every body that an endpoint takes; /docs and the documentation describe them.
BODIES: list[type[BaseModel]] = [
    ChatBody,
    CompletionBody,
    EmbeddingBody,
    RerankBody,
    TokenizeBody,
    DetokenizeBody,
]


def create_app(backend: Backend, options: ServerOptions) -> App:
    """The HTTP API over a backend. Set `app.state.closing` to true when the server shuts down."""
    app = App(
        title="Mullama",
        version=__version__,
        description="GGUF models on your own machine, for OpenAI's clients and everybody else's.",
        bodies=BODIES,
        middleware=stack(options),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.closing = False
    OpenAI(backend, options).add_to(app)
    Native(backend).add_to(app)
    System(backend).add_to(app)
    app.add_api_route("/docs", _docs, include_in_schema=False)
    app.add_api_route("/", _root, include_in_schema=False)
    forgive_paths(app)
    app.add_exception_handler(HTTPException, _http_error)
    return app


async def _docs(request: Request) -> Response:
    return HTMLResponse(page(request.app.openapi()))


async def _root() -> Response:
    """For who opens the server's address in a browser."""
    return RedirectResponse("docs")


async def _http_error(request: Request, raised: Exception) -> Response:
    assert isinstance(raised, HTTPException)
    error = from_http(raised, request.method, request.url.path)
    return error_response(error, raised.headers)
