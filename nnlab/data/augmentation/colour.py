"""Random changes of brightness, contrast and colours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, NamedTuple

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast, Between
from nnlab.data.augmentation.base import Augmentation, need_images
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput

Probability = Annotated[float, Between(0, 1)]
LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601
# Y, I and Q of red, green and blue (NTSC): brightness, and two coordinates of colour, whose angle is the hue
YIQ = (LUMA, (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))


class Draws(NamedTuple):
    """What was drawn for N images.

    brightness, contrast  (N,) factors
    colour  (N, 3, 3) of red, green and blue
    """

    brightness: Tensor
    contrast: Tensor
    colour: Tensor


class Colour(Augmentation):
    """Brightness, contrast, saturation and hue of each image are changed at random (Chen et al. 2020, appendix A).

    x ← b x;   x ← m + c (x − m), m the mean brightness of the image;   of colour images also
    I, Q ← s R(2π h) (I, Q), the colours turned and made paler or stronger in YIQ; for some images s = 0: they become gray

    with b, c and s drawn evenly within 1 ± brightness, contrast, saturation, and h within ± hue. Values beyond the range are
    clipped. Of gray images only brightness and contrast change. torchvision's ColorJitter draws once per batch; here each
    image has its own numbers.

    brightness, contrast, saturation  0: unchanged
    hue          share of a whole turn; 0.5 is every hue
    gray         probability that an image becomes gray
    probability  that an image is changed in brightness, contrast, saturation and hue at all
    """

    moves = False

    def __init__(
        self,
        spec: DataSpec,
        *,
        brightness: Annotated[float, AtLeast(0)] = 0.4,
        contrast: Annotated[float, AtLeast(0)] = 0.4,
        saturation: Annotated[float, AtLeast(0)] = 0.4,
        hue: Annotated[float, Between(0, 0.5)] = 0.1,
        gray: Probability = 0.2,
        probability: Probability = 0.8,
    ) -> None:
        super().__init__(spec)
        need_images(spec, "colours are")
        if not spec.bounded:
            raise BadInput(
                f"augmentation: {spec.name} has no brightness, since its values have no bounds; leave it out, or use crop"
            )
        coloured = (saturation * probability, hue * probability, gray) if spec.shape[0] == 3 else ()
        if not any((brightness * probability, contrast * probability, *coloured)):
            raise BadInput(f"augmentation: its settings change nothing of the images of {spec.name}; leave it out")
        self.brightness, self.contrast, self.saturation = brightness, contrast, saturation
        self.hue, self.gray, self.probability = hue, gray, probability
        yiq = torch.tensor(YIQ, dtype=torch.float64)
        turns = torch.zeros(3, 3, 3, dtype=torch.float64)  # what keeps Y; what keeps I and Q; what turns them by a right angle
        turns[0, 0, 0] = turns[1, 1, 1] = turns[1, 2, 2] = turns[2, 2, 1] = 1
        turns[2, 1, 2] = -1
        luma = LUMA if spec.shape[0] == 3 else [1 / spec.shape[0]] * spec.shape[0]
        self.constants = {torch.device("cpu"): ((yiq.inverse() @ turns @ yiq).float(), torch.tensor(luma))}

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """(3, 3, 3) the parts of a change of colours, and (C,) the share of each channel in the brightness, on a device.

        They are copied once, before a CUDA graph is captured.
        """
        if device not in self.constants:
            self.constants[device] = tuple(x.to(device) for x in self.constants[torch.device("cpu")])
        return self.constants[device]

    def __call__(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return self.changed(x, self.draws(len(x), x.device, generator))

    def together(self, images: Mapping[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        first = next(iter(images.values()))
        draws = self.draws(len(first), first.device, generator)
        return {name: self.changed(x, draws) for name, x in images.items()}

    def draws(self, n: int, device: torch.device, generator: torch.Generator) -> Draws:
        """New numbers for n images."""
        u = 2 * torch.rand((n, 4), device=device, generator=generator) - 1
        v = torch.rand((n, 2), device=device, generator=generator)
        u = u * (v[:, :1] < self.probability)
        strength = torch.where(v[:, 1] < self.gray, 0.0, (1 + self.saturation * u[:, 2]).clamp(min=0))
        angle = 2 * math.pi * self.hue * u[:, 3]
        shares = torch.stack([torch.ones_like(angle), strength * angle.cos(), strength * angle.sin()], 1)
        colour = torch.einsum("nk,kij->nij", shares, self.on(device)[0])
        brightness, contrast = ((1 + size * u[:, i]).clamp(min=0) for i, size in enumerate((self.brightness, self.contrast)))
        return Draws(brightness, contrast, colour)

    def changed(self, x: Tensor, draws: Draws) -> Tensor:
        """Images (N, C, H, W), changed by what was drawn."""
        low, high = self.spec.low, self.spec.high
        level = (x - low) / (high - low) * draws.brightness[:, None, None, None]
        level = level.clamp(0, 1)
        luma = self.on(x.device)[1] if x.shape[1] == self.spec.shape[0] else None  # an input may have other channels
        light = level.mean(1) if luma is None else torch.einsum("nchw,c->nhw", level, luma)
        mean = light.mean((1, 2))[:, None, None, None]
        level = (mean + draws.contrast[:, None, None, None] * (level - mean)).clamp(0, 1)
        if x.shape[1] == 3:
            level = torch.einsum("ndc,nchw->ndhw", draws.colour, level).clamp(0, 1)
        return low + (high - low) * level
