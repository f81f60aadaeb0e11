"""Self-attention over the places of a feature map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NARROWER, HALVED = 8, 2  # channels of queries and keys against the map's; of values
POOLED = 2  # keys and values are max-pooled by this factor per side, as in the authors' code: a quarter of the products


class SelfAttention(nn.Module):
    """y = x + γ W_o o,  o_j = Σ_i β_ji W_h x_i,  β_ji = softmax_i (⟨W_f x_i, W_g x_j⟩) (Zhang et al. 2019, equations 1 to 3).

    x (N, C, H, W); j are its places, i those of the map pooled by 2. γ starts at 0, so y = x at first.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        narrow, half = max(1, channels // NARROWER), max(1, channels // HALVED)
        self.query = nn.Conv2d(channels, narrow, 1, bias=False)
        self.key = nn.Conv2d(channels, narrow, 1, bias=False)
        self.value = nn.Conv2d(channels, half, 1, bias=False)
        self.out = nn.Conv2d(half, channels, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(()))

    def attention(self, x: Tensor) -> Tensor:
        """β (N, H·W, h·w): how much each place j looks at each pooled place i; sums over i are 1."""
        query, key = self.query(x).flatten(2), self.pooled(self.key(x)).flatten(2)
        return (query.mT @ key).softmax(-1)

    def pooled(self, x: Tensor) -> Tensor:
        """(N, C, h, w); a map of a single row or column is not pooled."""
        return functional.max_pool2d(x, POOLED) if min(x.shape[2:]) >= POOLED else x

    def forward(self, x: Tensor) -> Tensor:
        """y, of the shape of x (N, C, H, W)."""
        value = self.pooled(self.value(x)).flatten(2)
        seen = value @ self.attention(x).to(value.dtype).mT
        return x + self.gamma * self.out(seen.unflatten(2, x.shape[2:]))
