"""The Laplacian pyramid (Burt & Adelson 1983): a coarse image, and what is missing in it at each finer level.

x_0 is the image, d makes an image smaller, u enlarges one, K is the last level:

x_{k+1} = d(x_k),   h_k = x_k − u(x_{k+1}) for k < K,   h_K = x_K
x_k = u(x_{k+1}) + h_k

A residual h_k is the difference to the enlarged image, which the finer level can compute, and not to a blurred one, which it
cannot. So h_K, …, h_0 are all of the image. Lists begin with the coarsest level.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nnlab.errors import ArgumentError
from nnlab.nn.conv import spatial_sizes
from nnlab.nn.mlp import Shape

Size = tuple[int, int]

USUAL, SMALLEST = 7, 2  # pixels of the coarsest level's shorter side: with `auto` at least USUAL if it can be, else SMALLEST


def level_sizes(shape: Shape, levels: int | None = None) -> list[Size]:
    """(H, W) of each level of an image (C, H, W), the coarsest first: 7×7, 14×14, 28×28; odd sides are rounded down.

    levels  how many; None: as many as leave a coarsest level of 7 pixels or more, but at least two

    Raises ArgumentError for a table, for an image with less than four pixels a side, and for too many levels.
    """
    sizes = spatial_sizes(shape, 0)
    while min(sizes[-1]) >= 2 * SMALLEST:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = shape[1:]
    if len(sizes) < 2:
        raise ArgumentError("levels", f"an image of {h}×{w} is too small for two levels; its sides need {2 * SMALLEST} pixels")
    if levels is None:
        levels = max(2, sum(min(size) >= USUAL for size in sizes))
    if levels > len(sizes):
        raise ArgumentError(
            "levels", f"{levels} levels halve {h}×{w} to less than {SMALLEST} pixels; give {len(sizes)} or fewer"
        )
    return sizes[levels - 1 :: -1]


def down(x: Tensor, size: Size) -> Tensor:
    """d: images (N, C, H, W) made smaller, (N, C, *size): a weighted mean around each pixel, so that nothing aliases.

    By half of an even side the weights are (1, 3, 3, 1)/8.
    """
    return interpolate(x, size, mode="bilinear", antialias=True)


def down_matrices(before: Size, after: Size) -> tuple[Tensor, Tensor]:
    """A (h, H) and B (w, W) with d(x) = A x B′. The gradient of these products is the same at each run on a GPU; that of
    torch's interpolation is not.
    """
    return tuple(down(torch.eye(full)[None, None], (small, full))[0, 0] for full, small in zip(before, after, strict=True))


def up(x: Tensor, size: Size) -> Tensor:
    """u: images (N, C, h, w) enlarged, (N, C, *size), by bilinear interpolation, which stays within the values' range."""
    return interpolate(x, size, mode="bilinear")


def images(x: Tensor, sizes: Sequence[Size]) -> list[Tensor]:
    """x_K, …, x_0 of images x_0 (N, C, H, W), for the sizes of `level_sizes`."""
    return list(accumulate(reversed(sizes[:-1]), down, initial=x))[::-1]


def taken_apart(x: Tensor, sizes: Sequence[Size]) -> list[Tensor]:
    """h_K, …, h_0 of images x_0 (N, C, H, W), for the sizes of `level_sizes`."""
    levels = images(x, sizes)
    return [levels[0], *(fine - up(coarse, fine.shape[2:]) for coarse, fine in pairwise(levels))]


def rebuilt(parts: Sequence[Tensor]) -> Tensor:
    """x_0 (N, C, H, W) of h_K, …, h_0; each residual says how large its level is."""
    x, *residuals = parts
    for residual in residuals:
        x = up(x, residual.shape[2:]) + residual
    return x
