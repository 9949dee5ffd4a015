"""The network: a Llama, exactly as llama.cpp computes it (interleaved RoPE, tied embeddings).

Embeddings are scaled up where they enter: at the size at which they predict well, the first
attention's output drowns them, and what token stands where is what copying needs. An export folds
the scale into the embeddings and its inverse into the last norm.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recipes.tiny.settings import Shape

_SIZES = 512  # the number of tokens whose logits are computed is a multiple of it


class Block(nn.Module):
    """Attention, then a gated feed-forward network; each behind a norm, each added to its input."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        width, kv = shape.n_head * shape.head, shape.n_head_kv * shape.head
        self.attn_norm = nn.Parameter(torch.ones(shape.n_embd))
        self.attn_q = nn.Parameter(_random(width, shape.n_embd))
        self.attn_k = nn.Parameter(_random(kv, shape.n_embd))
        self.attn_v = nn.Parameter(_random(kv, shape.n_embd))
        self.attn_output = nn.Parameter(torch.zeros(shape.n_embd, width))
        self.ffn_norm = nn.Parameter(torch.ones(shape.n_embd))
        self.ffn_gate = nn.Parameter(_random(shape.n_ff, shape.n_embd))
        self.ffn_up = nn.Parameter(_random(shape.n_ff, shape.n_embd))
        self.ffn_down = nn.Parameter(torch.zeros(shape.n_embd, shape.n_ff))

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        """x (rows, length, n_embd), mask (rows, 1, length, length): True where attended to."""
        shape = self.shape
        rows, length, _ = x.shape
        normed = rms_norm(x, self.attn_norm, shape.norm_eps)
        q = F.linear(normed, self.attn_q).view(rows, length, shape.n_head, shape.head)
        k = F.linear(normed, self.attn_k).view(rows, length, shape.n_head_kv, shape.head)
        v = F.linear(normed, self.attn_v).view(rows, length, shape.n_head_kv, shape.head)
        q, k = rotate(q, cos, sin).transpose(1, 2), rotate(k, cos, sin).transpose(1, 2)
        mixed = attention(q, k, v.transpose(1, 2), mask)
        mixed = mixed.transpose(1, 2).reshape(rows, length, -1)
        x = x + F.linear(mixed, self.attn_output)
        normed = rms_norm(x, self.ffn_norm, shape.norm_eps)
        gate, up = F.linear(normed, self.ffn_gate), F.linear(normed, self.ffn_up)
        return x + F.linear(F.silu(gate) * up, self.ffn_down)


class Net(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Parameter(torch.randn(shape.n_vocab, shape.n_embd) * 0.05)
        self.output_norm = nn.Parameter(torch.ones(shape.n_embd))
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layer))
        cos, sin = rope(shape)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """The states from which tokens are predicted. (rows, length, n_embd)"""
        x = F.embedding(tokens, self.token_embd) * self.shape.embedding_scale
        length = tokens.shape[1]
        cos, sin = self.get_buffer("cos")[:length], self.get_buffer("sin")[:length]
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return rms_norm(x, self.output_norm, self.shape.norm_eps)

    def loss(self, tokens: Tensor, documents: Tensor, targets: Tensor) -> Tensor:
        """The sum of the losses of all trained tokens; only their logits are computed.

        Some more are, so that there are few different sizes: for each, oneDNN writes code anew and
        keeps it, and the heap gets another kind of hole.
        """
        states = self(tokens, attends(documents)).flatten(0, 1)
        wanted = targets.flatten()
        trained = (wanted >= 0).nonzero().flatten()
        trained = F.pad(trained, (0, -len(trained) % _SIZES))
        wanted = wanted[trained].masked_fill(torch.arange(len(trained)) >= (targets >= 0).sum(), -1)
        logits = F.linear(states[trained], self.token_embd)
        return F.cross_entropy(logits.float(), wanted, ignore_index=-1, reduction="sum")

    def matrices(self) -> list[nn.Parameter]:
        """What Muon trains."""
        return [p for block in self.blocks for p in block.parameters() if p.ndim == 2]

    def others(self) -> list[nn.Parameter]:
        """What AdamW trains: the embedding and the norms."""
        taken = {id(p) for p in self.matrices()}
        return [p for p in self.parameters() if id(p) not in taken]


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Causal attention by plain matrix products, a quarter of the queries at a time.

    What lies wholly in the future is not computed. Compiled, this takes 0.6 to 0.8 of the time of
    PyTorch's fused function on a CPU. q (rows, heads, length, head), k and v with fewer heads.
    """
    rows, heads, length, head = q.shape
    groups = k.shape[1]
    size = max(256, length // 4)
    parts: list[Tensor] = []
    for begin in range(0, length, size):
        end = min(begin + size, length)
        queries = q[:, :, begin:end].reshape(rows * groups, -1, head)
        keys, values = (x[:, :, :end].reshape(rows * groups, end, head) for x in (k, v))
        scores = (queries @ keys.transpose(1, 2)).view(rows, heads, end - begin, end)
        scores = scores.float() * head**-0.5
        weights = scores.masked_fill(~mask[:, :, begin:end, :end], -1e9).softmax(-1).to(v.dtype)
        mixed = weights.view(rows * groups, -1, end) @ values
        parts.append(mixed.view(rows, heads, end - begin, head))
    return torch.cat(parts, dim=2)


def _random(rows: int, columns: int) -> Tensor:
    return torch.randn(rows, columns) * columns**-0.5


def rms_norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = x.float()
    return wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps) * weight


def rope(shape: Shape) -> tuple[Tensor, Tensor]:
    """cos and sin of every position and pair. (n_ctx, head / 2)"""
    rates = shape.rope_base ** (-torch.arange(0, shape.head, 2).double() / shape.head)
    angles = torch.outer(torch.arange(shape.n_ctx).double(), rates)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of neighbouring components. x (rows, length, heads, head)"""
    a, b = x[..., 0::2], x[..., 1::2]
    cos, sin = cos[None, :, None, :], sin[None, :, None, :]
    turned = torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1)
    return turned.flatten(-2).to(x.dtype)


def attends(documents: Tensor) -> Tensor:
    """Each to itself and earlier ones of its conversation. (rows, 1, length, length)"""
    same = documents[:, :, None] == documents[:, None, :]
    length = documents.shape[1]
    return (same & torch.ones(length, length, dtype=torch.bool).tril())[:, None]
