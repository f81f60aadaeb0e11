"""Images, and their binarization."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from nnlab.data.dataset import Dataset
from nnlab.data.source import FileArray, extremes
from nnlab.data.split import Arrays
from nnlab.errors import BadInput

FIXED_SEED = 0xB17  # makes another seed from the seed of the splits
CHUNK = 2**24  # values that are binarized together: 64 MiB as float32


class Images(Dataset):
    """Base of the datasets of images.

    binarize  threshold: 1 if the value is at least ½
              fixed: 1 with the value as probability, drawn once by `seed` (Salakhutdinov & Murray 2008)
              dynamic: the same, drawn again at each reading (Burda et al. 2016, "Importance weighted autoencoders")
              None: as they are
    """

    def __init__(self, *, binarize: Literal["threshold", "fixed", "dynamic"] | None = None, **common) -> None:
        super().__init__(**common)
        self.binarize = binarize

    def prepare(self, arrays: Arrays, train: Tensor) -> Arrays:
        """Binarized images are kept as bytes 0 and 1. Raises BadInput for a table, and for images beyond [0, 1]."""
        if self.binarize is None:
            return super().prepare(arrays, train)
        x, x_test = arrays.x_train, arrays.x_test
        if x.ndim != 4:
            raise BadInput(f"data.binarize: {self.name} is a table of {x.shape[1]} columns, but only images can be binarized")
        for part in (x, x_test):
            low, high = (value * arrays.scale for value in extremes(part))
            if low < 0 or high > 1:
                raise BadInput(f"data.binarize: needs images within [0, 1], {self.name} has values {low:g} … {high:g}")
        if self.binarize == "dynamic":
            return replace(arrays, dynamic_binarization=True)
        if isinstance(x, FileArray):
            raise BadInput(f"data.binarize: {self.binarize} keeps the bits in memory; use dynamic, or data.storage=memory")
        generator = torch.Generator().manual_seed(self.seed ^ FIXED_SEED) if self.binarize == "fixed" else None
        x, x_test = (as_bits(part, arrays.scale, generator) for part in (x, x_test))
        return replace(arrays, x_train=x, x_test=x_test, scale=1.0)


def as_bits(x: Tensor, scale: float, generator: torch.Generator | None) -> Tensor:
    """(N, C, H, W) → uint8 0 or 1: drawn with the generator, or without one by the threshold ½."""
    bits = torch.empty(x.shape, dtype=torch.uint8)
    step = max(1, CHUNK // x[0].numel())
    for part, into in zip(x.split(step), bits.split(step), strict=True):
        values = part.to(torch.float32) * scale
        into.copy_(values >= 0.5 if generator is None else bernoulli(values, generator))
    return bits


def bernoulli(probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """A 1 with each probability, else a 0, of the same shape and type. 0 and 1 are exact, since u is in [0, 1)."""
    return (torch.rand(probabilities.shape, device=probabilities.device, generator=generator) < probabilities).to(
        probabilities.dtype
    )
