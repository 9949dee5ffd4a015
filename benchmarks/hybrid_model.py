"""What the file of a hybrid model has beside the usual: states in most layers, attention in some.

The names are those of Qwen3.5's files in llama.cpp (architecture `qwen35`). Values that only random
matrices need not have are filled in: states fade by a tenth each step, convolutions are means.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.shapes import HybridShape

Tensor = tuple[str, tuple[int, ...], float | None]  # name in its layer, shape, fill

_FADING = -0.1


def add_numbers(writer: Any, shape: HybridShape) -> None:
    """Write the header values that only such a model has."""
    half = shape.n_rotated // 2  # components turn in pairs
    writer.add_key_length(shape.n_key)
    writer.add_value_length(shape.n_key)
    # positions in time, height and width; text has the same in all three
    writer.add_rope_dimension_sections([(half + 2) // 3, (half + 1) // 3, half // 3, 0])
    writer.add_full_attention_interval(shape.interval)
    writer.add_ssm_conv_kernel(shape.n_conv)
    writer.add_ssm_inner_size(shape.n_state_head * shape.n_state)
    writer.add_ssm_state_size(shape.n_state)
    writer.add_ssm_time_step_rank(shape.n_state_head)
    writer.add_ssm_group_count(shape.n_state_head)


def layer(shape: HybridShape, number: int) -> Iterator[Tensor]:
    """The tensors of one layer."""
    yield "attn_norm.weight", (shape.n_embd,), 1.0
    yield from _attention(shape) if (number + 1) % shape.interval == 0 else _state(shape)
    yield "post_attention_norm.weight", (shape.n_embd,), 1.0
    yield "ffn_gate.weight", (shape.n_ff, shape.n_embd), None
    yield "ffn_up.weight", (shape.n_ff, shape.n_embd), None
    yield "ffn_down.weight", (shape.n_embd, shape.n_ff), None


def _attention(shape: HybridShape) -> Iterator[Tensor]:
    """The matrix of the queries also makes the gates of what they find."""
    n_query, n_kv = shape.n_head * shape.n_key, shape.n_head_kv * shape.n_key
    yield "attn_q.weight", (2 * n_query, shape.n_embd), None
    yield "attn_k.weight", (n_kv, shape.n_embd), None
    yield "attn_v.weight", (n_kv, shape.n_embd), None
    yield "attn_q_norm.weight", (shape.n_key,), 1.0
    yield "attn_k_norm.weight", (shape.n_key,), 1.0
    yield "attn_output.weight", (shape.n_embd, n_query), None


def _state(shape: HybridShape) -> Iterator[Tensor]:
    """Queries, keys and values are of the same size."""
    n_head, n_inner = shape.n_state_head, shape.n_state_head * shape.n_state
    yield "attn_qkv.weight", (3 * n_inner, shape.n_embd), None
    yield "attn_gate.weight", (n_inner, shape.n_embd), None
    yield "ssm_conv1d.weight", (3 * n_inner, shape.n_conv), 1 / shape.n_conv
    yield "ssm_a", (n_head,), _FADING
    yield "ssm_dt.bias", (n_head,), 0.0
    yield "ssm_alpha.weight", (n_head, shape.n_embd), None
    yield "ssm_beta.weight", (n_head, shape.n_embd), None
    yield "ssm_norm.weight", (shape.n_state,), 1.0
    yield "ssm_out.weight", (shape.n_embd, n_inner), None
