"""Model files with random weights in the shape of a real model.

How fast a model runs and how much memory it takes depend on its shape, its vocabulary and its
quantization, not on what its weights say. So a random one, with a real tokenizer and chat template,
measures as the real one would, and nobody has to fetch it. What it writes is nonsense.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from benchmarks import hybrid_model
from benchmarks.report import n_cpus
from benchmarks.shapes import HybridShape, Shape
from mullama.errors import ModelError
from mullama.models.gguf import read_info

_TEMPLATE = "tokenizer.chat_template"
_TOKENS = "tokenizer.ggml.tokens"


@dataclass(frozen=True, slots=True)
class _Tensor:
    """`fill` is the value of all components; None means random ones."""

    name: str
    shape: tuple[int, ...]
    fill: float | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(np.float16 if self.fill is None else np.float32)

    def data(self, random: np.random.Generator) -> np.ndarray[Any, Any]:
        """Random weights keep the size of what they are multiplied with."""
        if self.fill is not None:
            return np.full(self.shape, self.fill, self.dtype)
        values = random.standard_normal(self.shape, np.float32)
        values *= self.shape[-1] ** -0.5
        return values.astype(self.dtype)


def make(
    shape: Shape,
    vocab: Path,
    out: Path,
    *,
    template: Path | None = None,
    quantization: str | None = None,
    seed: int = 0,
) -> None:
    """Write a model at F16, or quantized as llama.cpp does it, such as "Q4_K_M".

    `vocab` is a GGUF file whose tokenizer is taken. Raises ModelError where it has none, or where
    llama.cpp refuses.
    """
    if not read_info(vocab).has_tokenizer:
        raise ModelError(f"{vocab} has no tokenizer. Give a GGUF file that has one.")
    kind = None if quantization is None else file_type(quantization)
    part = out.with_name(out.name + ".part")
    try:
        write(shape, vocab, part, template=template, seed=seed)
        if kind is None:
            part.replace(out)
        else:
            quantize(part, out, kind)
    finally:
        part.unlink(missing_ok=True)


def write(shape: Shape, vocab: Path, out: Path, *, template: Path | None, seed: int) -> None:
    """Write the F16 file. One tensor at a time is in memory."""
    writer = gguf.GGUFWriter(out, shape.architecture)
    n_vocab = _copy_tokenizer(gguf.GGUFReader(vocab), writer, shape.n_vocab)
    if template is not None:
        writer.add_chat_template(template.read_text(encoding="utf-8"))
    shape = replace(shape, n_vocab=n_vocab)
    _add_numbers(writer, shape)
    tensors = list(_tensors(shape))
    for one in tensors:
        n_bytes = int(np.prod(one.shape)) * one.dtype.itemsize
        writer.add_tensor_info(one.name, one.shape, one.dtype, n_bytes)
    random = np.random.default_rng(seed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for one in tensors:
        writer.write_tensor_data(one.data(random))
    writer.close()


def _copy_tokenizer(source: Any, writer: Any, n_wanted: int) -> int:
    """Take the tokenizer over, with unused tokens up to `n_wanted`. Returns how many there are."""
    fields = {
        name: field
        for name, field in source.fields.items()
        if name.startswith("tokenizer.") and not name.startswith(_TEMPLATE)
    }
    n_found = len(fields[_TOKENS].data)
    n_vocab = max(n_found, n_wanted)
    padding = {
        _TOKENS: [f"<unused{i}>" for i in range(n_found, n_vocab)],
        "tokenizer.ggml.token_type": [int(gguf.TokenType.UNUSED)] * (n_vocab - n_found),
        "tokenizer.ggml.scores": [0.0] * (n_vocab - n_found),
    }
    for name, field in fields.items():
        value, (kind, *inner) = field.contents(), field.types
        value = value + padding[name] if name in padding else value
        writer.add_key_value(name, value, kind, sub_type=inner[-1] if inner else None)
    return n_vocab


def _add_numbers(writer: Any, shape: Shape) -> None:
    writer.add_name(f"Random {shape.name}")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(shape.n_vocab)
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_block_count(shape.n_layer)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_rope_dimension_count(shape.n_rot)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(1e-6)
    if isinstance(shape, HybridShape):
        hybrid_model.add_numbers(writer, shape)


def _tensors(shape: Shape) -> Iterator[_Tensor]:
    """All tensors. The output matrix is the embeddings' own, as it is in small models."""
    yield _Tensor("token_embd.weight", (shape.n_vocab, shape.n_embd))
    for layer in range(shape.n_layer):
        for name, dimensions, fill in _layer(shape, layer):
            yield _Tensor(f"blk.{layer}.{name}", dimensions, fill)
    yield _Tensor("output_norm.weight", (shape.n_embd,), 1.0)


def _layer(shape: Shape, number: int) -> Iterator[hybrid_model.Tensor]:
    return hybrid_model.layer(shape, number) if isinstance(shape, HybridShape) else _plain(shape)


def _plain(shape: Shape) -> Iterator[hybrid_model.Tensor]:
    n_embd, n_ff, n_kv = shape.n_embd, shape.n_ff, shape.n_head_kv * shape.n_rot
    yield "attn_norm.weight", (n_embd,), 1.0
    for name, n_out in (("attn_q", n_embd), ("attn_k", n_kv), ("attn_v", n_kv)):
        yield f"{name}.weight", (n_out, n_embd), None
        if shape.has_bias:
            yield f"{name}.bias", (n_out,), 0.0
    yield "attn_output.weight", (n_embd, n_embd), None
    yield "ffn_norm.weight", (n_embd,), 1.0
    yield "ffn_gate.weight", (n_ff, n_embd), None
    yield "ffn_up.weight", (n_ff, n_embd), None
    yield "ffn_down.weight", (n_embd, n_ff), None


def file_type(quantization: str) -> int:
    """llama.cpp's number for a quantization. Raises ModelError for an unknown one."""
    from mullama.llama.lib import C

    prefix = "LLAMA_FTYPE_MOSTLY_"
    kinds = {name.removeprefix(prefix): name for name in dir(C) if name.startswith(prefix)}
    if quantization.upper() not in kinds:
        raise ModelError(f"{quantization!r} is no quantization; there are: {', '.join(kinds)}.")
    return int(getattr(C, kinds[quantization.upper()]))


def exact(model: Path, folder: Path) -> Path:
    """A copy of a model with f32 weights, in `folder`. Raises ModelError.

    With quantized weights llama.cpp rounds activations to 8 bits, and how rows are batched decides
    which way: that alone moves a logit by up to half a nat where the model is unsure. With f32
    weights, an f32 KV cache and without flash attention, whose tiles of 64 rows sum otherwise than
    single rows (0.1 nats), an answer does not depend on what else is computed, so answers can be
    compared.
    """
    from mullama.llama.lib import C

    out = folder / f"{model.stem}.f32.gguf"
    quantize(model, out, C.LLAMA_FTYPE_ALL_F32)
    return out


def quantize(source: Path, out: Path, kind: int) -> None:
    """Raises ModelError with llama.cpp's reason."""
    from mullama.llama import log
    from mullama.llama.lib import C

    params = C.llama_model_quantize_default_params()
    params.ftype = kind
    params.allow_requantize = True
    params.nthread = n_cpus()
    with log.capture() as lines:
        code = C.llama_model_quantize(os.fsencode(source), os.fsencode(out), params)
    if code:
        reason = log.reason(lines) or f"llama.cpp answers {code}"
        raise ModelError(f"{source} can't be quantized: {reason}.")
