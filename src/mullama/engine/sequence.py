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

from mullama.engine.cache import Match
from mullama.engine.detokenizer import Detokenizer
from mullama.engine.draft_pace import Acceptance
from mullama.engine.lookup import Lookup
from mullama.engine.radix import NO_LANE, Node, tokens_of
from mullama.types import (
    MAX_SEED,
    GenerateOptions,
    Matcher,
    SamplerParams,
    Timings,
    Token,
    TokenLogprob,
)

NOWHERE = Match(Node(None, tokens_of(()), 0))

# Tokens without cells up to which an answer counts as a stream.
MOST_FORCED = 32

Item = tuple[Token, TokenLogprob | None]  # what a token brings along beside its text


@dataclass(eq=False, slots=True)
class Job:
    """A request as the scheduler keeps it: what its sequences share."""

    id: int
    options: GenerateOptions
    n_prompt: int
    namespace: Hashable  # whose prefixes it may use
    arrived: float
    is_fetching: bool = False  # its prefix is being read from disk, and it waits for that
    sequences: list[Sequence] = field(default_factory=list)  # those that have not ended
    scored: list[TokenLogprob | None] = field(default_factory=list)  # prompt_logprobs so far

    @property
    def is_private(self) -> bool:
        """No other request may use its prefixes, so they go when it ends."""
        return self.namespace == self.id


@dataclass(eq=False, slots=True)
class Sequence:
    """One answer of a job. `lane` and `match` are set while it runs."""

    key: int
    job: Job
    index: int
    tokens: array[int]
    detokenizer: Detokenizer[Item]
    max_tokens: int
    n_computed: int = 0
    n_starts: int = 0  # how often it came to a lane: again after a preemption
    n_charged: int = 0  # prompt tokens that its caller was charged for
    n_cached: int = 0  # prompt tokens that were not computed, the first time
    n_restored: int = 0  # of these, from the host tier
    n_from_disk: int = 0  # and from disk
    n_undelivered: int = 0  # tokens generated since the last delta
    delivered: float | None = None  # when that was
    undelivered: list[tuple[str, list[Item]]] = field(default_factory=list)  # and what came since
    lane: int = NO_LANE
    match: Match = NOWHERE
    checkpoints: list[int] = field(default_factory=list)  # where its state is to be saved yet
    matcher: Matcher | None = None  # what its answer must look like
    mask: bytes | None = None  # the tokens that may come next
    n_unseen: int = 0  # last tokens that the sampler did not draw
    lookup: Lookup | None = None  # where drafts come from
    acceptance: Acceptance = field(default_factory=Acceptance)
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
    def streams(self) -> bool:
        """Whether it generates: it needs one row, or a few for tokens that had to come."""
        if self.first_token is None or self.match.goal is not None:
            return self.todo == 1
        return self.todo <= MOST_FORCED

    @property
    def is_scored(self) -> bool:
        """Whether its request's prompt is scored by its rows: then it computes all of them."""
        return self.job.options.prompt_logprobs and not self.index

    @property
    def caller(self) -> str:
        return self.job.options.caller

    @property
    def priority(self) -> int:
        return self.job.options.priority

    @property
    def deadline(self) -> float | None:
        """When its request must have begun."""
        max_wait = self.job.options.max_wait
        if not max_wait or self.index or self.n_starts:
            return None
        return self.job.arrived + max_wait

    @property
    def n_generated(self) -> int:
        return len(self.tokens) - self.job.n_prompt

    @property
    def n_private(self) -> int:
        """Cells that only this sequence's lane holds."""
        return self.n_computed - self.node.end

    @property
    def node(self) -> Node:
        """Where its shared cells end."""
        return self.match.node

    @property
    def goal_end(self) -> int:
        """How much of it is shared when all that is cached has been restored."""
        return (self.match.goal or self.match.node).end

    @property
    def sampler(self) -> SamplerParams:
        """The job's parameters; the i-th answer draws with the seed i further."""
        params = self.job.options.sampler
        if params.seed is None or not self.index:
            return params
        return params.with_seed((params.seed + self.index) % (MAX_SEED + 1))

    def recount(self, n_cached: int) -> None:
        """No more than `n_cached` tokens came from the cache after all."""
        n_live = self.n_cached - self.n_restored
        self.n_cached = min(self.n_cached, n_cached)
        self.n_restored = max(0, self.n_cached - n_live)
        self.n_from_disk = min(self.n_from_disk, self.n_restored)

    def timings(self) -> Timings:
        """Seconds spent waiting, on the prompt, and generating."""
        begin = self.job.arrived
        computed = begin if self.first_computed is None else self.first_computed
        token = computed if self.first_token is None else self.first_token
        return Timings(computed - begin, token - computed, max(0.0, self.last_token - token))
