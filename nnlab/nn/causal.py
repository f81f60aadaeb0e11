"""A distribution over sequences of symbols, each drawn given those before it."""

from __future__ import annotations

from math import sqrt

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlab.errors import ArgumentError

WIDER = 4  # the hidden layer of a block against its width
SPREAD = 0.02  # of embeddings at the start, as in GPT-2


def attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(q kᵀ/√d) v, where the last of the queries (…, T, d) sees all the keys (…, S, d) and each before it one less.

    Written out: on a CPU `F.scaled_dot_product_attention` takes 5 times as long in bfloat16, forth and back, for 49 places.
    """
    scores = (query / sqrt(query.shape[-1])) @ key.mT
    places, seen = scores.shape[-2:]
    later = torch.ones((places, seen), dtype=torch.bool, device=query.device).triu(seen - places + 1)
    return scores.masked_fill(later, -torch.inf).softmax(-1).to(value.dtype) @ value


class Block(nn.Module):
    """x ← x + attention(norm(x)), x ← x + mlp(norm(x)): a place looks at itself and at those before it."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.norm_after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, WIDER * width), nn.GELU(), nn.Linear(WIDER * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, seen: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(N, T, width) of the same, and the keys and values (2, N, heads, T, width/heads) of all places so far.

        seen  those of the places before x, which then is of one place
        """
        parts = self.query_key_value(self.norm(x)).unflatten(2, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        now = torch.stack([key, value])
        now = now if seen is None else torch.cat([seen, now], dim=3)
        looked = attention(query, now[0], now[1])
        x = x + self.dropout(self.out(looked.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.mlp(self.norm_after(x))), now


class CausalTransformer(nn.Module):
    """p(s) = Π_t p(s_t | s_1 … s_{t−1}) of T symbols out of K (Vaswani et al. 2017; layers after GPT-2, Radford et al. 2019).

    log p(s_t = k | s_<t) = log softmax_k W norm(h_t), where h_t sees the embeddings of s_<t and the place t alone.
    W begins at 0: before it has learned, every sequence is as likely as any other.
    """

    def __init__(self, symbols: int, length: int, *, width: int, layers: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            fitting = max(n for n in range(1, heads + 1) if width % n == 0)
            raise ArgumentError(
                "heads",
                f"{heads} heads do not divide the width, {width}; give {fitting}, or a width that is a multiple of {heads}",
            )
        self.length = length
        self.embedding = nn.Embedding(symbols, width)
        nn.init.normal_(self.embedding.weight, std=SPREAD)
        self.before = nn.Parameter(torch.zeros(width))  # what stands before the first symbol
        self.place = nn.Parameter(SPREAD * torch.randn(length, width))
        self.blocks = nn.ModuleList([Block(width, heads, dropout) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, symbols)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, symbols: Tensor) -> Tensor:
        """Logits (N, T, K) of each of the symbols (N, T), given those before it."""
        x = torch.cat([self.before.expand(len(symbols), 1, -1), self.embedding(symbols[:, :-1])], dim=1) + self.place
        for block in self.blocks:
            x, _ = block(x)
        return self.head(self.norm(x)).float()

    def log_prob(self, symbols: Tensor) -> Tensor:
        """log p(s), (N,) nats of (N, T)."""
        return -F.cross_entropy(self(symbols).mT, symbols, reduction="none").sum(1)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(n, T) symbols, place after place; what the earlier places were is kept, so each costs one step."""
        x = self.before.expand(n, -1)
        seen: list[Tensor | None] = [None] * len(self.blocks)
        symbols = []
        for place in self.place:
            x = (x + place)[:, None]
            for i, block in enumerate(self.blocks):
                x, seen[i] = block(x, seen[i])
            chances = self.head(self.norm(x[:, 0])).float().softmax(-1)
            symbols.append(torch.multinomial(chances, 1, generator=generator).squeeze(1))
            x = self.embedding(symbols[-1])
        return torch.stack(symbols, dim=1)
