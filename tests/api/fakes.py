"""A backend that answers without a model, through the same seam as the real one.

It says the words of a script, one token a word, and keeps what it was asked. A test may make it
fail at any event, or hold it at a gate.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mullama.errors import MullamaError, NotFound
from mullama.types import (
    ChatRequest,
    CompletionRequest,
    Delta,
    EmbedRequest,
    EmbedResult,
    Event,
    Finished,
    FinishReason,
    ModelInfo,
    ModelKind,
    ModelState,
    ModelStatus,
    PromptScored,
    RerankRequest,
    RerankResult,
    Started,
    Timings,
    TokenizeRequest,
    TokenizeResult,
    TokenLogprob,
)

N_CTX = 4096
EURO = [bytes([byte]) for byte in "€".encode()]
N_EMBD = 4

INFO = ModelInfo(
    path="chat.gguf",
    name="Chat",
    architecture="llama",
    description="a fake",
    size=1000,
    n_params=500,
    n_ctx_train=8192,
    n_embd=N_EMBD,
    n_layer=2,
    n_head=2,
    n_head_kv=1,
    n_vocab=100,
    kind=ModelKind.GENERATE,
    pooling=None,
    quantization="Q4_K_M",
    chat_template="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}",
    kv_bytes_per_token=64,
)

CHAT = ModelStatus(
    name="chat", state=ModelState.LOADED, info=INFO, created=1_700_000_000, n_ctx=N_CTX
)
EMBED = replace(CHAT, name="embed", info=replace(INFO, kind=ModelKind.EMBED, chat_template=None))
RERANK = replace(CHAT, name="rank", info=replace(INFO, kind=ModelKind.RERANK))

HELLO = ("Hello", ",", " wörld", "!")


def scored(text: str, logprob: float, *others: tuple[str, float]) -> TokenLogprob:
    """A token's score; token ids are the lengths of the texts."""
    top = tuple((len(t), t.encode(), p) for t, p in others)
    return TokenLogprob(len(text), text.encode(), logprob, top)


@dataclass
class FakeBackend:
    """See the module's text. `before(n)` is awaited before the n-th event of a request."""

    words: Sequence[str] = HELLO
    n_prompt: int = 7
    n_cached: int = 3
    reason: FinishReason = FinishReason.STOP
    statuses: tuple[ModelStatus, ...] = (replace(CHAT, is_default=True), EMBED, RERANK)
    fail_at: int | None = None  # the event, counted from 0, that is an error instead
    error: Exception = field(default_factory=lambda: MullamaError("no error was set"))
    hold_at: int | None = None  # the event before which the gate must be open
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event = field(default_factory=asyncio.Event)  # somebody waits at the gate

    asked: list[Any] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    n_open: int = 0
    n_cancelled: int = 0
    n_most_open: int = 0

    def models(self) -> Sequence[ModelStatus]:
        return self.statuses

    def model(self, name: str | None) -> ModelStatus:
        if name in (None, "", "default"):
            return next(one for one in self.statuses if one.is_default)
        for one in self.statuses:
            if one.name == name:
                return one
        names = ", ".join(one.name for one in self.statuses)
        raise NotFound(
            f"There is no model {name!r}; there are: {names}.",
            code="model_not_found",
            param="model",
        )

    async def generate(
        self, name: str | None, request: ChatRequest | CompletionRequest
    ) -> AsyncGenerator[Event, None]:
        self.names.append(name)
        self.asked.append(request)
        self.n_open += 1
        self.n_most_open = max(self.n_most_open, self.n_open)
        ended = False
        try:
            for number, event in enumerate(self.events(request)):
                await self._meet(number)
                yield event
            ended = True
        finally:
            self.n_open -= 1
            self.n_cancelled += not ended

    async def embed(self, name: str | None, request: EmbedRequest) -> EmbedResult:
        await self._ask(name, request)
        n = request.dimensions or N_EMBD
        vectors = [struct.pack(f"<{n}f", *[i + 0.5] * n) for i, _ in enumerate(request.inputs)]
        return EmbedResult(tuple(vectors), n, 2 * len(vectors))

    async def rerank(self, name: str | None, request: RerankRequest) -> RerankResult:
        """A document's score is its length, in log-odds, whatever was asked for."""
        await self._ask(name, request)
        scores = tuple(float(len(document)) for document in request.documents)
        return RerankResult(scores, 3 * len(scores))

    async def tokenize(self, name: str | None, request: TokenizeRequest) -> TokenizeResult:
        """A token for each character; the euro sign is three, one for each byte."""
        await self._ask(name, request)
        text = request.source if isinstance(request.source, str) else "<user>Hi"
        pieces = [byte for c in text for byte in ([c.encode()] if c != "€" else EURO)]
        tokens = tuple(int.from_bytes(piece) for piece in pieces)
        prompt = "" if isinstance(request.source, str) else text
        return TokenizeResult(tokens, tuple(pieces) if request.with_pieces else (), prompt)

    async def detokenize(self, name: str | None, tokens: Sequence[int]) -> str:
        await self._ask(name, tuple(tokens))
        return "".join(map(chr, tokens))

    async def _ask(self, name: str | None, request: Any) -> None:
        """Before an answer that comes as a whole."""
        self.names.append(name)
        self.asked.append(request)
        self.n_open += 1
        try:
            await self._meet(0)
        except asyncio.CancelledError:
            self.n_cancelled += 1
            raise
        finally:
            self.n_open -= 1

    async def _meet(self, number: int) -> None:
        if self.hold_at == number:
            self.held.set()
            await self.gate.wait()
        if self.fail_at == number:
            raise self.error

    def events(self, request: ChatRequest | CompletionRequest) -> list[Event]:
        """What this backend would say to a request."""
        options = request.options
        tokens = tuple(range(self.n_prompt)) if options.return_tokens else ()
        in_tokens = isinstance(request, CompletionRequest) and isinstance(request.prompt, tuple)
        events: list[Event] = [
            Started(1, self.n_prompt, tokens, "spelled out" if in_tokens else "")
        ]
        if options.prompt_logprobs:
            events.append(PromptScored(1, (None, scored(" end", -1.5, (" end", -1.5)))))
        words = self.words[: options.max_tokens]
        for word in words:
            events += [self._delta(request, index, word) for index in range(options.n)]
        events += [
            Finished(
                1,
                index,
                FinishReason.LENGTH if len(words) < len(self.words) else self.reason,
                None,
                self.n_prompt,
                self.n_cached if index == 0 else self.n_prompt,
                0,
                0,
                len(words),
                Timings(0.001, 0.25, 0.5),
            )
            for index in range(options.n)
        ]
        return events

    def _delta(self, request: ChatRequest | CompletionRequest, index: int, word: str) -> Delta:
        options = request.options
        others = [(word, -0.25), ("other", -2.0)][: options.logprobs or 0]
        return Delta(
            1,
            index,
            word,
            1,
            (len(word),) if options.return_tokens else (),
            () if options.logprobs is None else (scored(word, -0.25 - index, *others),),
        )
