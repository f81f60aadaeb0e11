"""A closed walk through a latent space."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.latent.interpolation import about
from nnlab.model import Decodes, Encodes, Latent, Samples, can

TOGETHER = 256  # codes that are decoded at once


def waypoints(model: Decodes, latent: Latent, n: int, generator: torch.Generator) -> Tensor:
    """Codes (n, d) to walk through: of the prior of a variational model, else of new examples that are drawn and encoded.

    Where a model can do neither, each coordinate is drawn from a Gaussian with its mean and standard deviation.
    """
    if latent.kl is None and can(model, Samples) and can(model, Encodes):
        parts = (min(TOGETHER, n - start) for start in range(0, n, TOGETHER))
        return torch.cat([model.encode(model.sample(part, generator)) for part in parts])
    noise = torch.randn((n, len(latent.mean)), device=latent.mean.device, generator=generator)
    return latent.mean + latent.std * noise


def closed_walk(codes: Tensor, latent: Latent, steps: int) -> Tensor:
    """(n · steps, d): from each of the codes (n, d) to the next in so many steps along a great circle, and back to the first.

    Each stop is met once: the last step of all leads to the first code again.
    """
    shares = torch.arange(steps, device=codes.device) / steps
    return about(latent)(codes, codes.roll(-1, 0), shares).flatten(0, 1)
