"""The base of the games that make a target image of an input image."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec, Part
from nnlab.errors import ArgumentError
from nnlab.families.gan.base import Adversarial, Play
from nnlab.metrics.colour import colour_metrics
from nnlab.model import Metric, one_direction


class Translation(Adversarial):
    """Base of the games from an input x to a target y: the generator makes ŷ = G(x), which takes the place of a sample.

    Reconstructions, translations and metrics use the running average of the generator's weights.
    """

    needs: ClassVar[tuple[str, ...]] = ("input",)
    resizes = True

    def given(self, x: Tensor) -> Tensor:
        """What the networks see of inputs (N, C, H, W); by default the inputs themselves."""
        return x

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        given = self.given(self.check(batch.input))
        fake = self.generator(given)
        return Play(real=(batch.target, given), fake=(fake, given), kept={"fake": fake, "target": batch.target})

    def reconstruct(self, x: Tensor) -> Tensor:
        """ŷ, (N, *shape), of inputs x, by the averages."""
        return self.averaged["generator"](self.given(self.check(x)))

    def directions(self) -> dict[str, tuple[Part, Part]]:
        """Its only direction: from inputs to targets."""
        return one_direction(self.spec)

    def translate(self, x: Tensor, to: str = "target") -> Tensor:
        """ŷ of inputs (N, C, H, W) of any size that the generator takes. Raises BadInput for a smaller one."""
        given = self.given(x)
        self.averaged["generator"].check_size(given.shape[1:])
        return self.averaged["generator"](given)

    def metrics(self) -> list[Metric]:
        return colour_metrics(self)


def absolute_error(output: Tensor, target: Tensor, spec: DataSpec | Part) -> Tensor:
    """(N,) the mean of |ŷ − y| of each example (N, *shape), of values scaled to −1 … 1, as the papers scale images."""
    return (output - target).abs().flatten(1).mean(1) * (2 / spec.value_range)


def require_images(spec: DataSpec) -> None:
    """Raise ArgumentError unless input and target are images."""
    if (spec.kind, spec.input.kind) != ("image", "image"):
        raise ArgumentError("", f"it makes images of images, but {spec.name} is a table; use data of images")
