"""The way from one input to another: through the codes, and straight through the pixels."""

from __future__ import annotations

from torch import Tensor

from nnlab.model import Decodes


def between(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """(1 − α)·start + α·end, (N, k, …) of (N, …) each, for every α of `shares` (k,); exact where α is 0 or 1."""
    alpha = shares.view(1, -1, *[1] * (start.ndim - 1))
    return (1 - alpha) * start[:, None] + alpha * end[:, None]


def interpolate(model: Decodes, start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Outputs (N, k, *shape) of the codes (1 − α)·e(A) + α·e(B), from those of the inputs A, B (N, *shape).

    Where a code has unfolded the data, what lies in between looks like data too, while (1 − α)·A + α·B is a double exposure
    (Bengio et al. 2013, "Better mixing via deep representations").
    """
    codes = between(model.encode(start), model.encode(end), shares)
    return model.decode(codes.flatten(0, 1)).unflatten(0, codes.shape[:2])
