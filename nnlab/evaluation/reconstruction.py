"""How near an output is to the clean example, one figure an image."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.model import Reconstructs


def mse(output: Tensor, target: Tensor) -> Tensor:
    """(N,) mean squared error a pixel."""
    return (output - target).square().flatten(1).mean(1)


def psnr(error: Tensor, spec: DataSpec) -> Tensor:
    """(N,) peak signal-to-noise ratio 10 log₁₀((high − low)²/mse), dB, of mean squared errors (N,).

    An error under 1e-10 of the range squared counts as that (100 dB), so that a perfect image leaves the mean finite.
    """
    relative = error / ((spec.high - spec.low) or 1.0) ** 2
    return -10 * torch.log10(relative.clamp(min=1e-10))


def reconstruction_figures(model: Reconstructs, batch: Batch, spec: DataSpec) -> dict[str, Tensor]:
    """`mse` and `psnr` of the reconstruction, and with a noise `input_psnr` of what the model was given."""
    error = mse(model.reconstruct(batch.input), batch.target)
    figures = {"mse": error, "psnr": psnr(error, spec)}
    if batch.mask is not None:
        figures["input_psnr"] = psnr(mse(batch.input, batch.target), spec)
    return figures
