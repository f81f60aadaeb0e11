"""Variational autoencoders of a few units, and images of a few bits."""

from __future__ import annotations

import torch

from nnlab.data.spec import Batch, DataSpec

SPEC = DataSpec("bits", "image", (1, 4, 4), ("a", "b", "c"))
NETWORK = {"hidden": [12], "latent_dim": 3, "activation": "tanh"}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = 40) -> Batch:
    x = (torch.rand(n, *SPEC.shape, generator=generator()) < 0.4).float()
    return Batch(x, x, label=torch.arange(n) % 3)


def of_seed(cls: type, **options) -> torch.nn.Module:
    torch.manual_seed(1)
    return cls(SPEC, **NETWORK, **options)
