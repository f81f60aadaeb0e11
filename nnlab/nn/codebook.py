"""Vector quantisation: each place of a feature map is replaced by the nearest vector of a codebook."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnlab.nn.distances import squared_euclidean
from nnlab.nn.world import ALONE, World

RARE = 1e-6  # a code with a smaller count is unused, and its mean would be only rounding


class Codebook(nn.Module):
    """K vectors e_i of D numbers; each is a moving average of its inputs (van den Oord et al. 2017, appendix A.1).

    k(z) = argmin_i ‖z − e_i‖²
    N_i ← γ N_i + (1 − γ) n_i,   m_i ← γ m_i + (1 − γ) Σ_{k(z)=i} z,   e_i = m_i / N_i,   n_i = |{z : k(z) = i}|

    A code is dead when N_i < restart · (1/K) Σ_j N_j: it starts again from a z of the batch, with the mean count (as in
    Dhariwal et al. 2020, "Jukebox"). restart = 0 never restarts codes. Both averages start at 0, which cancels in
    the quotient e_i; so a code that no z chooses is dead at once.

    vectors (K, D), counts N (K,), sums m (K, D); all in float32, for any precision of the networks
    world  the processes that share a batch: n and Σ z are sums over all of them
    """

    world: World = ALONE

    def __init__(self, codes: int, dim: int, *, decay: float, restart: float) -> None:
        super().__init__()
        self.decay, self.restart = decay, restart
        self.vectors = nn.Parameter(torch.randn(codes, dim), requires_grad=False)  # learned, but not by gradient
        self.register_buffer("counts", torch.zeros(codes))
        self.register_buffer("sums", torch.zeros(codes, dim))

    def __len__(self) -> int:
        return len(self.vectors)

    def begin(self, z: Tensor) -> None:
        """Start from K of the vectors z (N, D), each as likely as the others, without repetition while there are enough."""
        rows = torch.cat([torch.randperm(len(z)) for _ in range(-(-len(self) // len(z)))])[: len(self)]
        self.vectors.copy_(z[rows.to(z.device)])

    def nearest(self, z: Tensor) -> Tensor:
        """k(z), (N,) int64 of (N, D)."""
        with torch.autocast(z.device.type, enabled=False):
            middle = self.vectors.mean(0)
            return squared_euclidean(z - middle, self.vectors - middle).argmin(1)

    def forward(self, index: Tensor) -> Tensor:
        """The vectors (…, D) of codes (…)."""
        return self.vectors[index]

    def assigned(self, index: Tensor) -> Tensor:
        """(N, K) float32: 1 where a vector is a code's. A product with it sums by code in the same order each time."""
        return (index[:, None] == torch.arange(len(self), device=index.device)).float()

    @torch.no_grad()
    def update(self, z: Tensor, index: Tensor, generator: torch.Generator) -> None:
        """One step of the moving averages along vectors (N, D) and their codes (N,), then the restart of dead codes."""
        with torch.autocast(z.device.type, enabled=False):
            own = self.assigned(index)
            self.counts.lerp_(self.world.sum(own.sum(0)), 1 - self.decay)
            self.sums.lerp_(self.world.sum(own.T @ z), 1 - self.decay)
        mean = self.counts.mean()
        drawn = z[torch.randint(len(z), (len(self),), device=z.device, generator=generator)]
        self.world.broadcast([drawn])
        dead = self.counts < self.restart * mean
        self.counts.copy_(torch.where(dead, mean, self.counts))
        self.sums.copy_(torch.where(dead[:, None], drawn * mean, self.sums))
        held = (self.counts > RARE)[:, None]
        self.vectors.copy_(torch.where(held, self.sums / self.counts.clamp(min=RARE)[:, None], self.vectors))


def perplexity(counts: Tensor) -> Tensor:
    """exp(−Σ p_i log p_i) of counts (K,): the effective number of codes; 1 … K."""
    share = counts.float() / counts.sum()
    return (-torch.xlogy(share, share).sum()).exp()
