"""The error between an output and the clean example, one value per image."""

from __future__ import annotations

import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.metrics.inpainting import interpolated
from nnlab.metrics.structure import ssim
from nnlab.model import Reconstructs
from nnlab.nn.resize import enlarged, fits

HIGHER = frozenset({"psnr", "pooled_psnr", "ssim", "psnr_gain", "hole_psnr"})
"""Metrics of which higher is better."""


def mse(output: Tensor, target: Tensor, where: Tensor | None = None) -> Tensor:
    """(N,) mean squared error per pixel; with `where` (N, *shape) bool only of these pixels; NaN if there are none."""
    error = (output - target).square().flatten(1)
    if where is None:
        return error.mean(1)
    counted = where.flatten(1)
    return (error * counted).sum(1) / counted.sum(1)


def psnr(error: Tensor, spec: DataSpec) -> Tensor:
    """(N,) peak signal-to-noise ratio 10 log₁₀((high − low)²/mse), dB, of mean squared errors (N,).

    An error below 1e-10 of the squared range counts as 1e-10 (100 dB), so that the mean is finite even with a perfect image.
    """
    relative = error / spec.value_range**2
    return -10 * torch.log10(relative.clamp(min=1e-10))


def reconstruction_figures(model: Reconstructs, batch: Batch, spec: DataSpec, mean: Tensor | None = None) -> dict[str, Tensor]:
    """The metrics of `output_figures` for the reconstruction.

    mean  (*shape) of the training set
    """
    return output_figures(model.reconstruct(batch.input), batch, spec, mean)


def output_figures(output: Tensor, batch: Batch, spec: DataSpec, mean: Tensor | None = None) -> dict[str, Tensor]:
    """The metrics of an output (N, *shape).

    Figures:
    mse   mean squared error per value between the output and the clean example; lower is better
    psnr  10 log₁₀(range²/mse), dB, of each example, then the mean; higher is better
    ssim  structural similarity of the output and the clean image, at most 1 (Wang et al. 2004); higher is better
    """
    error = mse(output, batch.target)
    figures = {"mse": error, "psnr": psnr(error, spec)}
    if spec.kind == "image":
        figures["ssim"] = ssim(output, batch.target, spec)
    if batch.mask is not None or (spec.paired and fits(batch.input, spec.shape)):
        figures |= gain(figures["psnr"], batch, spec)
    if batch.erased:
        figures |= within(output, batch, spec, mean)
    return figures


def how_measured(spec: DataSpec) -> dict[str, str]:
    """For the records of pairs of images: of which values PSNR is, and how an input becomes an image to compare with.

    Published figures of super-resolution differ by two decibels and more in just these choices.
    """
    if spec.kind != "image" or not spec.paired or spec.input.kind != "image":
        return {}
    colours = {1: "gray", 3: "RGB"}.get(spec.shape[0], f"{spec.shape[0]} channels")
    inputs = "bicubic, a = −0.75, without antialiasing, values not clipped" if spec.resizes else "as it is"
    return {
        "psnr_by": f"{colours}, all pixels, range {spec.value_range:g}, mean over images; pooled_psnr: of the mean error",
        "input_psnr_by": inputs,
    }


def with_pooled(figures: dict[str, float], spec: DataSpec) -> dict[str, float]:
    """The mean metrics of a split, for pairs with the PSNR of the mean error.

    Figures:
    pooled_psnr  10 log₁₀(range²/mean mse), dB, of pairs: of the mean error of all images. In psnr, the mean over images, a few
                 images without an error count much. Higher is better
    """
    if not spec.paired or "mse" not in figures:
        return figures
    return {**figures, "pooled_psnr": psnr(torch.tensor(figures["mse"], dtype=torch.float64), spec).item()}


def gain(restored: Tensor, batch: Batch, spec: DataSpec) -> dict[str, Tensor]:
    """Compare an output of this PSNR with the corrupted input; a smaller one is first enlarged, and a gray one gets channels.

    Figures:
    input_psnr  PSNR of the corrupted input, dB: the result of a model that copies its input, or only enlarges it (bicubic)
    input_ssim  structural similarity of the corrupted input
    psnr_gain   psnr − input_psnr, dB; higher is better
    """
    shown = enlarged(batch.input, spec.shape)
    given = psnr(mse(shown, batch.target), spec)
    figures = {"input_psnr": given, "psnr_gain": restored - given}
    if spec.kind == "image":
        figures["input_ssim"] = ssim(shown, batch.target, spec)
    return figures


def within(output: Tensor, batch: Batch, spec: DataSpec, mean: Tensor | None) -> dict[str, Tensor]:
    """PSNR of only the lost values, for the output and for fillings without learning.

    Each has one value per example that lost values; the others have no error.

    Figures:
    hole_psnr                PSNR of the values that the noise removed, dB; higher is better
    hole_psnr_mean_fill      the same if they are filled with the mean of the training set
    hole_psnr_interpolation  the same if they are filled by linear interpolation from the values around the hole
    """
    damaged = batch.mask.flatten(1).any(1)
    fills = {"": output}
    if mean is not None:
        fills["_mean_fill"] = mean.expand_as(output)
    if spec.kind == "image":
        fills["_interpolation"] = interpolated(batch.input, batch.mask)
    errors = {name: mse(fill, batch.target, batch.mask)[damaged] for name, fill in fills.items()}
    return {f"hole_psnr{name}": psnr(error, spec) for name, error in errors.items()}
