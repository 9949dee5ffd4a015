"""A context: the engine that continues prompts, for any number of callers at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from functools import partial
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from mullama.config import ModelOptions
from mullama.errors import InvalidRequest
from mullama.library.answers import Answers
from mullama.library.chat import (
    AsyncChatStream,
    ChatAnswer,
    ChatStream,
    Reader,
    Wishes,
    chat_request,
)
from mullama.library.lifetime import Closable, close_when_dropped
from mullama.library.model import Message, Model
from mullama.library.options import check_keywords, made
from mullama.text.reading import Channels, channels
from mullama.types import (
    WHOLE_INTERVAL,
    ChatRequest,
    CompletionRequest,
    Constraint,
    Delta,
    EmbedRequest,
    Event,
    GenerateOptions,
    SamplerParams,
    Token,
)
from mullama.types.sampling import whole_number

Prompt = str | Iterable[Token]
Stop = str | Iterable[str]

# Callers are threads of this program, which wait; none is turned away.
_QUEUE_SIZE = 1 << 20


class Context(Closable):
    """Generates text with a model. Thread-safe: calls from several threads share one batch.

    A prompt is text or tokens. In text, the names of control tokens are these tokens, as in what
    `apply_chat_template` returns; BOS is put before it where the model wants it and it is not there
    already. `params` None means `SamplerParams()`. `max_tokens` None means until the model ends the
    answer or the context is full. The answer ends before any text in `stop`.

    Generating raises ContextLengthExceeded for a prompt that has no room in the context,
    InvalidRequest for values out of range and for a closed Context.
    """

    def __init__(
        self,
        model: Model,
        n_ctx: int = 0,
        n_batch: int = 2048,
        n_threads: int = 0,
        embeddings: bool = False,
        **options: Any,
    ) -> None:
        """Allocate a context of `n_ctx` tokens, which all prompts and answers share.

        `n_ctx` 0 takes the model's own limit, up to 32768 and a quarter of the machine's memory.
        `n_batch` is the most tokens that are computed in one call, `n_threads` 0 means one a core.
        With `embeddings`, `decode` computes vectors. `options` are others of `ModelOptions`, such
        as parallel, flash_attn or cache_type_k; those of `Model.load` are refused.

        Raises ModelError where the model can't generate or there is no memory for it.
        """
        engine_options = _engine_options(n_ctx, n_batch, n_threads, options)
        self.model = model
        self._n_batch = n_batch
        self._embeddings = embeddings
        self._decoded: NDArray[np.float32] | None = None
        self._answers = model.weights.open(lambda llama: Answers(llama, engine_options))
        self._finalizer = close_when_dropped(self, partial(model.weights.release, self._answers))

    def close(self) -> None:
        """Free the context, after the running computation.

        Whoever waits for an answer gets InvalidRequest. Closing again does nothing.
        """
        self._finalizer.detach()
        self.model.weights.release(self._answers)

    @property
    def n_ctx(self) -> int:
        """Tokens that the context has room for."""
        return self._answers.n_ctx

    @property
    def n_batch(self) -> int:
        return self._n_batch

    def generate(
        self,
        prompt: Prompt,
        max_tokens: int | None = None,
        params: SamplerParams | None = None,
        stop: Stop = (),
        *,
        marks: Iterable[str] = (),
        constraint: Constraint | None = None,
    ) -> str:
        """The model's continuation of the prompt, when it is complete.

        Control tokens are no text, but for those in the texts of `marks`, such as "<think>". The
        text is held to its `constraint`; one that ends with `max_tokens` is the beginning of such
        a text.
        """
        options = _options(max_tokens, params, stop, constraint, interval=WHOLE_INTERVAL)
        with closing(self._stream(self._request(prompt, options, marks))) as pieces:
            return "".join(pieces)

    def generate_stream(
        self,
        prompt: Prompt,
        max_tokens: int | None = None,
        params: SamplerParams | None = None,
        stop: Stop = (),
        *,
        marks: Iterable[str] = (),
        constraint: Constraint | None = None,
    ) -> Generator[str, None, None]:
        """The continuation piece by piece, each at least one whole character.

        Nothing is computed before the first piece is asked for; closing the generator, or leaving
        it to be collected, ends the answer.
        """
        options = _options(max_tokens, params, stop, constraint)
        return self._stream(self._request(prompt, options, marks))

    def astream(
        self,
        prompt: Prompt,
        max_tokens: int | None = None,
        params: SamplerParams | None = None,
        stop: Stop = (),
        *,
        marks: Iterable[str] = (),
        constraint: Constraint | None = None,
    ) -> AsyncGenerator[str, None]:
        """`generate_stream` for `async for`: other tasks run while it waits."""
        options = _options(max_tokens, params, stop, constraint)
        return self._astream(self._request(prompt, options, marks))

    def chat(
        self,
        messages: Sequence[Message],
        max_tokens: int | None = None,
        params: SamplerParams | None = None,
        stop: Stop = (),
        **wishes: Unpack[Wishes],
    ) -> ChatAnswer:
        """The model's answer to a conversation: its words, thoughts and calls, when it is complete.

        A message is a pair or a dictionary as for `apply_chat_template`; a dictionary may have
        `tool_calls`, as OpenAI's have. See `Wishes` for what may be asked for by keyword.

        Raises InvalidRequest where the model has no template, or for what can't be enforced.
        """
        stream = self.chat_stream(messages, max_tokens, params, stop, **wishes)
        for _ in stream:
            pass
        return stream.answer

    def chat_stream(
        self,
        messages: Sequence[Message],
        max_tokens: int | None = None,
        params: SamplerParams | None = None,
        stop: Stop = (),
        **wishes: Unpack[Wishes],
    ) -> ChatStream:
        """The answer in spans as it arrives; then the stream's `answer` is complete.

        A span's `kind` is "content" or "reasoning", with more `text`; "call", with a `name`, an
        `id` and its number, `index`; "arguments", more JSON text of that call; or "call_end".
        """
        request, channels = self._chat(messages, max_tokens, params, stop, wishes)
        return ChatStream(self._events(request), Reader(channels))

    def achat_stream(
        self,
        messages: Sequence[Message],
        max_tokens: int | None = None,
        params: SamplerParams | None = None,
        stop: Stop = (),
        **wishes: Unpack[Wishes],
    ) -> AsyncChatStream:
        """`chat_stream` for `async for`: other tasks run while it waits."""
        request, channels = self._chat(messages, max_tokens, params, stop, wishes)
        return AsyncChatStream(self._aevents(request), Reader(channels))

    def decode(self, tokens: Iterable[Token]) -> None:
        """Compute tokens without generating any.

        They then are in the prefix cache, so that a prompt which begins with them is answered
        sooner. With `embeddings`, their vector is computed instead, for `get_embeddings`.
        """
        self._answers.check()
        if self._embeddings:
            result = self._answers.embed(EmbedRequest((_tokens(tokens),)))
            self._decoded = np.frombuffer(result.vectors[0], dtype="<f4")
        else:
            self.generate(tokens, max_tokens=0)

    def clear_cache(self) -> None:
        """Forget the prefixes of earlier prompts; those of running answers stay.

        No answer depends on it: what is forgotten is computed again where it is needed.
        """
        self._answers.clear_cache()

    def get_embeddings(self) -> NDArray[np.float32] | None:
        """The vector of what was decoded last, of unit length; None before that.

        Raises InvalidRequest for a Context without `embeddings`.
        """
        self._answers.check()
        if not self._embeddings:
            raise InvalidRequest(
                "This Context computes no embeddings. Make it with embeddings=True, or use an "
                "EmbeddingGenerator."
            )
        return self._decoded

    # -- requests -----------------------------------------------------------------------------

    def _request(
        self, prompt: Prompt, options: GenerateOptions, marks: Iterable[str]
    ) -> CompletionRequest:
        self._answers.check()
        given = prompt if isinstance(prompt, str) else _tokens(prompt)
        return CompletionRequest(given, options, marks=tuple(marks))

    def _chat(
        self,
        messages: Sequence[Message],
        max_tokens: int | None,
        params: SamplerParams | None,
        stop: Stop,
        wishes: Wishes,
    ) -> tuple[ChatRequest, Channels]:
        self._answers.check()
        options = _options(max_tokens, params, stop, wishes.get("constraint"))
        request = chat_request(messages, options, **wishes)
        format = self.model.answer_format(tools=bool(request.offered))
        read = channels(format, request)
        return replace(request, marks=tuple(sorted(format.marks))), read

    # Generators of this object's, so that it stays open while somebody reads one.

    def _events(self, request: ChatRequest | CompletionRequest) -> Generator[Event, None, None]:
        yield from self._answers.stream(request)

    async def _aevents(
        self, request: ChatRequest | CompletionRequest
    ) -> AsyncGenerator[Event, None]:
        async with aclosing(self._answers.astream(request)) as events:
            async for event in events:
                yield event

    def _stream(self, request: CompletionRequest) -> Generator[str, None, None]:
        with closing(self._events(request)) as events:
            for event in events:
                if isinstance(event, Delta) and event.text:
                    yield event.text

    async def _astream(self, request: CompletionRequest) -> AsyncGenerator[str, None]:
        async with aclosing(self._aevents(request)) as events:
            async for event in events:
                if isinstance(event, Delta) and event.text:
                    yield event.text


def _engine_options(
    n_ctx: int, n_batch: int, n_threads: int, options: dict[str, Any]
) -> ModelOptions:
    check_keywords(options)
    return made(
        {
            "context_size": whole_number(n_ctx, "n_ctx"),
            "batch_size": whole_number(n_batch, "n_batch"),
            "threads": whole_number(n_threads, "n_threads"),
            "queue_size": _QUEUE_SIZE,
            **options,
        }
    )


def _options(
    max_tokens: int | None,
    params: SamplerParams | None,
    stop: Stop,
    constraint: Constraint | None,
    *,
    interval: float = 0.0,
) -> GenerateOptions:
    """What an engine takes without a doubt: what is wrong with it must show in the caller."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if not all(isinstance(text, str) for text in stops):
        raise InvalidRequest("stop must be a text or a list of texts.", param="stop")
    if max_tokens is not None:
        max_tokens = whole_number(max_tokens, "max_tokens")
    sampler = SamplerParams() if params is None else params
    if not isinstance(sampler, SamplerParams):
        raise InvalidRequest(
            f"params is a {type(params).__name__}; it must be SamplerParams, such as "
            "SamplerParams(temperature=0.5).",
            param="params",
        )
    if not isinstance(constraint, Constraint | None):
        raise InvalidRequest(
            f"constraint is a {type(constraint).__name__}; it must be a Constraint, such as "
            "Constraint.json_schema(…).",
            param="constraint",
        )
    return GenerateOptions(
        sampler=sampler,
        max_tokens=max_tokens,
        stop=stops,
        constraint=constraint,
        delta_interval=interval,
    )


def _tokens(tokens: object) -> tuple[Token, ...]:
    if isinstance(tokens, bytes | bytearray) or not isinstance(tokens, Iterable):
        raise InvalidRequest(
            f"The prompt is {type(tokens).__name__}; it must be a text or token ids.",
            param="prompt",
        )
    return tuple(whole_number(token, "prompt") for token in tokens)
