"""The way from one input to another: through the codes, straight or along great circles, and straight through the pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nnlab.model import Decodes, Latent

Path = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Start and end (N, …), shares (k,) → the places (N, k, …) between them."""


def between(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """(1 − α)·start + α·end, (N, k, …) of (N, …) each, for every α of `shares` (k,); exact where α is 0 or 1."""
    alpha = shares.view(1, -1, *[1] * (start.ndim - 1))
    return (1 - alpha) * start[:, None] + alpha * end[:, None]


def around(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """(sin((1 − α)Ω)·start + sin(αΩ)·end) / sin Ω, (N, k, d) of (N, d) each, Ω the angle between the two (Shoemake 1985).

    Between two codes of one length the length stays, as that of a Gaussian's draws in many dimensions does, while the
    straight way leads through the middle, where there are none (White 2016, "Sampling generative networks"). Where Ω is
    0 or π no circle is told from another, and the way is the straight one.
    """
    lengths = start.norm(dim=1) * end.norm(dim=1)
    cosine = ((start * end).sum(1) / lengths.clamp(min=torch.finfo(start.dtype).tiny)).clamp(-1, 1)
    angle = cosine.acos()[:, None, None]
    alpha = shares.view(1, -1, 1)
    sine = angle.sin()
    circle = ((1 - alpha) * angle).sin() * start[:, None] + (alpha * angle).sin() * end[:, None]
    bent = (sine > 1e-3) & (lengths > 0)[:, None, None]
    return torch.where(bent, circle / sine.clamp(min=1e-3), between(start, end, shares))


def about(latent: Latent) -> Path:
    """The way along a great circle about the middle of a latent space, in its standard deviations.

    A coordinate that never changes is left as it is: what counts is the angle in the others.
    """
    scale = torch.where(latent.std > 0, latent.std, torch.ones_like(latent.std))

    def path(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
        standard = ((codes - latent.mean) / scale for codes in (start, end))
        return latent.mean + scale * around(*standard, shares)

    return path


def interpolate(model: Decodes, start: Tensor, end: Tensor, shares: Tensor, path: Path = between) -> Tensor:
    """Outputs (N, k, *shape) of the codes on the way from e(A) to e(B), of the inputs A, B (N, *shape).

    Where a code has unfolded the data, what lies in between looks like data too, while (1 − α)·A + α·B is a double exposure
    (Bengio et al. 2013, "Better mixing via deep representations").
    """
    codes = path(model.encode(start), model.encode(end), shares)
    return model.decode(codes.flatten(0, 1)).unflatten(0, codes.shape[:2])
