"""What shapes a sequence's state: two engines may share it on disk only if all of this is equal.

The host fills it in from what it loaded. A change of any field, a new llama.cpp build above all,
gives other keys and another folder; what was stored before is then never looked at, and goes when
room is needed. The cache namespace is no part of it: it begins each chain of keys (`format`).
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Plain facts, and their one spelling as text.

    `model`, `projector` and the adapters' names stand for contents: a file's size and a hash of it,
    not its path or its time of change. Numbers of RoPE and YaRN are as given to llama.cpp, where
    0 or a negative number means the model's own.
    """

    model: str
    llama_cpp: str  # the build: its commit
    n_embd: int
    n_layer: int
    type_k: str
    type_v: str
    flash_attn: bool  # without it llama.cpp keeps the values transposed
    swa_full: bool = False
    adapters: tuple[tuple[str, float], ...] = ()  # contents and scale, in their order
    projector: str | None = None
    # LongRoPE models rotate by other factors where the context is longer than their original one.
    beyond_n_ctx_orig: bool = False
    rope_scaling: str = "model"
    rope_freq_base: float = 0.0
    rope_freq_scale: float = 0.0
    yarn_ext_factor: float = -1.0
    yarn_attn_factor: float = -1.0
    yarn_beta_fast: float = -1.0
    yarn_beta_slow: float = -1.0
    yarn_orig_ctx: int = 0
    byte_order: str = sys.byteorder  # llama.cpp writes numbers as the machine has them

    def __str__(self) -> str:
        """Canonical JSON: equal text for equal facts, and only then."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
