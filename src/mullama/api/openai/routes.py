"""The endpoints: a body is read, checked and converted; events go back as a stream or whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.responses import Response

from mullama.api.bodies import apart, ignored, read
from mullama.api.formats import Formats
from mullama.api.guarantees import Guarantees, warning
from mullama.api.openai import answers
from mullama.api.openai.answers import ModelAnswer
from mullama.api.openai.chunks import ChatChunks, Chunks, TextChunks
from mullama.api.openai.collected import (
    ChatCollected,
    Collected,
    chat_completion,
    text_completion,
)
from mullama.api.openai.convert import (
    chat_request,
    completion_requests,
    embed_request,
    from_address,
)
from mullama.api.openai.embeddings import embedding_answer
from mullama.api.openai.generation import collect, streamed
from mullama.api.openai.models import model_answer
from mullama.api.openai.refuse import is_considered, refuse_unsupported
from mullama.api.openai.schema import ChatBody, CompletionBody, EmbeddingBody, GenerationBody
from mullama.api.openai.shape import Head, Shape, encode
from mullama.api.openai.thinking import thinking
from mullama.api.openapi import body_of, facts, replies
from mullama.api.responses import Answer
from mullama.api.sse import EventStream
from mullama.config import ServerOptions
from mullama.errors import InvalidRequest, MullamaError
from mullama.text.reading import Channels, channels
from mullama.types import (
    Backend,
    ChatRequest,
    CompletionRequest,
    ModelKind,
    ModelStatus,
)

Requests = Sequence[ChatRequest | CompletionRequest]

# The option reasoning_field -> the fields of a message that thoughts go into.
THOUGHT_FIELDS: Mapping[str, tuple[str, ...]] = {
    "reasoning_content": ("reasoning_content",),
    "reasoning": ("reasoning",),
    "both": ("reasoning_content", "reasoning"),
}


class OpenAI:
    """OpenAI's endpoints, answered by a backend."""

    def __init__(self, backend: Backend, options: ServerOptions) -> None:
        self._backend = backend
        self._options = options
        self._formats = Formats()
        self._guarantees = Guarantees()

    def add_to(self, app: FastAPI) -> None:
        """Adds the routes: to the application itself, since every router on the way costs time."""
        posts: list[tuple[str, Any, type[BaseModel], Any]] = [
            ("/v1/chat/completions", self.chat_completions, ChatBody, answers.ChatCompletion),
            ("/v1/completions", self.completions, CompletionBody, answers.TextCompletion),
            ("/v1/embeddings", self.embeddings, EmbeddingBody, answers.EmbeddingList),
        ]
        for path, endpoint, body, answer in posts:
            streams = issubclass(body, GenerationBody)
            app.add_api_route(
                path,
                endpoint,
                methods=["POST"],
                openapi_extra=body_of(body),
                responses=replies(answer, streams=streams),
            )
        app.add_api_route("/v1/models", self.models, responses=facts(answers.ModelList))
        app.add_api_route(
            "/v1/models/{model:path}", self.model, responses=facts(answers.ModelAnswer)
        )

    async def chat_completions(self, request: Request) -> Response:
        """Answer a conversation."""
        body = await read(request, ChatBody)
        model = self._generating(body)
        asked = from_address(await apart(request, chat_request, body), _address(request))
        asked, channels = await self._channels(model, body, asked)
        headers = ignored(body, known=is_considered)
        if channels and channels.format.calls:
            param = "functions" if body.functions else "tools"
            syntax = channels.format.calls
            headers |= warning(await self._guarantees.loosened(asked, syntax, param))
        head = Head.new("chatcmpl", model.name)
        shape = replace(
            _shape(body, logprobs=bool(body.logprobs)),
            thought_fields=self._thought_fields(body),
            legacy_calls=bool(body.functions),
        )
        if body.stream:
            chunks = ChatChunks(head, shape, channels)
            return self._stream(headers, head, shape, [asked], [chunks])
        collected = ChatCollected(shape.n, channels)

        async def answer() -> bytes:
            await collect(self._backend, model.name, [asked], [collected])
            return encode(chat_completion(head, shape, collected))

        return Answer(answer, headers)

    async def completions(self, request: Request) -> Response:
        """Continue one or more prompts."""
        body = await read(request, CompletionBody)
        model = self._generating(body)
        converted = await apart(request, completion_requests, body)
        asked = [from_address(one, _address(request)) for one in converted]
        head = Head.new("cmpl", model.name)
        shape = _shape(body, logprobs=body.logprobs is not None, echo=bool(body.echo))
        if body.stream:
            chunks = [
                TextChunks(head, shape, number * shape.n, _text(one))
                for number, one in enumerate(asked)
            ]
            return self._stream(ignored(body, known=is_considered), head, shape, asked, chunks)
        prompts = [Collected(one.options.n, _text(one)) for one in asked]

        async def answer() -> bytes:
            await collect(self._backend, model.name, asked, prompts)
            return encode(text_completion(head, shape, prompts))

        return Answer(answer, ignored(body, known=is_considered))

    async def embeddings(self, request: Request) -> Response:
        """Turn texts, or token ids, into vectors."""
        body = await read(request, EmbeddingBody)
        model = self._backend.model(body.model)
        if model.info.kind is ModelKind.RERANK:
            raise InvalidRequest(
                f"The model {model.name!r} scores documents and has no vectors. Send a query and "
                "documents to /v1/rerank, or choose another model.",
                param="model",
            )
        asked = await apart(request, embed_request, body)

        async def answer() -> bytes:
            result = await self._backend.embed(model.name, asked)
            as_base64 = body.encoding_format == "base64"
            return await embedding_answer(model.name, result, as_base64=as_base64)

        return Answer(answer, ignored(body))

    async def models(self) -> Response:
        """The models that can be asked for."""
        listed = [await self._listed(one) for one in self._backend.models()]
        return _json({"object": "list", "data": listed})

    async def model(self, model: str) -> Response:
        """One model; all of them where the name is left out."""
        if not model:
            return await self.models()
        return _json(await self._listed(self._backend.model(model)))

    async def _listed(self, model: ModelStatus) -> ModelAnswer:
        known = None
        if model.info.kind is ModelKind.GENERATE:
            with suppress(MullamaError):  # which its conversations are told
                known = await self._formats.find(model.info, tools=True)
        return model_answer(model, known.format if known else None)

    def _generating(self, body: GenerationBody) -> ModelStatus:
        """The model of a body that asks for text. Raises InvalidRequest if it writes none."""
        refuse_unsupported(body)
        model = self._backend.model(body.model)
        if model.info.kind is not ModelKind.GENERATE:
            instead = "/v1/rerank" if model.info.kind is ModelKind.RERANK else "/v1/embeddings"
            raise InvalidRequest(
                f"The model {model.name!r} writes no text; it is for {instead}. Choose another "
                "model; /v1/models says what each can do.",
                param="model",
            )
        return model

    async def _channels(
        self, model: ModelStatus, body: ChatBody, asked: ChatRequest
    ) -> tuple[ChatRequest, Channels | None]:
        """How the answers are to be read, and the request with the marks that this needs."""
        known = await self._formats.find(model.info, tools=bool(asked.offered))
        if known is None:
            return asked, None
        read = channels(known.format, asked, thoughts=body.reasoning_format != "none")
        return replace(asked, marks=known.marks), read

    def _thought_fields(self, body: ChatBody) -> tuple[str, ...]:
        return THOUGHT_FIELDS[self._options.reasoning_field] if thinking(body).shown else ()

    def _stream(
        self,
        headers: Mapping[str, str],
        head: Head,
        shape: Shape,
        asked: Requests,
        chunks: Sequence[Chunks],
    ) -> EventStream:
        return EventStream(
            streamed(self._backend, head.model, asked, chunks, head, shape),
            ping_interval=self._options.ping_interval,
            headers=headers,
        )


def _shape(body: GenerationBody, *, logprobs: bool, echo: bool = False) -> Shape:
    stream_options = body.stream_options
    return Shape(
        n=body.n or 1,
        logprobs=logprobs,
        token_ids=bool(body.return_token_ids),
        timings=body.timings is not False,
        include_usage=bool(stream_options and stream_options.include_usage),
        echo=echo,
    )


def _text(asked: CompletionRequest) -> str | None:
    """A prompt's text, or None for one in tokens, which only the model can spell."""
    return asked.prompt if isinstance(asked.prompt, str) else None


def _json(answer: Mapping[str, Any]) -> Response:
    return Response(encode(answer), media_type="application/json")


def _address(request: Request) -> str:
    return "" if request.client is None else request.client.host
