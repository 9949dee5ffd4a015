"""Hybrid models to measure with: llama.cpp computes them; they are as large as the real ones."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest

from benchmarks import hybrid_model
from benchmarks.shapes import SHAPES, HybridShape
from benchmarks.synthetic import make
from mullama.llama.batch import Batch
from mullama.llama.context import ContextOptions, LlamaContext
from mullama.llama.lib import C
from mullama.llama.model import LlamaModel
from mullama.models.gguf import read_info
from mullama.types import Chunk, Status
from tests.gguf_models import write_model


@pytest.fixture
def qwen() -> HybridShape:
    shape = SHAPES["qwen3.5-0.8b"]
    assert isinstance(shape, HybridShape)
    return shape


@pytest.mark.parametrize("quantization", [None, "Q8_0"])
def test_a_small_one_computes(tmp_path: Path, qwen: HybridShape, quantization: str | None) -> None:
    shape = replace(qwen, n_layer=4, n_embd=64, n_ff=96, n_vocab=300, n_head=2, n_head_kv=1)
    shape = replace(shape, n_key=32, n_rotated=16, n_state_head=2, n_state=32)
    out = tmp_path / "hybrid.gguf"
    make(shape, write_model(tmp_path / "vocab.gguf"), out, quantization=quantization)
    with LlamaModel.load(read_info(out)) as model:
        with model.handle as weights:
            assert C.llama_model_is_hybrid(weights)
        with LlamaContext(model, ContextOptions(n_ctx=64, n_threads=1)) as context:
            batch = Batch(32)
            batch.fill([Chunk(0, 0, 0, list(range(5, 37)), sample=True)])
            assert context.decode(batch) is Status.DONE
            (row,) = context.logits(1)
            assert np.isfinite(row).all()
            assert row.std() > 0


def test_it_has_as_many_weights_as_its_name_says(qwen: HybridShape) -> None:
    layers = [hybrid_model.layer(qwen, number) for number in range(qwen.n_layer)]
    in_layers = sum(prod(shape) for layer in layers for _, shape, _ in layer)
    assert round((in_layers + qwen.n_vocab * qwen.n_embd) / 1e9, 1) == 0.8
