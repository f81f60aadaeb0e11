"""The ink of gray images on black: its bounds, the points that say how it lies, and a copy of it in another size."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 2**24  # weights of a resampling that are in memory together: 128 MiB
TIE = 1e-6  # lifts a level halfway between two, so that rounding does not depend on the machine's order of a sum


def bounds(x: Tensor, least: int = 1) -> Tensor:
    """(N, H, W) uint8 → (N, 4) int64: left, top, width, height of the pixels of `least` or more; zeros where there are none."""
    ink = x >= least
    sides = [start_and_length(ink.any(dim)) for dim in (1, 2)]  # of the columns, of the rows
    (left, width), (top, height) = sides
    return torch.stack([left, top, width, height], 1)


def start_and_length(marked: Tensor) -> tuple[Tensor, Tensor]:
    """(N, S) bool → (N,), (N,): the first marked place, and how many places there are from it to the last."""
    any_marked, byte = marked.any(1), marked.byte()
    first, behind = byte.argmax(1), byte.flip(1).argmax(1)  # argmax is the first of several largest
    return first * any_marked, (marked.shape[1] - behind - first) * any_marked


def keypoints(x: Tensor) -> Tensor:
    """(N, H, W) gray levels → (N, 3, 2) float32, x and y in pixels: the centre of the ink, and both ends of its principal axis.

    The centre is the mean place, where each pixel's centre counts by its level. An end is √3 standard deviations of the ink
    along the axis away from it, as the end of a straight bar is, cut off at the border of the image. The upper end comes first,
    of two of one height the left one. (0, 0) is the left upper corner of the image. Without ink all points are (−1, −1).
    """
    level = x.double()
    total = level.sum((1, 2))
    share = level / total.clamp(min=1)[:, None, None]
    height, width = x.shape[1:]
    across, down = torch.arange(width, device=x.device) + 0.5, torch.arange(height, device=x.device) + 0.5
    per_column, per_row = share.sum(1), share.sum(2)
    centre = torch.stack([(per_column * across).sum(1), (per_row * down).sum(1)], 1)
    dx, dy = across - centre[:, :1], down - centre[:, 1:]
    xx, yy = (per_column * dx**2).sum(1), (per_row * dy**2).sum(1)
    xy = torch.einsum("nhw,nh,nw->n", share, dy, dx)
    spread = (((xx - yy) / 2) ** 2 + xy**2).sqrt()
    deviation = ((xx + yy) / 2 + spread).clamp(min=0).sqrt()  # √ of the larger eigenvalue of the covariance
    angle = torch.atan2(2 * xy, xx - yy) / 2  # within ±90°
    axis = (
        torch.stack([angle.cos(), angle.sin()], 1) * torch.where(angle >= 0, -1.0, 1.0)[:, None]
    )  # upwards: y grows downwards
    way = axis * (3**0.5 * deviation)[:, None]
    points = torch.stack([centre, centre + way, centre - way], 1)
    points = points.clamp(min=0).minimum(torch.tensor([width, height], dtype=points.dtype, device=x.device))
    return torch.where(total[:, None, None] > 0, points, -1.0).float()


def redrawn(x: Tensor, crop: Tensor, box: Tensor, side: int) -> Tensor:
    """Images (N, H, W) uint8 → (N, side, side) uint8: what lies in `crop` of each, resampled into `box` of a black canvas.

    crop, box  (N, 4) left, top, width, height in pixels
    Bilinear; of a part that becomes smaller each pixel is a weighted mean of all that it covers, as Pillow's is.
    """
    parts = []
    step = max(1, CHUNK // (side * sum(x.shape[1:])))
    for images, from_, to in zip(x.split(step), crop.split(step), box.split(step), strict=True):
        across = weights(images.shape[2], from_[:, 0], from_[:, 2], to[:, 0], to[:, 2], side)
        down = weights(images.shape[1], from_[:, 1], from_[:, 3], to[:, 1], to[:, 3], side)
        parts.append((down @ images.double() @ across.mT + (0.5 + TIE)).floor().to(torch.uint8))
    return torch.cat(parts)


def weights(pixels: int, start: Tensor, length: Tensor, at: Tensor, becomes: Tensor, side: int) -> Tensor:
    """(N, side, pixels) float64: how much of each pixel of an image's line is in each pixel of a canvas's line.

    start, length  (N,) the part of the image's line that is copied; at, becomes  (N,) where it begins there, and its new length
    """
    start, length, at, becomes = (each.double()[:, None, None] for each in (start, length, at, becomes))
    target, source = torch.arange(side)[None, :, None], torch.arange(pixels)[None, None, :]
    scale = length / becomes
    centre = start + (target - at + 0.5) * scale
    near = (1 - (source + 0.5 - centre).abs() / scale.clamp(min=1)).clamp(min=0)
    near = near * ((target >= at) & (target < at + becomes) & (source >= start) & (source < start + length))
    return near / near.sum(2, keepdim=True).clamp(min=1e-12)
