"""Boxes and points in images: what lies in a box, cut out; a map put into a box; small bumps at points.

A box is left, top, width, height, and a point is x, y, as shares of the image's width and height: (0, 0) is the left upper
corner of the first pixel, (1, 1) the right lower corner of the last one. The centre of pixel i of n is at (i + ½)/n, as of
torch's `grid_sample` with align_corners=False.

Both `crop` and `paste` are spatial transformers (Jaderberg et al. 2015) whose transform is a shift and a scale of each axis, so
that each is a product with one matrix for the rows and one for the columns. This is as bilinear as `grid_sample`, and it also
has second derivatives, is deterministic on a GPU, and takes the mean of pixels that it makes smaller.
"""

from __future__ import annotations

import torch
from torch import Tensor

EMPTY = 1e-6  # least length of a box's side, so that nothing is divided by zero


def relative(places: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Boxes (…, 4) or points (…, 2) in pixels of images (…, H, W) → as shares of their width and height."""
    height, width = shape[-2:]
    return torch.stack([part / (height if i % 2 else width) for i, part in enumerate(places.unbind(-1))], -1)


def crop(x: Tensor, box: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, H, W) → (N, C, *size): what lies in the box (N, 4) of each image, resampled."""
    left, top, width, height = box[:, :, None].unbind(1)
    down = near(top + centres(size[0], x) * height, x.shape[2], height * x.shape[2] / size[0])
    across = near(left + centres(size[1], x) * width, x.shape[3], width * x.shape[3] / size[1])
    return down[:, None] @ x @ across[:, None].mT


def paste(x: Tensor, box: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, C, h, w) → (N, C, *size): the whole of each map, resampled into its box (N, 4), and zeros around it.

    The inverse of `crop`: of a box whose sides are h and w pixels `crop` gives x back. A cell that the box covers in part has
    that part of the value.
    """
    left, top, width, height = box[:, :, None].clamp(min=0).unbind(1)
    down = within(top, height, x.shape[2], size[0], x)
    across = within(left, width, x.shape[3], size[1], x)
    return down[:, None] @ x @ across[:, None].mT


def covered(box: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, 1, *size): the share of each cell that the box (N, 4) covers."""
    left, top, width, height = box[:, :, None].unbind(1)
    return (overlap(top, height, size[0])[:, :, None] * overlap(left, width, size[1])[:, None])[:, None]


def bumps(points: Tensor, size: tuple[int, int], deviation: float) -> Tensor:
    """(N, P, *size): a plane for each of the points (N, P, 2), exp(−d²/2σ²) at the distance d; zeros for a missing point.

    deviation  σ, as d a share of the sides. A point is missing if x or y is negative.
    """
    x, y = points[..., None].unbind(2)
    across, down = (torch.exp(-0.5 * ((centres(n, at) - at) / deviation).square()) for at, n in ((x, size[1]), (y, size[0])))
    return down[..., None] * across[:, :, None] * present(points)[..., None, None]


def at_points(x: Tensor, points: Tensor) -> Tensor:
    """(N, C, H, W) → (N, P, C): the maps at the points (N, P, 2), bilinear; zeros for a missing point."""
    across, down = (near(points[..., i], x.shape[3 - i], torch.ones_like(points[:, :1, i])) for i in (0, 1))
    return torch.einsum("nph,nchw,npw->npc", down, x, across) * present(points)[..., None]


def present(points: Tensor) -> Tensor:
    """(N, P) of points (N, P, 2): 1, or 0 for a missing one."""
    return (points >= 0).all(-1).to(points.dtype)


def centres(n: int, like: Tensor) -> Tensor:
    """(n,) the centres of n cells, as shares of the whole."""
    return (torch.arange(n, device=like.device) + 0.5) / n


def near(places: Tensor, cells: int, scale: Tensor) -> Tensor:
    """(N, S, cells): the weights of the cells of a line at places (N, S), shares of it; their sum is 1.

    scale  (N, 1) the distance of neighbouring places in cells; if it is above 1, all cells around a place have a part
    """
    distance = places.clamp(0, 1)[..., None] * cells - (torch.arange(cells, device=places.device) + 0.5)
    weights = (1 - distance.abs() / scale.clamp(min=1)[..., None]).clamp(min=0)
    return weights / weights.sum(-1, keepdim=True)


def within(start: Tensor, length: Tensor, cells: int, n: int, like: Tensor) -> Tensor:
    """(N, n, cells): the weights of a line's cells in each cell of another line, where the line lies from `start` on.

    start, length  (N, 1) as shares of the other line
    """
    length = length.clamp(min=EMPTY)
    return near((centres(n, like) - start) / length, cells, cells / (length * n)) * overlap(start, length, n)[..., None]


def overlap(start: Tensor, length: Tensor, n: int) -> Tensor:
    """(N, n): the share of each of n cells of a line that lies within `length` from `start` on, (N, 1) shares of the line."""
    first = torch.arange(n, device=start.device)
    return ((start + length) * n).minimum(first + 1).sub((start * n).maximum(first)).clamp(min=0)
