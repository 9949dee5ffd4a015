"""How large a model's context is made when nobody says.

A pure choice from the model's facts and the machine's memory, so that the server can tell it
without loading anything. It does not know what else runs on the machine.
"""

from __future__ import annotations

import os
from pathlib import Path

from mullama.config import ModelOptions, n_bytes
from mullama.types import MemoryKind, ModelInfo, ModelKind

MAX_DEFAULT_CONTEXT = 32768
MIN_DEFAULT_CONTEXT = 2048
# The buffers for computing an input grow with its length; longer ones are asked for by name.
MAX_DEFAULT_INPUT = 8192
MEMORY_SHARE = 4  # the KV cache may take one part in so many
CACHE_SHARE = 8  # the host tier may take one part in so many
MAX_DEFAULT_CACHE = 8 << 30
PADDING = 256  # llama.cpp rounds a context up to a multiple of this

# A lane without cells costs nothing but the room for its row of logits (n_vocab floats), and each
# lane beyond the running ones remembers one cached conversation.
LANES_PER_RUNNING = 4
MIN_LANES = 64
MAX_LANES = 255  # llama.cpp's own limit, less one that is kept aside for copying

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def context_size(info: ModelInfo, options: ModelOptions, memory: int) -> int:
    """KV cells for a model on a machine with `memory` bytes.

    What the options say. Otherwise the least of the model's own limit, MAX_DEFAULT_CONTEXT and a
    quarter of the memory, but never under MIN_DEFAULT_CONTEXT unless the model's own limit is.
    The cache's type is taken as f16: a quantized cache leaves memory free, an f32 one takes twice.
    """
    if info.kind is not ModelKind.GENERATE:
        return embedding_size(info, options)
    n_trained = info.n_ctx_train or MAX_DEFAULT_CONTEXT
    if options.context_size:
        return options.context_size
    n_affordable = memory // MEMORY_SHARE // max(1, info.kv_bytes_per_token)
    n_ctx = min(n_trained, MAX_DEFAULT_CONTEXT, n_affordable // PADDING * PADDING)
    return max(n_ctx, min(n_trained, MIN_DEFAULT_CONTEXT))


def embedding_size(info: ModelInfo, options: ModelOptions) -> int:
    """The most tokens of one input to be embedded, all of which are computed at once.

    A model that only embeds has no positions beyond its own limit, whatever the options say. One
    that generates embeds as much as it computes of a prompt at once.
    """
    if info.kind is ModelKind.GENERATE:
        return min(options.batch_size, info.n_ctx_train or options.batch_size)
    wanted = options.context_size or MAX_DEFAULT_INPUT
    return min(wanted, info.n_ctx_train or wanted)


def n_lanes(options: ModelOptions, memory_kind: MemoryKind) -> int:
    """Sequences that are kept: those running at once, and those cached.

    A recurrent lane has a state of its own, tens of megabytes, and a window's has cells: there are
    no more than can run. What is cached beyond them is in the host tier.
    """
    if memory_kind is not MemoryKind.ATTENTION:
        return options.parallel
    return min(MAX_LANES, max(MIN_LANES, LANES_PER_RUNNING * options.parallel))


def cache_bytes(options: ModelOptions, memory: int) -> int:
    """Bytes of the host tier: what the options say, or a share of the machine's memory."""
    if options.cache_ram == "auto":
        return min(MAX_DEFAULT_CACHE, memory // CACHE_SHARE)
    return n_bytes(options.cache_ram, "cache_ram")


def physical_memory(cgroup_limit: Path = _CGROUP_LIMIT) -> int:
    """Bytes that this process could have: the machine's, or its container's if that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(cgroup_limit.read_text()))
    except (OSError, ValueError):  # no such file, or "max"
        return machine
