"""Plans of scenes: which images stand where on which canvas, in which colour; and their drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from nnlab.data.ink import bounds, keypoints, redrawn
from nnlab.data.source import FileArray, extremes
from nnlab.errors import BadInput

ROUNDS = 30  # of pairing anew the images of those scenes that may not be shown in training
LUMA = (0.299, 0.587, 0.114)


@dataclass
class Plan:
    """What is drawn, of one split: N scenes of D objects each.

    gray     (M, H, W) uint8 the images; crop  (M, 4) the bounds of the ink in each
    rows     (N, D) which image each object is
    box      (N, D, 4) left, top, width, height on the canvas
    colour   (N, D, C) of each object, 0 … 255
    labels   (N,) int64 each, by the names of the parts
    """

    gray: Tensor
    crop: Tensor
    rows: Tensor
    box: Tensor
    colour: Tensor
    labels: dict[str, Tensor]

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def joined(cls, plans: Sequence[Plan]) -> Plan:
        """Several plans with scenes of the same images, one after the other."""
        first = plans[0]
        rows, box, colour = (torch.cat([getattr(plan, name) for plan in plans]) for name in ("rows", "box", "colour"))
        labels = {name: torch.cat([plan.labels[name] for plan in plans]) for name in first.labels}
        return cls(first.gray, first.crop, rows, box, colour, labels)


def gray_levels(x: Tensor | FileArray, scale: float, name: str) -> Tensor:
    """Images (M, C, H, W) of any type → (M, H, W) uint8 gray levels. Raises BadInput unless their values are within [0, 1]."""
    x = x.read(slice(None)) if isinstance(x, FileArray) else x
    low, high = (value * scale for value in extremes(x))
    if low < 0 or high > 1 + 1e-6:
        raise BadInput(f"data.of: scenes need images within [0, 1], {name} has values {low:g} … {high:g}")
    if x.dtype == torch.uint8 and x.shape[1] == 1 and scale == 1 / 255:
        return x[:, 0]
    levels = torch.empty(len(x), *x.shape[2:], dtype=torch.uint8)
    luma = torch.tensor(LUMA if x.shape[1] == 3 else [1.0], dtype=torch.float64)
    for part, into in zip(x.split(4096), levels.split(4096), strict=True):
        gray = (part.double() * luma[:, None, None]).sum(1) * (scale * 255)
        into.copy_((gray + (0.5 + 1e-6)).floor().clamp(max=255))
    return levels


def grouped(able: Tensor, objects: int, y: Tensor, held: Tensor, draw: torch.Generator) -> Tensor:
    """(N, objects) rows of images, each image once, whose first two classes are no pair of `held` (C, C).

    The images of a group that is such a pair are grouped anew; the few that remain at last are in no scene.
    """
    found, left = [able[:0].view(0, objects)], able
    for _ in range(ROUNDS):
        if len(left) < objects:
            break
        left = left[torch.randperm(len(left), generator=draw)]
        whole = left[: len(left) // objects * objects].view(-1, objects)
        refused = held[y[whole[:, 0]], y[whole[:, min(1, objects - 1)]]]
        found.append(whole[~refused])
        left = torch.cat([whole[refused].flatten(), left[whole.numel() :]])
    return torch.cat(found)


def drawn(plan: Plan, side: int) -> dict[str, Tensor]:
    """The canvases (N, C, S, S) uint8 of a plan as `target`, the `box` (N, D, 4) and the `keypoints` (N, D, 3, 2) float32."""
    n, d, channels = plan.colour.shape
    x = torch.zeros(n, channels, side, side, dtype=torch.uint8)
    box, points = torch.empty(n, d, 4), torch.empty(n, d, 3, 2)
    step = 4096
    for start in range(0, n, step):
        part = slice(start, start + step)
        for i in range(d):
            rows = plan.rows[part, i]
            gray = redrawn(plan.gray[rows], plan.crop[rows], plan.box[part, i], side)
            box[part, i], points[part, i] = bounds(gray).float(), keypoints(gray)
            x[part] += ((gray[:, None].int() * plan.colour[part, i, :, None, None].int() + 127) // 255).to(torch.uint8)
    return {"target": x, "box": box, "keypoints": points}
