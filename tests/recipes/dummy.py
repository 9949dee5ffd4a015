"""A model file with a given vocabulary and weights of nothing, to tokenize with."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from recipes.tiny.bpe import CONTROL, END_OF_TEXT, IM_END, SPECIAL, Tokenizer


def write_dummy(path: Path, tokenizer: Tokenizer) -> None:
    n, width = len(tokenizer.tokens), 64
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokenizer.tokens)
    kinds = [gguf.TokenType.NORMAL] * n
    for i, name in enumerate(SPECIAL):
        kinds[i] = gguf.TokenType.CONTROL if name in CONTROL else gguf.TokenType.USER_DEFINED
    writer.add_token_types(kinds)
    writer.add_token_merges([f"{a} {b}" for a, b in tokenizer.merges])
    writer.add_bos_token_id(END_OF_TEXT)
    writer.add_eos_token_id(IM_END)
    writer.add_add_bos_token(False)
    writer.add_tensor("token_embd.weight", np.zeros((n, width), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
