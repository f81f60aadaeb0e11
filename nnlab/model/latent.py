"""The mean and spread of the codes of a latent space."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from nnlab.nn.float64 import to_float64


@dataclass
class Latent:
    """A latent space measured along its coordinates.

    mean, std  (d,) of the codes
    kl         (d,) KL of each coordinate, nats, if the model is variational
    """

    mean: Tensor
    std: Tensor
    kl: Tensor | None = None

    @classmethod
    def of(cls, codes: Tensor) -> Latent:
        """The mean and the standard deviation of codes (N, d)."""
        exact = to_float64(codes)
        mean, std = (figure.float().to(codes.device) for figure in (exact.mean(0), exact.std(0, correction=0)))
        return cls(mean, std)

    def order(self) -> list[int]:
        """The coordinates, the most informative first: by their KL, or by their spread."""
        return (self.std if self.kl is None else self.kl).argsort(descending=True).tolist()
