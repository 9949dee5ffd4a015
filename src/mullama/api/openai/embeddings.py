"""Vectors as OpenAI's clients take them: lists of numbers, or base64 of little-endian float32.

The Python SDK asks for base64 when its caller says nothing, so it is the usual form.
"""

from __future__ import annotations

import base64
import struct

from mullama.api.openai.answers import EmbeddingList
from mullama.types import EmbedResult


def embedding_list(model: str, result: EmbedResult, *, as_base64: bool) -> EmbeddingList:
    """All vectors, in order."""
    write = _base64 if as_base64 else _floats
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": write(vector)}
            for index, vector in enumerate(result.vectors)
        ],
        "model": model,
        "usage": {"prompt_tokens": result.n_tokens, "total_tokens": result.n_tokens},
    }


def _base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode("ascii")


def _floats(vector: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))
