"""Energy-based models so small that their states can be counted."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.families.rbm.rbm import RBM

BITS = DataSpec("bits", "image", (1, 2, 3))
REAL = DataSpec("real", "table", (3,), bounded=False, low=-5, high=5)


def scrambled(model, seed: int = 0):
    """The model in float64, every parameter of order one; symmetric where it must be."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.double().named_parameters():
        p.data = 0.7 * torch.randn(p.shape, generator=generator, dtype=torch.float64)
        if name == "weight" and p.shape[0] == p.shape[1]:
            p.data = torch.triu(p.data, 1) + torch.triu(p.data, 1).T
        p.requires_grad_(True)
    return model


def rbm(spec: DataSpec = BITS, hidden: int = 4, seed: int = 0, **options) -> RBM:
    return scrambled(RBM(spec, hidden=hidden, **options), seed)


def bits(n: int, width: int, seed: int = 1) -> Tensor:
    return (torch.rand(n, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) < 0.4).double()


def pairs(v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """Every v (A, D) with every h (B, H)."""
    return v.repeat_interleave(len(h), 0), h.repeat(len(v), 1)
