"""The seams between layers: what one sees of another, and what a fake in tests implements."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Protocol

from mullama.types.events import Event
from mullama.types.models import MemoryKind, ModelStatus
from mullama.types.plan import Plan, StepOutput
from mullama.types.requests import (
    ChatRequest,
    CompletionRequest,
    EmbedRequest,
    EmbedResult,
    Pair,
    RerankRequest,
    RerankResult,
    TokenizeRequest,
    TokenizeResult,
)
from mullama.types.sampling import Token


class Runner(Protocol):
    """Executes plans. The only one of an engine, called from one thread at a time."""

    @property
    def n_cells(self) -> int:
        """KV cells, shared by all lanes."""
        ...

    @property
    def n_lanes(self) -> int: ...

    @property
    def n_batch(self) -> int:
        """The most rows in one plan."""
        ...

    @property
    def n_ubatch(self) -> int:
        """Rows that are computed at once; a larger plan is computed in pieces."""
        ...

    @property
    def n_outputs(self) -> int:
        """The most rows of one plan that tokens are drawn from."""
        ...

    @property
    def n_tile(self) -> int:
        """Rows from which a batch is computed in tiles; a smaller one may take longer."""
        ...

    @property
    def memory(self) -> MemoryKind: ...

    @property
    def cell_bytes(self) -> int:
        """Bytes that one cell takes outside the KV cache, roughly; 0 where it can't leave."""
        ...

    @property
    def state_bytes(self) -> int:
        """Bytes of one lane's state beside its cells, roughly; 0 where it has none."""
        ...

    def execute(self, plan: Plan) -> StepOutput: ...

    def lane_length(self, lane: int) -> int:
        """Positions that `lane` holds: its last one plus 1. For audits."""
        ...


class Embedder(Protocol):
    """Computes a batch of embeddings. Called from one thread at a time."""

    @property
    def n_embd(self) -> int: ...

    @property
    def n_ctx(self) -> int:
        """The most tokens of one input."""
        ...

    @property
    def n_batch(self) -> int:
        """The most tokens of one call."""
        ...

    @property
    def n_lanes(self) -> int:
        """The most inputs of one call."""
        ...

    @property
    def ranks(self) -> bool:
        """Whether it scores pairs of texts: its vectors then have one component, the log-odds."""
        ...

    def embed(self, inputs: Sequence[Sequence[Token]]) -> list[bytes]:
        """A raw vector (not normalized, float32) for each input, in order."""
        ...


class Vocab(Protocol):
    """Tokens and their bytes. Thread-safe."""

    @property
    def n_tokens(self) -> int: ...

    @property
    def bos(self) -> Token | None: ...

    @property
    def eos(self) -> Token | None: ...

    @property
    def eog(self) -> frozenset[Token]:
        """The tokens that end a generation."""
        ...

    def tokenize(
        self, text: str, *, add_special: bool = True, parse_special: bool = False
    ) -> list[Token]:
        """Tokens of `text`; `add_special` puts BOS and EOS where the model wants them."""
        ...

    def detokenize(
        self,
        tokens: Sequence[Token],
        *,
        remove_special: bool = False,
        unparse_special: bool = False,
    ) -> str: ...

    def piece(self, token: Token, *, special: bool = False) -> bytes:
        """The bytes of one token; a control token has some only with `special`."""
        ...

    def infill(self, prefix: str, suffix: str) -> list[Token] | None:
        """The fill-in-the-middle prompt, or None where the model has no tokens for it."""
        ...

    def pair(self, query: str, document: str) -> Pair | None:
        """A query and a document as one input, or None where the model has no way to part them."""
        ...


class Backend(Protocol):
    """What a wire dialect sees of the models: the host, or a fake in tests.

    `name` None or "default" means the default model. Raises NotFound (`model_not_found`) for an
    unknown one, Overloaded while one loads or the queue is full, ModelError when it can't load or
    its worker died, InvalidRequest and ContextLengthExceeded for a request that it can't serve.
    """

    def models(self) -> Sequence[ModelStatus]: ...

    def model(self, name: str | None) -> ModelStatus: ...

    def generate(
        self, name: str | None, request: ChatRequest | CompletionRequest
    ) -> AsyncGenerator[Event, None]:
        """Started, then Deltas and a Finished for each answer. A failure is raised, not yielded.

        Closing the iterator cancels the request.
        """
        ...

    async def embed(self, name: str | None, request: EmbedRequest) -> EmbedResult: ...

    async def rerank(self, name: str | None, request: RerankRequest) -> RerankResult: ...

    async def tokenize(self, name: str | None, request: TokenizeRequest) -> TokenizeResult: ...

    async def detokenize(self, name: str | None, tokens: Sequence[Token]) -> str:
        """The text of tokens, control tokens as they are written."""
        ...
