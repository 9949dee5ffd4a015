"""What a model file is, from its header alone: facts for people, and for choosing how to run it.

Also what makes a sound GGUF file no model that could be loaded: adapters and projectors, parts
that are missing, and numbers on which llama.cpp would end the process. Whether llama.cpp knows the
architecture, and whether all tensors are there, shows when it loads the file.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mullama.models.header import GGML_TYPES, Header, Tensor, read_header, refuse
from mullama.types import ModelInfo, ModelKind

_QUANTIZATIONS = {  # llama.cpp's file types
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M",
    30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4",
    40: "Q1_0", 41: "Q2_0",
}  # fmt: skip
_POOLINGS = {0: "none", 1: "mean", 2: "cls", 3: "last", 4: "rank"}
_ENCODERS = frozenset({  # they only embed, whether or not the header has the keys that say so
    "bert", "nomic-bert", "nomic-bert-moe", "jina-bert-v2", "jina-bert-v3", "modern-bert",
    "neo-bert", "eurobert", "gemma-embedding", "t5encoder", "llama-embed",
})  # fmt: skip
_MAX_LAYERS = 512  # llama.cpp's own limit
_ROPE_SCALINGS = frozenset({"none", "linear", "yarn", "longrope"})
_NOT_MODELS = {"adapter": "a LoRA adapter", "mmproj": "a multimodal projector"}
_SPLIT_NAME = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.gguf", re.DOTALL)


def read_info(path: str | os.PathLike[str]) -> ModelInfo:
    """Facts about the model in `path`; for a split model `path` is its first part.

    Raises NotFound where there is no such file, ModelError where it can't be a whole model.
    """
    header = read_header(path)
    tensors = [tensor for part in (header, *_other_parts(header)) for tensor in part.tensors]
    _check_is_model(header)
    if tensors:  # a vocabulary alone may lack the numbers
        _check_numbers(header)
    return _info(header, tensors)


def _check_is_model(header: Header) -> None:
    kind = _NOT_MODELS.get(header.text("general.type") or "")
    if kind is not None:
        refuse(header.path, f"it is {kind}, not a model")
    if not header.text("general.architecture"):
        refuse(header.path, "it does not say which architecture it has (general.architecture)")


def _check_numbers(header: Header) -> None:
    """Refuse the values for which llama.cpp would not report an error but end the process."""
    architecture = header.text("general.architecture")
    n_layers = header.number(f"{architecture}.block_count") or 0
    if not 1 <= n_layers <= _MAX_LAYERS:
        refuse(header.path, f"it claims {n_layers} layers; there can be 1 to {_MAX_LAYERS}")
    n_experts = header.number(f"{architecture}.expert_count") or 0
    n_used = max(header.numbers(f"{architecture}.expert_used_count"), default=0)
    if not 0 <= n_used <= n_experts or bool(n_used) != bool(n_experts):
        refuse(header.path, f"it claims to use {n_used} of {n_experts} experts")
    scaling = header.text(f"{architecture}.rope.scaling.type") or "none"
    if scaling not in _ROPE_SCALINGS:
        refuse(header.path, f"it has the unknown rope scaling type {scaling!r}")
    for key, value in header.metadata.items():
        sound = not isinstance(value, float) or math.isfinite(value)
        if not sound or (key.endswith("epsilon") and isinstance(value, float) and value < 0):
            refuse(header.path, f"its header is corrupted: {key} is {value}. Download it again")


def parts(path: Path) -> list[Path]:
    """The files of a model: `path`, and of a split model the others that are there beside it."""
    found = _SPLIT_NAME.fullmatch(path.name)
    if found is None:
        return [path]
    count = int(found[3])
    named = (path.with_name(_part_name(found[1], part, count)) for part in range(1, count + 1))
    return [part for part in named if part == path or part.exists()]


def _part_name(name: str, part: int, count: int) -> str:
    return f"{name}-{part:05}-of-{count:05}.gguf"


def _other_parts(header: Header) -> Iterator[Header]:
    """The headers of a split model's further parts, which must all be there."""
    count = header.number("split.count") or 0
    if count < 2:
        return
    found = _SPLIT_NAME.fullmatch(header.path.name)
    if found is None or int(found[3]) != count:
        refuse(
            header.path,
            f"it is one of {count} parts, so its name must end in -00001-of-{count:05}.gguf",
        )
    first = header.path.with_name(_part_name(found[1], 1, count))
    if header.number("split.no") != 0:
        refuse(header.path, f"it is a later part of a split model. Give the first: {first.name}")
    for part in range(2, count + 1):
        path = header.path.with_name(_part_name(found[1], part, count))
        if not path.exists():
            refuse(header.path, f"part {part} of {count} is missing: {path.name}")
        yield read_header(path)


def _info(header: Header, tensors: list[Tensor]) -> ModelInfo:
    architecture = header.text("general.architecture") or ""

    def number(key: str) -> int:
        return max(header.numbers(f"{architecture}.{key}"), default=0)

    n_params = sum(tensor.n_elements for tensor in tensors)
    quantization = _quantization(header, tensors)
    n_head = number("attention.head_count")
    pooling = _POOLINGS.get(header.number(f"{architecture}.pooling_type") or 0)
    return ModelInfo(
        path=str(header.path),
        name=header.text("general.name") or header.path.stem,
        architecture=architecture,
        description=f"{architecture} {_in_short(n_params)} {quantization}",
        size=sum(tensor.n_bytes for tensor in tensors),
        n_params=n_params,
        n_ctx_train=number("context_length"),
        n_embd=number("embedding_length"),
        n_layer=number("block_count"),
        n_head=n_head,
        n_head_kv=number("attention.head_count_kv") or n_head,
        n_vocab=header.count("tokenizer.ggml.tokens") or number("vocab_size"),
        kind=_kind(header, architecture, tensors),
        pooling=pooling if f"{architecture}.pooling_type" in header.metadata else None,
        quantization=quantization,
        chat_template=_chat_template(header),
        kv_bytes_per_token=_kv_bytes_per_token(header, architecture),
        has_tokenizer=_has_tokenizer(header),
        causal=_is_causal(header, architecture),
        tool_template=header.text("tokenizer.chat_template.tool_use"),
    )


def _kind(header: Header, architecture: str, tensors: list[Tensor]) -> ModelKind:
    """What the model is for. A pooling key decides; then a rank head; then attention."""
    pooling = header.number(f"{architecture}.pooling_type")
    if pooling in (1, 2, 3):
        return ModelKind.EMBED
    if _has_rank_head(header, architecture, tensors) or (pooling == 4 and not tensors):
        return ModelKind.RERANK
    if pooling == 4:
        refuse(header.path, "it claims to rank documents (pooling_type 4), and has no head for it")
    return ModelKind.GENERATE if _is_causal(header, architecture) else ModelKind.EMBED


def _has_rank_head(header: Header, architecture: str, tensors: list[Tensor]) -> bool:
    """Whether the classifier's last layer has as many outputs as llama.cpp reads: one a label.

    The layer before it, alone, is a pooler that some embedding models bring along.
    """
    sizes = {tensor.name: tensor.n_elements for tensor in tensors}
    size = sizes.get("cls.output.weight") or sizes.get("cls.weight")
    n_labels = header.count(f"{architecture}.classifier.output_labels") or 1
    return size == n_labels * max(header.numbers(f"{architecture}.embedding_length"), default=0)


def _is_causal(header: Header, architecture: str) -> bool:
    said = header.metadata.get(f"{architecture}.attention.causal", True)
    return architecture not in _ENCODERS and said is not False


def _quantization(header: Header, tensors: list[Tensor]) -> str:
    """The file type's name, or else that of the type which most of the bytes have."""
    named = _QUANTIZATIONS.get(header.number("general.file_type") or 0)
    if "general.file_type" in header.metadata and named is not None:
        return named
    n_bytes: Counter[int] = Counter()
    for tensor in tensors:
        n_bytes[tensor.type] += tensor.n_bytes
    return GGML_TYPES[n_bytes.most_common(1)[0][0]][0] if n_bytes else "unknown"


def _chat_template(header: Header) -> str | None:
    names = ("", ".default", ".tool_use")
    texts = (header.text(f"tokenizer.chat_template{name}") for name in names)
    return next(filter(None, texts), None)


def _has_tokenizer(header: Header) -> bool:
    model = header.text("tokenizer.ggml.model")
    return model not in (None, "", "none", "no_vocab") and header.count("tokenizer.ggml.tokens") > 0


def _kv_bytes_per_token(header: Header, architecture: str) -> int:
    """Bytes that one position takes in all layers' caches, with two bytes a number."""
    if architecture in _ENCODERS:
        return 0

    def per_layer(key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        values = header.numbers(f"{architecture}.{key}") or default
        return values * n_layer if len(values) == 1 else values

    n_layer = min(max(header.numbers(f"{architecture}.block_count"), default=0), _MAX_LAYERS)
    n_embd = max(header.numbers(f"{architecture}.embedding_length"), default=0)
    heads = per_layer("attention.head_count", (0,))
    heads_kv = per_layer("attention.head_count_kv", heads)
    head_size = n_embd // max(heads, default=0) if any(heads) else 0
    keys = per_layer("attention.key_length", (head_size,))
    values = per_layer("attention.value_length", (head_size,))
    return sum(n * (k + v) * 2 for n, k, v in zip(heads_kv, keys, values, strict=False))


def _in_short(count: int) -> str:
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("K", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)
