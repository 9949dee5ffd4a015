"""The endpoints: a body is read, checked and converted, a worker is asked, its answer shaped."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.responses import Response

from mullama.api.bodies import apart, ignored, read
from mullama.api.native import schema
from mullama.api.native.rerank import ranking, rerank_request
from mullama.api.native.schema import DetokenizeBody, RerankBody, TokenizeBody
from mullama.api.native.tokens import (
    chat_tokens_request,
    text_answer,
    text_request,
    tokens_answer,
)
from mullama.api.openai.convert import chat_request
from mullama.api.openai.refuse import refuse_unsupported
from mullama.api.openai.schema import ChatBody
from mullama.api.openai.shape import Head, encode
from mullama.api.openapi import body_of, replies
from mullama.api.responses import Answer
from mullama.errors import InvalidRequest
from mullama.types import Backend, ChatRequest, ModelKind, TokenizeRequest

# Where the clients of Jina, Cohere, TEI, vLLM and llama-server look for it.
RERANK_ALIASES = ("/rerank", "/v1/reranking", "/v2/rerank", "/reranking")


class Native:
    """Reranking, tokenizing and templates, answered by a backend."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def add_to(self, app: FastAPI) -> None:
        """Adds the routes."""
        posts: list[tuple[str, Any, type[BaseModel], Any]] = [
            ("/v1/rerank", self.rerank, RerankBody, schema.Ranking),
            ("/tokenize", self.tokenize, TokenizeBody, schema.Tokens),
            ("/detokenize", self.detokenize, DetokenizeBody, schema.Text),
            ("/apply-template", self.apply_template, ChatBody, schema.Prompt),
        ]
        for path, endpoint, body, answer in posts:
            app.add_api_route(
                path,
                endpoint,
                methods=["POST"],
                openapi_extra=body_of(body),
                responses=replies(answer),
            )
        for path in RERANK_ALIASES:
            app.add_api_route(path, self.rerank, methods=["POST"], include_in_schema=False)

    async def rerank(self, request: Request) -> Response:
        """Order documents by how well each answers a query."""
        body = await read(request, RerankBody)
        model = self._backend.model(body.model)
        if model.info.kind is not ModelKind.RERANK:
            raise InvalidRequest(
                f"The model {model.name!r} has no rank head, so it can't score documents. Choose a "
                "reranking model; /v1/models says which can rerank.",
                param="model",
            )
        asked = await apart(request, rerank_request, body)
        id = Head.new("rerank", model.name).id

        async def answer() -> bytes:
            result = await self._backend.rerank(model.name, asked)
            return encode(ranking(id, model.name, body, result))

        return Answer(answer, ignored(body))

    async def tokenize(self, request: Request) -> Response:
        """Turn a text, or a conversation, into tokens."""
        body = await read(request, TokenizeBody)
        model = self._backend.model(body.model)
        bodies: list[BaseModel] = [body]
        if body.messages is None:
            asked = text_request(body)
        else:
            chat = await read(request, ChatBody)
            bodies.append(chat)
            asked = chat_tokens_request(body, await _conversation(request, chat))

        async def answer() -> bytes:
            result = await self._backend.tokenize(model.name, asked)
            return encode(tokens_answer(body, model.n_ctx, result))

        return Answer(answer, ignored(*bodies))

    async def detokenize(self, request: Request) -> Response:
        """Turn tokens into text."""
        body = await read(request, DetokenizeBody)
        model = self._backend.model(body.model)

        async def answer() -> bytes:
            text = await self._backend.detokenize(model.name, body.tokens)
            return encode(text_answer(text))

        return Answer(answer, ignored(body))

    async def apply_template(self, request: Request) -> Response:
        """Show the prompt that a conversation becomes by the model's template."""
        body = await read(request, ChatBody)
        model = self._backend.model(body.model)
        asked = TokenizeRequest(await _conversation(request, body))

        async def answer() -> bytes:
            result = await self._backend.tokenize(model.name, asked)
            prompt: schema.Prompt = {"prompt": result.prompt}
            return encode(prompt)

        return Answer(answer, ignored(body))


async def _conversation(request: Request, body: ChatBody) -> ChatRequest:
    refuse_unsupported(body)
    return await apart(request, chat_request, body)
