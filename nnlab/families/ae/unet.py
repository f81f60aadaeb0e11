"""The U-Net, which restores corrupted images without a code."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from nnlab.config.constraints import NonEmpty
from nnlab.data.spec import Batch, DataSpec, Part
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.metrics.colour import colour_metrics
from nnlab.model import Metric, Model, one_direction
from nnlab.model.data_init import set_output_mean
from nnlab.nn.mlp import Activation, Width
from nnlab.nn.resize import enlarged_likewise
from nnlab.nn.unet import UNetBackbone


class UNet(Model):
    """Cleans a corrupted image, with skip connections (Ronneberger et al. 2015, "U-Net: …"; Mao et al. 2016).

    x̂ = σ(u(x̃))          (without σ if the data are not within [0, 1])
    loss = Σ (x̂ − x)², the squared error summed over the image, where x is clean and x̃ is x with the noise

    u  a convolutional encoder and decoder. Each level of the encoder also passes its output to the same level of the decoder,
       so that detail is kept; there is no code.

    A smaller x̃ is first enlarged (bicubic), and x̃ may have fewer channels than x: so it enlarges and colours images.

    u gives the image itself, not a correction of x̃: with σ a black background is exactly black, which gains a decibel.

    channels  of the levels; the first has the image's size, each next level half the side
    """

    trainer = "nnlab.families.ae.trainer:RestorationTrainer"
    distributes = True
    resizes = True

    def __init__(
        self,
        spec: DataSpec,
        *,
        channels: Annotated[list[Width], NonEmpty()] = (32, 64, 128),
        activation: Activation = "relu",
    ) -> None:
        super().__init__(spec)
        self.network = UNetBackbone((spec.input.shape[0], *spec.shape[1:]), channels, activation, outputs=spec.shape[0])

    def init_from_data(self, split: Split) -> None:
        squashes = self.spec.in_unit_interval
        set_output_mean(self.network.last, split, lambda mean: mean.clamp(0.01, 0.99).logit() if squashes else mean)

    def reconstruct(self, x: Tensor) -> Tensor:
        """x̂ = σ(u(x)), (N, *shape); without σ if the data are not within [0, 1]."""
        return self.translate(self.check(x))

    def directions(self) -> dict[str, tuple[Part, Part]]:
        """One direction: from the input to the target."""
        return one_direction(self.spec)

    def translate(self, x: Tensor, to: str = "target") -> Tensor:
        """x̂ = σ(u(x)) (N, C', H', W') of images (N, C, H, W), enlarged as much as those of the training.

        Raises BadInput if an image is so small that the levels halve it to nothing.
        """
        small, large = self.spec.input.shape, self.spec.shape
        given, least = enlarged_likewise(x, small, large), 2 ** len(self.network.up)
        if min(given.shape[2:]) < least:
            needed = "×".join(str(-(-least * before // after)) for before, after in zip(small[1:], large[1:], strict=True))
            got = "×".join(map(str, x.shape[2:]))
            raise BadInput(f"{got} pixels, but this {type(self).__name__} takes images of at least {needed}")
        output = self.network(given).float()
        return output.sigmoid() if self.spec.in_unit_interval else output

    def metrics(self) -> list[Metric]:
        return colour_metrics(self)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": (self.reconstruct(batch.input) - batch.target).square().flatten(1).sum(1)}
