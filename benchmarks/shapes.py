"""Shapes of real models: the numbers on which their speed and their memory depend."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's numbers; `n_vocab` 0 takes as many tokens as the tokenizer has."""

    name: str
    architecture: str
    n_layer: int
    n_embd: int
    n_head: int
    n_head_kv: int
    n_ff: int
    n_vocab: int = 0
    n_ctx: int = 32768
    rope_base: float = 1e6

    @property
    def n_rot(self) -> int:
        """Components of one head."""
        return self.n_embd // self.n_head

    @property
    def has_bias(self) -> bool:
        return self.architecture == "qwen2"


@dataclass(frozen=True, slots=True)
class HybridShape(Shape):
    """A model like Qwen3.5: every `interval`-th layer has attention, the others keep a state.

    The state of such a layer is `n_state_head` matrices of `n_state` by `n_state` numbers, and the
    last `n_conv` - 1 inputs of a convolution.
    """

    n_key: int = 256  # components of an attention head, of which the first n_rotated have positions
    n_rotated: int = 64
    interval: int = 4
    n_state_head: int = 16
    n_state: int = 128
    n_conv: int = 4

    @property
    def n_rot(self) -> int:
        return self.n_rotated


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("tiny", "llama", 2, 64, 4, 2, 192, n_ctx=8192, rope_base=1e4),
        Shape("smollm2-135m", "llama", 30, 576, 9, 3, 1536, n_ctx=8192, rope_base=1e5),
        Shape("qwen2.5-0.5b", "qwen2", 24, 896, 14, 2, 4864, 151936),
        Shape("qwen2.5-1.5b", "qwen2", 28, 1536, 12, 2, 8960, 151936),
        Shape("llama3.2-1b", "llama", 16, 2048, 32, 8, 8192, 128256, 131072, 5e5),
        HybridShape("qwen3.5-0.8b", "qwen35", 24, 1024, 8, 2, 3584, 248320, 262144, 1e7),
    )
}
