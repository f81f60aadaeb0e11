"""Whether the colours of coloured images are as strong as they should be."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.noise.grayscale import luma
from nnlab.data.spec import Batch
from nnlab.model import Joint, Metric, Reconstructs


def colour_metrics(model: Reconstructs) -> list[Metric]:
    """The metric of a model that colours gray images; of any other none.

    Figures:
    colour_variance  variance of the outputs' colours over all pixels, as a share of the targets'. A colour is the difference of
                     each channel from the brightness. 1 is right; near 0 the outputs are gray
    """
    spec = model.spec
    if spec.kind != "image" or not spec.paired or (spec.input.shape[0], spec.shape[0]) != (1, 3):
        return []

    def values(batch: Batch, generator: torch.Generator) -> tuple[Tensor, ...]:
        return colour_moments(model.reconstruct(batch.input)), colour_moments(batch.target)

    def share(made: Tensor, real: Tensor) -> dict[str, float]:
        return {"colour_variance": variance(made) / max(variance(real), 1e-12)}

    return [Joint(values, share, {"colour_variance": None})]


def colour_moments(x: Tensor) -> Tensor:
    """(N, 3, 2) the mean and the mean square of each image's colours, x − luma(x), of images (N, 3, H, W)."""
    colour = (x - luma(x)).flatten(2)
    return torch.stack([colour.mean(2), colour.square().mean(2)], 2)


def variance(moments: Tensor) -> float:
    """The variance of the colours of all pixels, summed over the channels, from their moments (N, 3, 2)."""
    mean, square = moments.double().mean(0).unbind(1)
    return (square - mean.square()).sum().item()
