"""Muon: momentum, made orthogonal, for matrices. Far fewer steps than AdamW needs at this size."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn


def orthogonal(batch: Tensor, steps: int = 5) -> Tensor:
    """Nearly the nearest semi-orthogonal matrices, by Newton-Schulz steps. (n, rows, columns)"""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = batch.bfloat16()
    tall = x.shape[1] > x.shape[2]
    if tall:
        x = x.transpose(1, 2)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.transpose(1, 2) if tall else x).float()


class Muon:
    """Matrices of one shape are one batch."""

    def __init__(self, matrices: list[nn.Parameter], weight_decay: float, momentum: float = 0.95):
        self.groups: defaultdict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
        for matrix in matrices:
            self.groups[tuple(matrix.shape)].append(matrix)
        self.weight_decay, self.momentum = weight_decay, momentum
        self.buffers = {shape: torch.zeros(len(g), *shape) for shape, g in self.groups.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        for shape, group in self.groups.items():
            gradients = torch.stack([_gradient(p) for p in group])
            buffer = self.buffers[shape]
            buffer.lerp_(gradients, 1 - self.momentum)
            update = orthogonal(gradients.lerp(buffer, self.momentum))
            scale = max(1.0, shape[0] / shape[1]) ** 0.5
            torch._foreach_mul_(group, 1 - rate * self.weight_decay)
            torch._foreach_add_(group, update.unbind(), alpha=-rate * scale)

    def state_dict(self) -> dict[str, Any]:
        return {str(shape): buffer for shape, buffer in self.buffers.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for shape, buffer in self.buffers.items():
            buffer.copy_(state[str(shape)])


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
