"""Random changes of training images that keep the class. On the device, for a whole batch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput


class Augmentation(ABC):
    """Base of the augmentations; built from the data's spec and the keys of its YAML.

    identity  whether it leaves every value as it is
    """

    identity: ClassVar[bool] = False
    moves: bool = True
    """Whether what an image shows may be at another place afterwards."""
    mirrors: bool = False
    """Whether left may be right afterwards."""

    def __init__(self, spec: DataSpec) -> None:
        self.spec = spec

    @abstractmethod
    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(N, *shape) → the same shape, each example changed in its own way."""

    def together(self, images: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Images (N, …, H, W) of the same examples by name, all of one size: those of an example are changed by one draw."""
        widths = [len(x[0]) for x in images.values()]
        changed = self(torch.cat(list(images.values()), 1) if len(images) > 1 else next(iter(images.values())), generator)
        return dict(zip(images, changed.split(widths, 1), strict=True))


def resampled(x: Tensor, grid: Tensor) -> Tensor:
    """(N, C, H, W): images (N, C, h, w) at places (N, H, W, 2), bilinear; −1 … 1 are the edges of an image, x before y.

    A place beyond the centres of the outermost pixels shows the nearest of them. This is padding_mode="border", which some of
    the supported versions of torch do not have on Metal.
    """
    sides = zip(grid.unbind(-1), reversed(x.shape[2:]), strict=True)
    centred = torch.stack([place.clamp(1 / side - 1, 1 - 1 / side) for place, side in sides], -1)
    return functional.grid_sample(x, centred, align_corners=False)


def need_images(spec: DataSpec, what: str) -> None:
    """Raise BadInput for a table; `what` is the subject, as in "crops are"."""
    if spec.kind != "image":
        raise BadInput(f"augmentation: {what} for images, but {spec.name} is a table; leave it out")
