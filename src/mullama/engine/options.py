"""What can be chosen about an engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from mullama.engine.lookup import MAX_NGRAM
from mullama.engine.tiers import TierOptions


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """`target_gap` in seconds; `queue_size` counts answers (n of them for a request). Drafts have
    at most `draft_tokens` tokens (0: there are none), found by matches of up to `draft_ngram`."""

    n_parallel: int = 16
    queue_size: int = 512
    max_wait: float | None = None  # seconds, where a request says nothing
    target_gap: float = 0.1
    prefix_cache: bool = True
    tiers: TierOptions = field(default_factory=TierOptions)
    draft_tokens: int = 0
    draft_ngram: int = MAX_NGRAM
