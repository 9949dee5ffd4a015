"""The context that a model gets when nobody says how large."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mullama.config import ModelOptions
from mullama.host import sizing
from mullama.types import MemoryKind, ModelInfo, ModelKind

GIB = 1 << 30


def info(**facts: Any) -> ModelInfo:
    default: dict[str, Any] = {
        "path": "m.gguf",
        "name": "m",
        "architecture": "llama",
        "description": "",
        "size": 0,
        "n_params": 0,
        "n_ctx_train": 131072,
        "n_embd": 64,
        "n_layer": 2,
        "n_head": 4,
        "n_head_kv": 4,
        "n_vocab": 100,
        "kind": ModelKind.GENERATE,
        "pooling": None,
        "quantization": "F16",
        "chat_template": None,
        "kv_bytes_per_token": 1024,
    }
    return ModelInfo(**{**default, **facts})


def size(options: ModelOptions | None = None, memory: int = 64 * GIB, **facts: Any) -> int:
    return sizing.context_size(info(**facts), options or ModelOptions(), memory)


def test_the_options_decide_even_beyond_the_models_own_limit() -> None:
    assert size(ModelOptions(context_size=10_000), n_ctx_train=2048) == 10_000


def test_the_models_own_limit_is_taken_where_it_is_small() -> None:
    assert size(n_ctx_train=4096) == 4096
    assert size(n_ctx_train=512) == 512


def test_a_long_context_is_cut_to_the_default_limit() -> None:
    assert size() == 32768


def test_the_cache_takes_a_quarter_of_the_memory_at_most() -> None:
    n_ctx = size(memory=GIB, kv_bytes_per_token=16 << 10)
    assert n_ctx == 16384
    assert n_ctx * (16 << 10) == GIB // 4


def test_the_affordable_context_is_a_multiple_of_what_llama_cpp_pads_to() -> None:
    assert size(memory=GIB, kv_bytes_per_token=20_000) % 256 == 0


def test_a_small_machine_still_gets_a_usable_context() -> None:
    assert size(memory=GIB, kv_bytes_per_token=1 << 20) == 2048
    assert size(memory=GIB, kv_bytes_per_token=1 << 20, n_ctx_train=1024) == 1024


def test_a_file_that_tells_no_limit_gets_the_default() -> None:
    assert size(n_ctx_train=0) == 32768


def test_an_embedding_model_has_no_positions_beyond_its_own() -> None:
    big = ModelOptions(context_size=8192)
    assert size(big, kind=ModelKind.EMBED, n_ctx_train=512) == 512
    assert size(kind=ModelKind.EMBED, n_ctx_train=512) == 512
    assert size(kind=ModelKind.EMBED, n_ctx_train=32768) == 8192
    long = ModelOptions(context_size=32768)
    assert size(long, kind=ModelKind.EMBED, n_ctx_train=32768) == 32768


def test_a_generative_model_embeds_as_much_as_one_batch() -> None:
    assert sizing.embedding_size(info(), ModelOptions(batch_size=1024)) == 1024
    assert sizing.embedding_size(info(n_ctx_train=512), ModelOptions()) == 512


@pytest.mark.parametrize(("parallel", "expected"), [(1, 64), (16, 64), (32, 128), (1000, 255)])
def test_lanes_leave_room_for_cached_conversations(parallel: int, expected: int) -> None:
    options = ModelOptions(parallel=parallel)
    assert sizing.n_lanes(options, MemoryKind.ATTENTION) == expected


def test_a_memory_that_forgets_has_no_more_lanes_than_can_run() -> None:
    assert sizing.n_lanes(ModelOptions(parallel=8), MemoryKind.RECURRENT) == 8
    assert sizing.n_lanes(ModelOptions(parallel=8), MemoryKind.WINDOW) == 8


def test_the_host_tier_takes_what_is_said_or_a_share_of_the_memory() -> None:
    assert sizing.cache_bytes(ModelOptions(cache_ram="2GiB"), 1 << 30) == 2 << 30
    assert sizing.cache_bytes(ModelOptions(cache_ram="0"), 1 << 40) == 0
    assert sizing.cache_bytes(ModelOptions(), 16 << 30) == 2 << 30
    assert sizing.cache_bytes(ModelOptions(), 1 << 40) == 8 << 30


def test_memory_is_the_containers_where_that_is_less(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    machine = sizing.physical_memory(limit)
    limit.write_text("max\n")
    assert sizing.physical_memory(limit) == machine
    limit.write_text("1048576\n")
    assert sizing.physical_memory(limit) == 1048576
    limit.write_text(str(2**62))
    assert sizing.physical_memory(limit) == machine
