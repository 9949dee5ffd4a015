"""The network: a Llama, as llama.cpp computes it, with tied embeddings.

Embeddings are scaled up where they enter: at the size at which they predict well, the first
attention's output drowns them, and what token stands where is what copying needs. An export folds
the scale into the embeddings and its inverse into the last norm. RoPE turns the halves of a head
against each other, which compiles to better code than llama.cpp's neighbours; an export puts the
rows in that order.
"""

from __future__ import annotations

from typing import Any

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

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, bias: Tensor) -> Tensor:
        """x (rows, length, n_embd), bias of the scores (rows, 1, length, length)."""
        shape = self.shape
        rows, length, _ = x.shape
        normed = rms_norm(x, self.attn_norm, shape.norm_eps)
        q = F.linear(normed, self.attn_q).view(rows, length, shape.n_head, shape.head)
        k = F.linear(normed, self.attn_k).view(rows, length, shape.n_head_kv, shape.head)
        v = F.linear(normed, self.attn_v).view(rows, length, shape.n_head_kv, shape.head)
        q, k = rotate(q, cos, sin).transpose(1, 2), rotate(k, cos, sin).transpose(1, 2)
        mixed: Tensor = Attention.apply(q, k, v.transpose(1, 2), bias)
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

    def forward(self, tokens: Tensor, bias: Tensor) -> Tensor:
        """The states from which tokens are predicted. (rows, length, n_embd)"""
        x = F.embedding(tokens, self.token_embd) * self.shape.embedding_scale
        length = tokens.shape[1]
        cos, sin = self.get_buffer("cos")[:length], self.get_buffer("sin")[:length]
        for block in self.blocks:
            x = block(x, cos, sin, bias)
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


class Attention(torch.autograd.Function):
    """Causal attention by plain matrix products, some queries at a time, so that most of what lies
    in the future is not computed.

    Compiled, a third of the time of what autograd makes of the same formulas, and less of PyTorch's
    fused function on a CPU: all that has the size of the scores is written once, in bfloat16. What
    is kept is the exponentials before they are divided by their sum, and the division is done on
    what they are multiplied with, which is smaller (as in FlashAttention-2, arXiv:2307.08691).
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, bias: Tensor) -> Tensor:
        """q (rows, heads, length, head), k and v with fewer heads, bias as of `attends`."""
        head, groups = q.shape[-1], k.shape[1]
        q = q * head**-0.5
        mixed, kept = [], []
        for begin, end in _parts(q.shape[2]):
            queries = _grouped(q[:, :, begin:end], groups)
            keys, values = _grouped(k[:, :, :end], groups), _grouped(v[:, :, :end], groups)
            scores = (queries @ keys.transpose(1, 2)).view(len(q), -1, end - begin, end)
            scores = scores.float() + bias[:, :, begin:end, :end]
            powers = (scores - scores.amax(-1, keepdim=True)).exp().to(v.dtype)
            powers = powers.view(len(queries), -1, end)
            total = powers.sum(-1, keepdim=True, dtype=torch.float32)
            mean = ((powers @ values).float() / total).to(v.dtype)
            mixed.append(mean.view(len(q), -1, end - begin, head))
            kept += [powers, total]
        result = torch.cat(mixed, dim=2)
        ctx.save_for_backward(q, k, v, result, *kept)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, result, *kept = ctx.saved_tensors
        (rows, _, length, head), groups = q.shape, k.shape[1]
        for_q: list[Tensor] = []
        for_k, for_v = torch.zeros_like(k), torch.zeros_like(v)
        for i, (begin, end) in enumerate(_parts(length)):
            powers, total = kept[2 * i : 2 * i + 2]
            queries, means = (_grouped(x[:, :, begin:end], groups) for x in (q, result))
            keys, values = (_grouped(x[:, :, :end], groups) for x in (k, v))
            gradient = _grouped(gradients[0][:, :, begin:end], groups).float() / total
            along = (gradient * means).sum(-1, keepdim=True)
            gradient = gradient.to(v.dtype)
            scores = powers * ((gradient @ values.transpose(1, 2)).float() - along)
            scores = scores.to(v.dtype)
            for_q.append((scores @ keys).view(rows, -1, end - begin, head))
            later = (0, 0, 0, length - end)
            for_k = for_k + F.pad(scores.transpose(1, 2) @ queries, later).view(k.shape)
            for_v = for_v + F.pad(powers.transpose(1, 2) @ gradient, later).view(v.shape)
        return torch.cat(for_q, dim=2) * head**-0.5, for_k, for_v, None


def _parts(length: int) -> list[tuple[int, int]]:
    """Queries that are computed at once, from and to."""
    size = max(128, length // 8)
    return [(begin, min(begin + size, length)) for begin in range(0, length, size)]


def _grouped(x: Tensor, groups: int) -> Tensor:
    """All that reads the same keys, as one matrix. (rows * groups, n, head)"""
    return x.reshape(len(x) * groups, -1, x.shape[-1])


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
    """Turn each pair of components, one from either half. x (rows, length, heads, head)"""
    a, b = x.chunk(2, dim=-1)
    cos, sin = cos[None, :, None, :], sin[None, :, None, :]
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1).to(x.dtype)


def attends(documents: Tensor) -> Tensor:
    """The bias of the scores: 0 for itself and earlier ones of its conversation, else -1e9.

    Numbers, since compiled code adds them faster than it selects by booleans. (rows, 1, length,
    length)
    """
    same = documents[:, :, None] == documents[:, None, :]
    length = documents.shape[1]
    seen = (same & torch.ones(length, length, dtype=torch.bool).tril())[:, None]
    return torch.zeros(seen.shape, dtype=torch.bfloat16).masked_fill_(~seen, -1e9)
