"""A server that somebody writes with the library, as a tutorial would have them do it.

Handlers are `async def` and generate in the event loop's own thread: not the best way, but what
people do, and it must work.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel

from mullama import Context, EmbeddingGenerator, Model, SamplerParams

WINDOW = 60.0


class ChatMessage(BaseModel):
    role: str
    content: str


class ChatBody(BaseModel):
    messages: list[ChatMessage]
    max_tokens: int = 512
    temperature: float = 0.7
    top_p: float = 0.9
    stream: bool = False


class EmbeddingBody(BaseModel):
    input: str | list[str]
    model: str = "mullama"


def make_app(model_path: str, max_requests: int = 1000) -> FastAPI:
    app = FastAPI(title="An API server")
    app.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"]
    )

    model = Model.load(model_path, n_gpu_layers=-1)
    ctx = Context(model, n_ctx=4096, n_batch=512)
    embed_gen = EmbeddingGenerator(model, n_ctx=512, normalize=True)
    banner = f"{model.name or 'unknown'}: {model.n_params:,} parameters"
    start_time = time.time()
    seen: dict[str, list[float]] = defaultdict(list)

    async def check_rate(request: Request) -> None:
        assert request.client is not None
        now, times = time.time(), seen[request.client.host]
        times[:] = [moment for moment in times if moment > now - WINDOW]
        if len(times) >= max_requests:
            raise HTTPException(status_code=429, detail="Rate limit exceeded")
        times.append(now)

    @app.exception_handler(HTTPException)
    async def on_http_error(request: Request, error: HTTPException) -> JSONResponse:
        body = {"error": {"message": error.detail, "code": error.status_code}}
        return JSONResponse(body, error.status_code)

    @app.get("/health")
    async def health() -> dict[str, Any]:
        return {
            "status": "ok",
            "model": model.name or "unknown",
            "banner": banner,
            "architecture": model.architecture,
            "parameters": model.n_params,
            "context_size": ctx.n_ctx,
            "uptime": time.time() - start_time,
        }

    @app.post("/v1/chat/completions", response_model=None)
    async def chat(body: ChatBody, request: Request) -> dict[str, Any] | StreamingResponse:
        await check_rate(request)
        prompt = model.apply_chat_template([(m.role, m.content) for m in body.messages])
        params = SamplerParams(temperature=body.temperature, top_p=body.top_p, penalty_repeat=1.1)
        request_id = f"chatcmpl-{int(time.time() * 1000)}"
        if body.stream:
            events = stream_chat(prompt, body.max_tokens, params, request_id)
            return StreamingResponse(events, media_type="text/event-stream")
        text = ctx.generate(prompt, max_tokens=body.max_tokens, params=params)
        n_prompt = len(model.tokenize(prompt, add_bos=False))
        n_completion = len(model.tokenize(text, add_bos=False))
        ctx.clear_cache()
        message = {"role": "assistant", "content": text.strip()}
        return {
            "id": request_id,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model.name or "mullama",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": n_prompt,
                "completion_tokens": n_completion,
                "total_tokens": n_prompt + n_completion,
            },
        }

    async def stream_chat(
        prompt: str, max_tokens: int, params: SamplerParams, request_id: str
    ) -> AsyncIterator[str]:
        def event(delta: dict[str, str], finish_reason: str | None) -> str:
            chunk = {
                "id": request_id,
                "object": "chat.completion.chunk",
                "created": int(time.time()),
                "model": model.name or "mullama",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
            }
            return f"data: {json.dumps(chunk)}\n\n"

        for piece in ctx.generate_stream(prompt, max_tokens=max_tokens, params=params):
            yield event({"content": piece}, None)
        yield event({}, "stop")
        yield "data: [DONE]\n\n"
        ctx.clear_cache()

    @app.post("/v1/embeddings")
    async def embeddings(body: EmbeddingBody) -> dict[str, Any]:
        texts = body.input if isinstance(body.input, list) else [body.input]
        embs = embed_gen.embed_batch(texts)
        n_tokens = sum(len(model.tokenize(text, add_bos=False)) for text in texts)
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": i, "embedding": emb.tolist()}
                for i, emb in enumerate(embs)
            ],
            "model": body.model,
            "usage": {"prompt_tokens": n_tokens, "total_tokens": n_tokens},
        }

    return app
