"""Tiny random models of every kind of memory: windows, recurrent states, and both beside attention.

What a model answers depends on all that it remembers. Layers add as much as embeddings do, and
states fade slowly. So a cell or a state that is lost, doubled, or another sequence's shows in the
logits, whose standard deviation is about 4. The numbers are small but keep proportions: several
heads, fewer of keys than of queries, layers of both kinds in turn.

Keys and tensors are those of llama.cpp's model files (its `src/llama-arch.cpp`, `src/models/`).
Shapes are numpy's: a matrix's columns are what it is multiplied with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tests.gguf_models import N_EMBD, N_FF, N_HEAD, N_HEAD_KV, vocabulary, write_model

Array = np.ndarray[Any, Any]
Shapes = dict[str, tuple[int, ...]]  # by the tensor's name

N_LAYER = 4
N_WINDOW = 32  # positions that a sliding window sees, the last one included
HEAD = N_EMBD // N_HEAD  # components of one attention head
N_EXPERT = 4
EXPERT_FF = 32

INNER = 2 * N_EMBD  # channels of a state space layer, which have SSM_HEADS heads
STATE = 16  # numbers that each channel keeps
SSM_HEADS = 4
GROUPS = 2
DT_RANK = 8
CONV = 4  # width of the convolution before it
SHORT_CONV = 3  # of LFM2, which has nothing else in those layers
LINEAR_HEADS = 4  # of Qwen3.5's linear attention, with STATE x STATE numbers each
LORA = 8  # rank of RWKV's small matrices
WKV_HEAD = 64  # llama.cpp's RWKV kernels read this many, whatever a file says


@dataclass(frozen=True, slots=True)
class Kind:
    """What a model of one architecture has beside what all have.

    `layer` gives the tensors of the layer with some number, `outer` those around the layers.
    `numbers` are header values, keyed without the architecture; None leaves out a usual one.
    """

    arch: str
    layer: Callable[[int], Shapes]
    numbers: Mapping[str, Any]
    outer: Shapes = field(default_factory=lambda: {"output_norm.weight": (N_EMBD,)})
    scale: float = 1.0  # of the embeddings


def write_memory_model(path: Path, kind: str) -> Path:
    """Write the model of `kind`, one of `KINDS`, to `path`. The same bytes each time."""
    model = KINDS[kind]
    numbers = {"block_count": N_LAYER, **model.numbers}
    metadata = {f"{model.arch}.{key}": value for key, value in numbers.items()}
    tensors = _tensors(model)
    return write_model(path, arch=model.arch, metadata=metadata, tensors=False, extra=tensors)


def _tensors(model: Kind) -> dict[str, Array]:
    random = np.random.default_rng(0)
    n_vocab = len(vocabulary())
    tensors = {
        "token_embd.weight": model.scale * random.standard_normal((n_vocab, N_EMBD)),
        "output.weight": 4 * _matrix(random, (n_vocab, N_EMBD)),
    }
    for name, shape in model.outer.items():
        tensors[name] = _values(random, name, shape)
    for number in range(N_LAYER):
        for name, shape in model.layer(number).items():
            tensors[f"blk.{number}.{name}"] = _values(random, name, shape)
    return {name: values.astype(np.float32) for name, values in tensors.items()}


def _values(random: np.random.Generator, name: str, shape: tuple[int, ...]) -> Array:
    what = name.removesuffix(".weight")
    if what == "ssm_a":  # a state loses between a hundredth and a third of itself in each step
        fading = np.geomspace(0.01, 0.5, np.prod(shape))
        return -random.permutation(fading).reshape(shape)
    if what == "time_mix_w0":  # the same for RWKV, through a sigmoid
        return random.uniform(-5, 0, shape)
    if what.endswith(("norm", "norm_2")) or what in _ONES:
        return np.ones(shape)
    if "lerp" in what:
        return random.uniform(0, 1, shape)
    if name.endswith(".bias") or len(shape) == 1:
        return 0.1 * random.standard_normal(shape)
    return _matrix(random, shape)


_ONES = {"ssm_d", "time_mix_ln", "time_mix_k_k", "time_mix_k_a"}


def _matrix(random: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Keeps the size of what it is multiplied with."""
    return random.standard_normal(shape) * shape[-1] ** -0.5


# ---------------------------------------------------------------------------------- parts of layers


def _vectors(*names: str) -> Shapes:
    return {f"{name}.weight": (N_EMBD,) for name in names}


def _matrices(n_out: int, n_in: int, *names: str) -> Shapes:
    return {f"{name}.weight": (n_out, n_in) for name in names}


def _attention() -> Shapes:
    return (
        _vectors("attn_norm")
        | _matrices(N_EMBD, N_EMBD, "attn_q", "attn_output")
        | _matrices(HEAD * N_HEAD_KV, N_EMBD, "attn_k", "attn_v")
    )


def _normed_attention() -> Shapes:
    return _attention() | {f"attn_{name}_norm.weight": (HEAD,) for name in "qk"}


def _feed_forward(norm: str = "ffn_norm.weight") -> Shapes:
    wide = _matrices(N_FF, N_EMBD, "ffn_gate", "ffn_up")
    return {norm: (N_EMBD,)} | wide | _matrices(N_EMBD, N_FF, "ffn_down")


def _experts() -> Shapes:
    weights = {
        "ffn_gate_inp": (N_EXPERT, N_EMBD),
        "ffn_gate_exps": (N_EXPERT, EXPERT_FF, N_EMBD),
        "ffn_up_exps": (N_EXPERT, EXPERT_FF, N_EMBD),
        "ffn_down_exps": (N_EXPERT, N_EMBD, EXPERT_FF),
    }
    biases = {f"{name}.bias": shape[:-1] for name, shape in weights.items()}
    return {f"{name}.weight": shape for name, shape in weights.items()} | biases


def _mamba() -> Shapes:
    return _vectors("attn_norm") | {
        "ssm_in.weight": (2 * INNER, N_EMBD),
        "ssm_conv1d.weight": (INNER, CONV),
        "ssm_conv1d.bias": (INNER,),
        "ssm_x.weight": (DT_RANK + 2 * STATE, INNER),
        "ssm_dt.weight": (INNER, DT_RANK),
        "ssm_dt.bias": (INNER,),
        "ssm_a": (INNER, STATE),
        "ssm_d": (INNER,),
        "ssm_out.weight": (N_EMBD, INNER),
    }


def _mamba2() -> Shapes:
    channels = INNER + 2 * GROUPS * STATE
    return _vectors("attn_norm") | {
        "ssm_in.weight": (INNER + channels + SSM_HEADS, N_EMBD),
        "ssm_conv1d.weight": (channels, CONV),
        "ssm_conv1d.bias": (channels,),
        "ssm_dt.bias": (SSM_HEADS,),
        "ssm_a": (SSM_HEADS, 1),
        "ssm_d": (SSM_HEADS, 1),
        "ssm_norm.weight": (GROUPS, INNER // GROUPS),
        "ssm_out.weight": (N_EMBD, INNER),
    }


def _delta_net() -> Shapes:
    values = LINEAR_HEADS * STATE
    channels = 2 * GROUPS * STATE + values
    return _vectors("attn_norm") | {
        "attn_qkv.weight": (channels, N_EMBD),
        "attn_gate.weight": (values, N_EMBD),
        "ssm_conv1d.weight": (channels, CONV),
        "ssm_dt.bias": (LINEAR_HEADS,),
        "ssm_a": (LINEAR_HEADS,),
        "ssm_beta.weight": (LINEAR_HEADS, N_EMBD),
        "ssm_alpha.weight": (LINEAR_HEADS, N_EMBD),
        "ssm_norm.weight": (STATE,),
        "ssm_out.weight": (N_EMBD, values),
    }


def _short_convolution() -> Shapes:
    return _vectors("attn_norm") | {
        "shortconv.conv.weight": (N_EMBD, SHORT_CONV),
        "shortconv.in_proj.weight": (3 * N_EMBD, N_EMBD),
        "shortconv.out_proj.weight": (N_EMBD, N_EMBD),
    }


# ------------------------------------------------------------------------------------------- layers


def _attends(number: int) -> bool:
    """Where layers of two kinds take turns, every second one has attention."""
    return number % 2 == 1


def _gemma3(_: int) -> Shapes:
    posts = _vectors("post_attention_norm", "post_ffw_norm")
    return _normed_attention() | _feed_forward() | posts


def _gpt_oss(_: int) -> Shapes:
    sinks = {"attn_output.bias": (N_EMBD,), "attn_sinks.weight": (N_HEAD,)}
    return _attention() | sinks | _vectors("post_attention_norm") | _experts()


def _jamba(number: int) -> Shapes:
    norms = {"ssm_dt_norm": DT_RANK, "ssm_b_norm": STATE, "ssm_c_norm": STATE}
    mamba = _mamba() | {f"{name}.weight": (size,) for name, size in norms.items()}
    return (_attention() if _attends(number) else mamba) | _feed_forward()


def _granite(number: int) -> Shapes:
    return (_attention() if _attends(number) else _mamba2()) | _feed_forward()


def _falcon(_: int) -> Shapes:
    """Attention and a state side by side; the norm's name has no suffix in llama.cpp."""
    return _attention() | _mamba2() | _feed_forward(norm="ffn_norm")


def _nemotron(number: int) -> Shapes:
    """One thing a layer; feed-forward layers have no gate and no norm of their own."""
    wide, narrow = _matrices(N_FF, N_EMBD, "ffn_up"), _matrices(N_EMBD, N_FF, "ffn_down")
    return (_mamba2(), _attention(), _vectors("attn_norm") | wide | narrow, _mamba2())[number]


def _lfm2(number: int) -> Shapes:
    return (_normed_attention() if _attends(number) else _short_convolution()) | _feed_forward()


def _qwen35(number: int) -> Shapes:
    """The queries' matrix also makes their gate."""
    attention = _normed_attention() | _matrices(2 * N_EMBD, N_EMBD, "attn_q")
    layer = attention if _attends(number) else _delta_net()
    return layer | _feed_forward(norm="post_attention_norm.weight")


def _rwkv7(_: int) -> Shapes:
    names = ("w0", "a0", "v0", "k_k", "k_a", "r_k")
    square = ("key", "value", "receptance", "output")
    return (
        _shifted_norms("attn_norm", "attn_norm_2", "time_mix_ln")
        | _vectors(*(f"time_mix_{name}" for name in names))
        | _matrices(LORA, N_EMBD, *(f"time_mix_{letter}1" for letter in "wavg"))
        | _matrices(N_EMBD, LORA, *(f"time_mix_{letter}2" for letter in "wavg"))
        | _matrices(N_EMBD, N_EMBD, *(f"time_mix_{name}" for name in square))
        | _matrices(N_FF, N_EMBD, "channel_mix_key")
        | _matrices(N_EMBD, N_FF, "channel_mix_value")
        | {"time_mix_lerp_fused.weight": (6, 1, 1, N_EMBD)}
        | {"channel_mix_lerp_k.weight": (1, 1, N_EMBD)}
    )


def _shifted_norms(*names: str) -> Shapes:
    return {f"{name}.{part}": (N_EMBD,) for name, part in product(names, ("weight", "bias"))}


# ---------------------------------------------------------------------------------------- the kinds

_TURNS = {"attention.head_count_kv": [N_HEAD_KV * _attends(number) for number in range(N_LAYER)]}
_NO_HEADS = {
    "attention.head_count": 0,
    "attention.head_count_kv": None,
    "rope.dimension_count": None,
}
_MAMBA = {
    "ssm.conv_kernel": CONV,
    "ssm.inner_size": INNER,
    "ssm.state_size": STATE,
    "ssm.time_step_rank": DT_RANK,
}
_MAMBA2 = _MAMBA | {"ssm.time_step_rank": SSM_HEADS, "ssm.group_count": GROUPS}
_WINDOW = {"attention.sliding_window": N_WINDOW}
_EVERY_SECOND = {"attention.sliding_window_pattern": 2}
_GPT_OSS = {
    "attention.sliding_window": N_WINDOW // 2,
    "expert_count": N_EXPERT,
    "expert_used_count": 2,
    "expert_feed_forward_length": EXPERT_FF,
}
_RWKV7 = {
    "attention.layer_norm_epsilon": 1e-5,
    "attention.decay_lora_rank": LORA,
    "attention.iclr_lora_rank": LORA,
    "attention.value_residual_mix_lora_rank": LORA,
    "attention.gate_lora_rank": LORA,
    "token_shift_count": 2,
    "wkv.head_size": WKV_HEAD,
}
_NEMOTRON = {
    "attention.layer_norm_epsilon": 1e-5,
    "attention.head_count_kv": [0, N_HEAD_KV, 0, 0],
    "feed_forward_length": [0, 0, N_FF, 0],
}
_LFM2 = _TURNS | {"shortconv.l_cache": SHORT_CONV}
_QWEN35 = {
    "full_attention_interval": 2,
    "rope.dimension_count": HEAD // 2,
    "rope.dimension_sections": [3, 3, 2, 0],
    "ssm.conv_kernel": CONV,
    "ssm.inner_size": LINEAR_HEADS * STATE,
    "ssm.state_size": STATE,
    "ssm.time_step_rank": LINEAR_HEADS,
    "ssm.group_count": GROUPS,
}
_LFM2_NORM = _vectors("token_embd_norm")

KINDS = {
    # sliding windows
    "gemma3": Kind("gemma3", _gemma3, _WINDOW | _EVERY_SECOND, scale=N_EMBD**-0.5),
    "gpt-oss": Kind("gpt-oss", _gpt_oss, _GPT_OSS | _EVERY_SECOND),
    # recurrent
    "mamba": Kind("mamba", lambda _: _mamba(), _NO_HEADS | _MAMBA),
    "mamba2": Kind("mamba2", lambda _: _mamba2(), _NO_HEADS | _MAMBA2),
    "rwkv7": Kind(
        "rwkv7", _rwkv7, _NO_HEADS | _RWKV7, _shifted_norms("token_embd_norm", "output_norm")
    ),
    # recurrent and attention
    "jamba": Kind("jamba", _jamba, _MAMBA | _TURNS),
    "granitehybrid": Kind("granitehybrid", _granite, _MAMBA2 | _TURNS),
    "falcon-h1": Kind("falcon-h1", _falcon, _MAMBA2),
    "nemotron_h": Kind("nemotron_h", _nemotron, _MAMBA2 | _NEMOTRON),
    "lfm2": Kind("lfm2", _lfm2, _LFM2, _LFM2_NORM),
    "qwen35": Kind("qwen35", _qwen35, _QWEN35),
    # recurrent and a sliding window
    "lfm2-window": Kind("lfm2", _lfm2, _LFM2 | _WINDOW, _LFM2_NORM),
}
