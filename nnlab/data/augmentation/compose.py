"""Several augmentations, one after another."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from nnlab.config.build import build
from nnlab.data.augmentation.base import Augmentation
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput


class Compose(Augmentation):
    """Several augmentations in this order, whatever the order of their names: affine, crop, colour, blur, cutout."""

    def __init__(
        self,
        spec: DataSpec,
        *,
        affine: Mapping | None = None,
        crop: Mapping | None = None,
        colour: Mapping | None = None,
        blur: Mapping | None = None,
        cutout: Mapping | None = None,
    ) -> None:
        super().__init__(spec)
        nodes = {"affine": affine, "crop": crop, "colour": colour, "blur": blur, "cutout": cutout}
        self.steps = [build(node, Augmentation, spec, place=f"augmentation.{name}") for name, node in nodes.items() if node]
        if not self.steps:
            raise BadInput("augmentation: composed of nothing; give some, as in augmentation=[crop,colour], or leave it out")
        self.moves = any(step.moves for step in self.steps)
        self.mirrors = any(step.mirrors for step in self.steps)

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        for step in self.steps:
            x = step(x, generator)
        return x

    def together(self, images: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        images = dict(images)
        for step in self.steps:
            images = step.together(images, generator)
        return images
