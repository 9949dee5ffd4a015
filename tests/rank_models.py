"""Tiny reranking models of random weights: one that sees a pair at once, and a causal one; and the
first one without its head, which embeds.

`bert` is RoBERTa's kind: a dense layer and an output on the first row, and a vocabulary that says
which tokens stand around two texts. `qwen` is Qwen3's: two outputs, yes and no, on the last row,
and a template for the pair.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.gguf_models import (
    EOS,
    N_CTX,
    N_EMBD,
    N_FF,
    N_HEAD,
    N_LAYER,
    vocabulary,
    write_model,
)

Weights = dict[str, np.ndarray[Any, Any]]

TEMPLATE = "<|begin|>query: {query}\ndocument:\n{document}<|end|>"


def _random(seed: int, *shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def bert_head(n_outputs: int = 1) -> Weights:
    """Scores that spread over some units."""
    return {
        "cls.weight": _random(1, N_EMBD, N_EMBD) * N_EMBD**-0.5,
        "cls.bias": _random(2, N_EMBD),
        "cls.output.weight": _random(3, n_outputs, N_EMBD) * 4,
        "cls.output.bias": _random(4, n_outputs),
    }


def qwen_head() -> Weights:
    return {"cls.output.weight": _random(5, 2, N_EMBD) * 0.2}


def write_bert(path: Path, *, n_outputs: int = 1, **metadata: Any) -> Path:
    """A model that scores a pair from its first row."""
    labels = {"bert.classifier.output_labels": [f"label {i}" for i in range(n_outputs)]}
    values = {"bert.pooling_type": 4} | (labels if n_outputs > 1 else {}) | metadata
    return _write_bert(path, values, bert_head(n_outputs))


def write_encoder(path: Path) -> Path:
    """A model whose vector is the mean over all rows."""
    return _write_bert(path, {"bert.pooling_type": 1}, {})


def _write_bert(path: Path, metadata: dict[str, Any], head: Weights) -> Path:
    values = {
        "bert.attention.head_count_kv": None,
        "bert.attention.causal": False,
        "bert.attention.layer_norm_epsilon": 1e-5,
        "tokenizer.ggml.token_type_count": 1,
        "tokenizer.ggml.pre": "roberta-bpe",
        "tokenizer.ggml.add_eos_token": True,
        "tokenizer.ggml.seperator_token_id": EOS,
    }
    weights = _bert_weights() | head
    return write_model(path, arch="bert", metadata=values | metadata, tensors=False, extra=weights)


def write_qwen(path: Path, **metadata: Any) -> Path:
    """A causal model that scores a pair from its last row."""
    values = {
        "qwen3.pooling_type": 4,
        "qwen3.classifier.output_labels": ["yes", "no"],
        "tokenizer.chat_template.rerank": TEMPLATE,
        "tokenizer.ggml.add_bos_token": False,
    }
    norms = {
        f"blk.{layer}.attn_{part}_norm.weight": np.ones(N_EMBD // N_HEAD, np.float32)
        for layer in range(N_LAYER)
        for part in "qk"
    }
    return write_model(path, arch="qwen3", metadata=values | metadata, extra=norms | qwen_head())


def _bert_weights() -> Weights:
    seeds = iter(range(10, 1000))

    def matrix(n_out: int, n_in: int) -> np.ndarray[Any, Any]:
        return _random(next(seeds), n_out, n_in) * n_in**-0.5

    def norm(name: str) -> Weights:
        return {
            f"{name}.weight": np.ones(N_EMBD, np.float32),
            f"{name}.bias": _random(next(seeds), N_EMBD),
        }

    weights = {
        "token_embd.weight": matrix(len(vocabulary()), N_EMBD) * 8,
        "token_types.weight": matrix(1, N_EMBD),
        "position_embd.weight": matrix(N_CTX, N_EMBD) * 8,
        **norm("token_embd_norm"),
    }
    shapes = {
        "attn_q": (N_EMBD, N_EMBD), "attn_k": (N_EMBD, N_EMBD), "attn_v": (N_EMBD, N_EMBD),
        "attn_output": (N_EMBD, N_EMBD), "ffn_up": (N_FF, N_EMBD), "ffn_down": (N_EMBD, N_FF),
    }  # fmt: skip
    for layer in range(N_LAYER):
        block = f"blk.{layer}"
        for name, shape in shapes.items():
            weights[f"{block}.{name}.weight"] = matrix(*shape)
            weights[f"{block}.{name}.bias"] = _random(next(seeds), shape[0])
        weights |= norm(f"{block}.attn_output_norm") | norm(f"{block}.layer_output_norm")
    return weights
