"""A sequence: one row of tokens being computed, and the request that it answers.

A sequence has no phase. It has tokens, and `n_computed` catching up with them:

    0 <= node.end <= n_computed <= len(tokens)

A prompt, a cached prefix, a sequence that was preempted, one that streams: each is only a different
distance between the two numbers. `todo == 1` is a stream waiting for its next token.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable
from dataclasses import dataclass, field

from mullama.engine.detokenizer import Detokenizer
from mullama.engine.prefix_cache import NO_LANE, Node
from mullama.types import (
    MAX_SEED,
    GenerateOptions,
    SamplerParams,
    Timings,
    Token,
    TokenLogprob,
)

Item = tuple[Token, TokenLogprob | None]  # what a token brings along beside its text


@dataclass(eq=False, slots=True)
class Job:
    """A request as the scheduler keeps it: what its sequences share."""

    id: int
    options: GenerateOptions
    n_prompt: int
    namespace: Hashable  # whose prefixes it may use
    arrived: float
    sequences: list[Sequence] = field(default_factory=list)  # those that have not ended
    scored: list[TokenLogprob | None] = field(default_factory=list)  # prompt_logprobs so far

    @property
    def is_private(self) -> bool:
        """No other request may use its prefixes, so they go when it ends."""
        return self.namespace == self.id


@dataclass(eq=False, slots=True)
class Sequence:
    """One answer of a job. `lane` and `node` are set while it runs."""

    key: int
    job: Job
    index: int
    tokens: array[int]
    detokenizer: Detokenizer[Item]
    max_tokens: int
    n_computed: int = 0
    n_cached: int = 0
    n_undelivered: int = 0  # tokens generated since the last delta
    lane: int = NO_LANE
    node: Node | None = None
    has_sampler: bool = False
    first_computed: float | None = None
    first_token: float | None = None
    last_token: float = 0.0

    def __post_init__(self) -> None:
        assert 0 <= self.n_computed <= len(self.tokens)

    @property
    def todo(self) -> int:
        """Tokens that have no cells yet."""
        return len(self.tokens) - self.n_computed

    @property
    def n_generated(self) -> int:
        return len(self.tokens) - self.job.n_prompt

    @property
    def n_private(self) -> int:
        """Cells that only this sequence's lane holds."""
        return self.n_computed - (self.node.end if self.node else 0)

    @property
    def sampler(self) -> SamplerParams:
        """The job's parameters; the i-th answer draws with the seed i further."""
        params = self.job.options.sampler
        if params.seed is None or not self.index:
            return params
        return params.with_seed((params.seed + self.index) % (MAX_SEED + 1))

    def timings(self) -> Timings:
        """Seconds spent waiting, on the prompt, and generating."""
        begin = self.job.arrived
        computed = begin if self.first_computed is None else self.first_computed
        token = computed if self.first_token is None else self.first_token
        return Timings(computed - begin, token - computed, max(0.0, self.last_token - token))
