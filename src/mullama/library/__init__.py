"""Models in your own program: the engine that the server runs, behind plain calls.

    from mullama import Model, Context

    with Model.load("model.gguf") as model, Context(model, n_ctx=4096) as ctx:
        print(ctx.chat([("user", "Why is the sky blue?")]).content)

A Context has an engine in a thread of its own. Any number of threads and tasks may use one at the
same time; what they ask for is computed together, and prefixes that prompts have in common are
computed once. Prompts are independent of each other: nothing is carried over from one to the next.

Everything is closed by `close`, by leaving its `with`, or when nobody refers to it any more;
closing a Model closes what was made from it. Using what is closed raises InvalidRequest. Every
error is a MullamaError, but for arguments that are no text, number or list at all: TypeError.

It decides nothing: llama.cpp is behind `llama`, scheduling in `engine`, and `host.wiring` puts them
together. `lifetime` says who closes what, `answers` carries an engine's events to those who wait.
"""

import logging

from mullama.library.chat import AsyncChatStream, ChatAnswer, ChatStream
from mullama.library.context import Context
from mullama.library.embeddings import EmbeddingGenerator, cosine_similarity
from mullama.library.model import Model
from mullama.library.reranking import Reranker
from mullama.llama.devices import devices
from mullama.llama.system import max_devices, supports_gpu_offload, system_info

__all__ = [
    "AsyncChatStream",
    "ChatAnswer",
    "ChatStream",
    "Context",
    "EmbeddingGenerator",
    "Model",
    "Reranker",
    "cosine_similarity",
    "devices",
    "max_devices",
    "supports_gpu_offload",
    "system_info",
]

# A program that sets up no logging gets no log lines: errors are exceptions here.
logging.getLogger("mullama").addHandler(logging.NullHandler())
