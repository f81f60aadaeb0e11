"""log p(x) of a latent-variable model by importance sampling (Burda et al. 2016; Rezende et al. 2014, appendix E).

    p(x) = E_q [p(x, z)/q(z|x)],   so log p(x) ≈ log 1/k Σᵢ wᵢ of k codes from q

The estimate of an image is too low on average: by about half the square of its standard error if that is small, by more if
few codes have most of the weight. The mean over images has this error too, even if its own standard error is small:
`effective_samples` says how many codes have the weight.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.nn.float64 import to_float64


class Proposes(Protocol):
    """A model whose q(z|x) is a diagonal Gaussian."""

    latent_dim: int

    def posterior(self, x: Tensor, label: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """μ and log σ² of q(z|x), each (N, latent_dim); of q(z|x, y) if the model has labels."""
        ...

    def draw(self, batch: Batch, posterior: tuple[Tensor, Tensor], noise: Tensor) -> tuple[Tensor, Tensor]:
        """−log p(x|z) and log q(z|x) − log p(z), each (N, k), of z = μ + σε for ε (N, k, latent_dim)."""


class Estimate(NamedTuple):
    """Of each image, nats."""

    log_likelihood: Tensor  # (N,) float64
    standard_error: Tensor  # (N,) float64
    effective_samples: Tensor  # (N,) float64: (Σw)²/Σw², of k codes 1 … k (Kong 1992)


def importance_sampled(model: Proposes, batch: Batch, samples: int, chunk: int, generator: torch.Generator) -> Estimate:
    """log p(x) of a batch from exactly this many codes per image; `chunk` codes are decoded together.

    Images are encoded once. If an image has fewer codes than a chunk, a chunk has several images.
    """
    posterior = model.posterior(batch.input, batch.label)
    batches = [
        weighed(model, part_of(batch, rows), tuple(part[rows] for part in posterior), samples, chunk, generator)
        for rows in torch.arange(len(batch), device=batch.target.device).split(max(1, chunk // samples))
    ]
    return Estimate(*map(torch.cat, zip(*batches, strict=True)))


def weighed(
    model: Proposes, batch: Batch, posterior: tuple[Tensor, Tensor], samples: int, chunk: int, generator: torch.Generator
) -> Estimate:
    """From the logarithms of Σw and Σw²: var(log p̂) = var(w)/(k E[w]²), by the delta method."""
    sums, squares = [], []
    for start in range(0, samples, chunk):
        shape = (len(batch), min(chunk, samples - start), model.latent_dim)
        noise = torch.randn(shape, device=batch.target.device, generator=generator)
        log_w = -sum(model.draw(batch, posterior, noise))
        sums.append(log_w.logsumexp(1))
        squares.append((2 * log_w).logsumexp(1))
    total, square = (to_float64(torch.stack(parts)).logsumexp(0) for parts in (sums, squares))
    crowding = (square - 2 * total).exp()  # Σw²/(Σw)²
    relative_variance = (samples * crowding - 1).clamp(min=0) / (samples - 1)
    return Estimate(total - log(samples), relative_variance.sqrt(), 1 / crowding)


def part_of(batch: Batch, rows: Tensor) -> Batch:
    """The rows of a batch, with their labels and without its mask."""
    return Batch(batch.input[rows], batch.target[rows], label=None if batch.label is None else batch.label[rows])


def likelihood_figures(estimate: Estimate) -> dict[str, float]:
    """Means over all images.

    Figures:
    log_likelihood        mean log p(x) by importance sampling, nats per example; higher is better. For a model of images given
                          their class it is log p(x|y)
    log_likelihood_error  its standard error as an estimate for these examples, nats
    effective_samples     effective number of the sampled codes, from 1 to all of them: 1/Σ w² with their weights w
    """
    log_likelihood, error, effective = estimate
    return {
        "log_likelihood": log_likelihood.mean().item(),
        "log_likelihood_error": error.square().sum().sqrt().item() / len(error),
        "effective_samples": effective.mean().item(),
    }


def bits_per_dimension(log_likelihood: float, features: int) -> float:
    """Bits per value, from a log-likelihood in nats per image.

    Figures:
    bits_per_dimension  −log₂ p(x) divided by the number of values of an image; lower is better
    """
    return -log_likelihood / (features * log(2))
