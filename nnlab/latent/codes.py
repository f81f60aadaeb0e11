"""Statistics of codes, codes near a code, and differences of codes."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.model import Decodes, Encodes
from nnlab.nn.float64 import to_float64


def moments(model: Encodes, batches: Iterable[Batch]) -> tuple[Tensor, Tensor]:
    """The mean and the standard deviation (d,) of the codes of examples, each coordinate's own.

    Batch by batch in float64, merged about the means (Chan et al. 1979, "Updating formulae …"): nothing grows with the number
    of examples, and a small deviation about a large mean keeps its digits.
    """
    n, mean, squares = 0, 0.0, 0.0
    for batch in batches:
        codes = to_float64(model.encode(batch.input))
        own, shift = codes.mean(0), codes.mean(0) - mean
        squares = squares + (codes - own).square().sum(0) + shift.square() * n * len(codes) / (n + len(codes))
        n += len(codes)
        mean = mean + shift * len(codes) / n
    device = batch.input.device
    return mean.float().to(device), (squares / n).sqrt().float().to(device)


def vary(model: Decodes, code: Tensor, std: Tensor, scales: Tensor, noise: Tensor) -> Tensor:
    """Outputs (k, n, *shape) of the codes e(X) + e′ with e′ = s · σ ∘ ε: what is more or less like X, the less the larger s.

    code    (d,) e(X)
    std     (d,) σ, how widely codes lie along each coordinate
    scales  (k,) s
    noise   (n, d) ε, the same for every scale, so that a column of the picture goes one way
    """
    codes = code + scales.view(-1, 1, 1) * std * noise
    return model.decode(codes.flatten(0, 1)).unflatten(0, codes.shape[:2])


def shift(model: Decodes, codes: Tensor, direction: Tensor, strengths: Tensor) -> Tensor:
    """Outputs (N, k, *shape) of the codes e(X) + t · S, for codes e(X) (N, d), a direction S (d,) and every strength t (k,).

    Where S leads from the mean code of the examples without an attribute to the mean of those with it, X is given it
    (Larsen et al. 2016, "Autoencoding beyond pixels using a learned similarity metric", section 4.2).
    """
    moved = codes[:, None] + strengths.view(1, -1, 1) * direction
    return model.decode(moved.flatten(0, 1)).unflatten(0, moved.shape[:2])
