"""Options under the names that llama.cpp and llama-cpp-python have for them.

So that a file that was written for another server says the same here. What can't be said here is
refused with the reason, as an option that is left out would change what the model does.
"""

from __future__ import annotations

OTHER_NAMES: dict[str, str] = {
    "n_ctx": "context_size",
    "ctx_size": "context_size",
    "n_seq_max": "parallel",
    "n_parallel": "parallel",
    "n_batch": "batch_size",
    "n_ubatch": "ubatch_size",
    "n_threads": "threads",
    "n_threads_batch": "threads_batch",
    "n_gpu_layers": "gpu_layers",
    "use_mmap": "mmap",
    "use_mlock": "mlock",
    "offload_kqv": "kv_offload",
}
# Options that say what is so in any case: the values that may be given.
ALWAYS_SO: dict[str, tuple[bool, ...]] = {"kv_unified": (True,), "store_logits": (True, False)}
_LATER = "is not supported yet; leave it out"
_FROM_FILE = "follows from the model's file here; leave it out"
_NO_SECOND = "is for a second model, which drafts do without here; leave it out"
REFUSED: dict[str, str] = {
    "from_pretrained": "is not supported yet: give the `path` of a GGUF file",
    "kv_unified": "sequences always share one KV cache here, whose size is context_size",
    "store_logits": "it must be true or false",
    "embedding": _FROM_FILE,
    "pooling_type": _FROM_FILE,
    "mtmd": _LATER,
    "loras": _LATER,
    "draft_model_path": _LATER,
    "draft_model_from_pretrained": _LATER,
    "draft_model_threads": _NO_SECOND,
    "draft_model_threads_batch": _NO_SECOND,
}
# The parts of `cache` and `disk_cache`, which are options of a model.
CACHE: dict[str, str] = {
    name: f"cache_{name}" for name in ("ram", "disk", "disk_path", "min_tokens")
}
DISK_CACHE: dict[str, str] = {
    "path": "cache_disk_path",
    "max_bytes": "cache_disk",
    "min_tokens": "cache_min_tokens",
}
# llama.cpp's numbers for them.
SPLIT_MODES: tuple[str, ...] = ("none", "layer", "row")
