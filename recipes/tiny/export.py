"""The GGUF file: weights in Q8_0, tokenizer, chat template, and a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recipes.tiny.bpe import CONTROL, END_OF_TEXT, IM_END, SPECIAL, Tokenizer
from recipes.tiny.model import Net
from recipes.tiny.settings import SHAPE, VERSION, Shape

NAME = "mullama-tiny"
_TEMPLATE = Path(__file__).with_name("template.jinja")
_CARD = (
    "A very small chat model for demos and tests, trained from scratch on generated text only. It "
    "knows some facts, does small sums, copies, follows short system prompts, writes JSON and "
    "calls tools. It is not meant for real questions: what it was not taught it does not know."
)


def tensors(net: Net) -> dict[str, NDArray[np.float32]]:
    """All weights under llama.cpp's names, the embeddings' scale in them and out of the norm."""
    scale = net.shape.embedding_scale
    named = {
        "token_embd.weight": net.token_embd * scale,
        "output_norm.weight": net.output_norm / scale,
    }
    for i, block in enumerate(net.blocks):
        for name, parameter in block.named_parameters():
            turns = name in ("attn_q", "attn_k")
            named[f"blk.{i}.{name}.weight"] = _paired(parameter, net.shape) if turns else parameter
    return {name: p.detach().float().numpy() for name, p in named.items()}


def _paired(weight: Tensor, shape: Shape) -> Tensor:
    """The rows in the order of llama.cpp's, which turns neighbours where we turn halves."""
    halves = weight.view(-1, 2, shape.head // 2, shape.n_embd)
    return halves.transpose(1, 2).reshape(weight.shape)


def write(path: Path, net: Net, tokenizer: Tokenizer) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    _card(writer)
    _shape(writer, net.shape)
    _vocabulary(writer, tokenizer)
    for name, weights in tensors(net).items():
        if weights.ndim == 2:
            packed = gguf.quants.quantize(weights, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, weights)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _card(writer: gguf.GGUFWriter) -> None:
    writer.add_name(NAME)
    writer.add_version(VERSION)
    writer.add_author("Mullama")
    writer.add_license("MIT")
    writer.add_description(_CARD)
    writer.add_languages(["en"])
    writer.add_tags(["text-generation", "demo", "tests"])
    writer.add_size_label("5.5M")


def _shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(shape.n_ctx)
    writer.add_embedding_length(shape.n_embd)
    writer.add_block_count(shape.n_layer)
    writer.add_feed_forward_length(shape.n_ff)
    writer.add_head_count(shape.n_head)
    writer.add_head_count_kv(shape.n_head_kv)
    writer.add_key_length(shape.head)
    writer.add_value_length(shape.head)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_eps)
    writer.add_vocab_size(shape.n_vocab)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    kinds = [gguf.TokenType.NORMAL] * len(tokenizer.tokens)
    for i, name in enumerate(SPECIAL):
        kinds[i] = gguf.TokenType.CONTROL if name in CONTROL else gguf.TokenType.USER_DEFINED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokenizer.tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{a} {b}" for a, b in tokenizer.merges])
    writer.add_bos_token_id(END_OF_TEXT)
    writer.add_eos_token_id(IM_END)
    writer.add_eot_token_id(IM_END)
    writer.add_pad_token_id(END_OF_TEXT)
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(_TEMPLATE.read_text())


def export(folder: Path) -> Path:
    """The last checkpoint as a GGUF file."""
    net = Net(SHAPE)
    state: dict[str, Any] = torch.load(folder / "checkpoint.pt", weights_only=True)
    net.load_state_dict(state["net"])
    path = folder / f"{NAME}.gguf"
    write(path, net, Tokenizer.load(folder / "tokenizer.json"))
    return path
