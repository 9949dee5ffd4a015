"""Tiny GGUF files made on the spot: random weights over a byte-level vocabulary.

They answer nonsense, always the same, and are made in milliseconds; whatever a header can say,
true or not, can be put into one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np

N_EMBD = 64
N_LAYER = 2
N_HEAD = 2
N_HEAD_KV = 1
N_FF = 96
N_CTX = 512

CONTROL = ["<|end|>", "<|begin|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"]
MERGES = ["Ġ t", "h e", "Ġt he", "i n", "a n", "Ġ a", "o n", "e r"]
EOS, BOS, FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = range(5)


def byte_pieces() -> list[str]:
    """The 256 visible characters by which GPT-2's tokenizer writes the bytes."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    letters = {byte: chr(byte) for byte in shown}
    letters |= {byte: chr(256 + i) for i, byte in enumerate(hidden)}
    return [letters[byte] for byte in range(256)]


def vocabulary() -> list[str]:
    return [*CONTROL, *byte_pieces(), *(merge.replace(" ", "") for merge in MERGES)]


def write_model(
    path: Path,
    *,
    arch: str = "llama",
    metadata: Mapping[str, Any] | None = None,
    tokenizer: bool = True,
    tensors: bool = True,
    extra: Mapping[str, np.ndarray[Any, Any]] | None = None,
    scale: float = 1.0,
    split_max_tensors: int = 0,
) -> Path:
    """Write a model to `path`; `metadata` replaces values, or with None leaves a key out."""
    writer = gguf.GGUFWriter(path, arch, split_max_tensors=split_max_tensors)
    values = _hyperparameters(arch) | (_tokenizer() if tokenizer else {}) | dict(metadata or {})
    for key, value in values.items():
        if key != "general.architecture" and value is not None:
            _add(writer, key, value)
    weights = _weights(len(vocabulary()), scale) if tensors else {}
    for name, data in (weights | dict(extra or {})).items():
        writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _hyperparameters(arch: str) -> dict[str, Any]:
    return {
        "general.name": "Random",
        "general.file_type": 0,
        f"{arch}.context_length": N_CTX,
        f"{arch}.embedding_length": N_EMBD,
        f"{arch}.block_count": N_LAYER,
        f"{arch}.feed_forward_length": N_FF,
        f"{arch}.attention.head_count": N_HEAD,
        f"{arch}.attention.head_count_kv": N_HEAD_KV,
        f"{arch}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{arch}.rope.dimension_count": N_EMBD // N_HEAD,
        f"{arch}.vocab_size": len(vocabulary()),
    }


def _tokenizer() -> dict[str, Any]:
    control = gguf.TokenType.CONTROL.value
    normal = gguf.TokenType.NORMAL.value
    n_normal = len(vocabulary()) - len(CONTROL)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": vocabulary(),
        "tokenizer.ggml.token_type": [control] * len(CONTROL) + [normal] * n_normal,
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": BOS,
        "tokenizer.ggml.eos_token_id": EOS,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.fim_pre_token_id": FIM_PREFIX,
        "tokenizer.ggml.fim_suf_token_id": FIM_SUFFIX,
        "tokenizer.ggml.fim_mid_token_id": FIM_MIDDLE,
    }


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    else:
        writer.add_array(key, value)


def _weights(n_vocab: int, scale: float) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    n_kv = N_EMBD // N_HEAD * N_HEAD_KV

    def matrix(n_out: int, n_in: int) -> np.ndarray[Any, Any]:
        return (random.standard_normal((n_out, n_in)) * scale / n_in**0.5).astype(np.float32)

    ones = np.ones(N_EMBD, np.float32)
    weights = {
        "token_embd.weight": matrix(n_vocab, N_EMBD) * 8,
        "output_norm.weight": ones,
        "output.weight": matrix(n_vocab, N_EMBD) * 4,
    }
    for layer in range(N_LAYER):
        weights |= {
            f"blk.{layer}.{name}.weight": data
            for name, data in {
                "attn_norm": ones,
                "attn_q": matrix(N_EMBD, N_EMBD),
                "attn_k": matrix(n_kv, N_EMBD),
                "attn_v": matrix(n_kv, N_EMBD),
                "attn_output": matrix(N_EMBD, N_EMBD),
                "ffn_norm": ones,
                "ffn_gate": matrix(N_FF, N_EMBD),
                "ffn_up": matrix(N_FF, N_EMBD),
                "ffn_down": matrix(N_EMBD, N_FF),
            }.items()
        }
    return weights
