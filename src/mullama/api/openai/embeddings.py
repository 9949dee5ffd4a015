"""Vectors as OpenAI's clients take them: lists of numbers, or base64 of little-endian float32.

The Python SDK asks for base64 when its caller says nothing, so it is the usual form. Many vectors
take long to write, seconds for tens of thousands, so a thread does that while others are answered.
"""

from __future__ import annotations

import asyncio
import base64
import struct

from mullama.api.openai.answers import Embedding, EmbeddingUsage
from mullama.api.openai.shape import encode
from mullama.errors import InvalidRequest
from mullama.types import EmbedResult

# Components that are written in two milliseconds as numbers.
_FEW = 1 << 14


def truncation(truncate: bool | None, n: int | None) -> int | None:
    """TEI's switch and vLLM's number as one, as `EmbedRequest.truncate` has it.

    Raises InvalidRequest for a number of 0.
    """
    if n is None:
        return 0 if truncate else None
    if n == 0:
        raise InvalidRequest(
            "truncate_prompt_tokens is 0, which leaves nothing; -1 means as many as fit.",
            param="truncate_prompt_tokens",
        )
    return max(n, 0)


async def embedding_answer(model: str, result: EmbedResult, *, as_base64: bool) -> bytes:
    """An EmbeddingList as JSON: all vectors, in order."""
    if len(result.vectors) * result.n_embd <= _FEW:
        return _written(model, result, as_base64=as_base64)
    return await asyncio.to_thread(_written, model, result, as_base64=as_base64)


def _written(model: str, result: EmbedResult, *, as_base64: bool) -> bytes:
    """Vector by vector: in between, the interpreter can be somebody else's."""
    write = _base64 if as_base64 else _floats
    answer = bytearray(b'{"object":"list","data":[')
    for index, vector in enumerate(result.vectors):
        item: Embedding = {"object": "embedding", "index": index, "embedding": write(vector)}
        answer += encode(item)
        answer += b","
    usage: EmbeddingUsage = {"prompt_tokens": result.n_tokens, "total_tokens": result.n_tokens}
    answer[-1:] = b"]," + encode({"model": model, "usage": usage})[1:]
    return bytes(answer)


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode("ascii")


def _floats(vector: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))
