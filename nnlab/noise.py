"""Corruptions of the input: what a denoising model sees, while its target stays clean.

Each is called with a batch of clean values and a generator, on the device, and gives the corrupted values and a mask that
is true where it touched them, both of the batch's shape. "Pixel" means all channels of a place; in a table, one column.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor

from nnlab.config.constraints import AtLeast, Between
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput

Share = Annotated[float, Between(0, 1)]


class Noise(ABC):
    """Base of the corruptions; built from the data's spec, whose `low` and `high` are the values that occur.

    loses  whether the input holds nothing more of a value where the mask is true
    """

    loses: ClassVar[bool] = False

    def __init__(self, spec: DataSpec) -> None:
        self.spec = spec
        self.low, self.high = spec.low, spec.high

    @abstractmethod
    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | None]: ...

    def _pixels(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(N, 1, H, W) or (N, D): a number from [0, 1) for each pixel."""
        shape = (len(x), 1, *x.shape[2:]) if x.ndim == 4 else x.shape
        return torch.rand(shape, device=x.device, generator=generator)


class NoNoise(Noise):
    """The input as it is; the mask is None."""

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, None]:
        return x, None


class Gaussian(Noise):
    """x + ε, ε ~ N(0, σ²) with σ = std · (high − low); not clamped, so that its variance is what it says."""

    def __init__(self, spec: DataSpec, *, std: Annotated[float, AtLeast(0)] = 0.3) -> None:
        super().__init__(spec)
        self.std = std

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        noise = torch.randn(x.shape, device=x.device, generator=generator)
        sigma = self.std * (self.high - self.low)
        return x.add(noise, alpha=sigma), torch.full_like(x, self.std > 0, dtype=torch.bool)


class SaltPepper(Noise):
    """Each pixel with probability `amount` becomes `low` or `high`, one as likely as the other."""

    def __init__(self, spec: DataSpec, *, amount: Share = 0.2) -> None:
        super().__init__(spec)
        self.amount = amount

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        u = self._pixels(x, generator)
        mask = (u < self.amount).expand_as(x)
        extreme = torch.where(u < self.amount / 2, self.low, self.high).to(x.dtype)
        return torch.where(mask, extreme, x), mask


class Masking(Noise):
    """Each pixel with probability `amount` becomes `low` (Vincent et al. 2010, "Stacked denoising autoencoders")."""

    loses = True

    def __init__(self, spec: DataSpec, *, amount: Share = 0.5) -> None:
        super().__init__(spec)
        self.amount = amount

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        mask = (self._pixels(x, generator) < self.amount).expand_as(x)
        return x.masked_fill(mask, self.low), mask


class Rectangles(Noise):
    """Base of the corruptions of rectangles, which need images."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__(spec)
        if spec.kind != "image":
            raise BadInput(
                f"noise: rectangles of an image, but {spec.name} is a table of {spec.features} columns; "
                "use gaussian, masking or salt_pepper"
            )

    def _pixels_of(self, share: float, side: int, key: str) -> int:
        """How many pixels a share of a side is. Raises BadInput for a share above 0 that rounds to none."""
        pixels = round(share * side)
        if share > 0 and pixels == 0:
            least = 0.5 / side
            raise BadInput(
                f"{key}: {share:g} of {side} pixels is none, so nothing would be lost; "
                f"give more than {least:.2g}, or noise=none"
            )
        return pixels

    def _inside(self, top: Tensor, left: Tensor, height: Tensor, width: Tensor) -> Tensor:
        """(N, 1, H, W) bool: the pixels of a rectangle an image, whose corner and sides are (N,) each."""
        _, h, w = self.spec.shape
        rows = torch.arange(h, device=top.device)[None, :, None] - top[:, None, None]
        columns = torch.arange(w, device=top.device)[None, None, :] - left[:, None, None]
        inside = (rows >= 0) & (rows < height[:, None, None]) & (columns >= 0) & (columns < width[:, None, None])
        return inside[:, None]


class Darkening(Rectangles):
    """`rectangles` random rectangles an image, sides up to `size` of the image's, in which x ← low + factor·(x − low)."""

    def __init__(
        self,
        spec: DataSpec,
        *,
        rectangles: Annotated[int, AtLeast(1)] = 2,
        size: Share = 0.4,
        factor: Share = 0.3,
    ) -> None:
        super().__init__(spec)
        self.rectangles, self.size, self.factor = rectangles, size, factor

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        _, h, w = self.spec.shape
        mask = torch.zeros((len(x), 1, h, w), dtype=torch.bool, device=x.device)
        for _ in range(self.rectangles):
            u = torch.rand((4, len(x)), device=x.device, generator=generator)
            height = (u[0] * max(1, round(self.size * h))).floor() + 1
            width = (u[1] * max(1, round(self.size * w))).floor() + 1
            mask |= self._inside((u[2] * (h - height + 1)).floor(), (u[3] * (w - width + 1)).floor(), height, width)
        mask = mask.expand_as(x)
        return torch.where(mask, self.low + self.factor * (x - self.low), x), mask


class Hole(Rectangles):
    """One rectangle, with sides of `size` of the image's, set to `low`: what a model for inpainting has to fill."""

    loses = True

    def __init__(self, spec: DataSpec, *, size: Share = 0.4, position: Literal["random", "center"] = "random") -> None:
        super().__init__(spec)
        self.size, self.position = size, position
        self.sides = [self._pixels_of(size, side, "noise.size") for side in spec.shape[1:]]

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        n, (_, h, w) = len(x), self.spec.shape
        height, width = (torch.full((n,), side, device=x.device) for side in self.sides)
        if self.position == "center":
            u = torch.full((2, n), 0.5, device=x.device)
        else:
            u = torch.rand((2, n), device=x.device, generator=generator)
        top, left = (u[0] * (h - height + 1)).floor(), (u[1] * (w - width + 1)).floor()
        mask = self._inside(top, left, height, width).expand_as(x)
        return x.masked_fill(mask, self.low), mask


class Cut(Rectangles):
    """A part of the image from one side on, set to `low`: what an associative memory completes.

    amount  the share of the image that is lost
    """

    loses = True

    def __init__(
        self, spec: DataSpec, *, amount: Share = 0.5, side: Literal["bottom", "top", "left", "right"] = "bottom"
    ) -> None:
        super().__init__(spec)
        self.amount, self.side = amount, side
        _, h, w = spec.shape
        self.lines = self._pixels_of(amount, h if side in ("top", "bottom") else w, "noise.amount")

    def __call__(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        lost = torch.zeros(self.spec.shape[1:], dtype=torch.bool, device=x.device)
        along = lost if self.side in ("top", "bottom") else lost.T
        along[: self.lines] = True
        mask = (lost if self.side in ("top", "left") else lost.flip(0, 1)).expand_as(x)
        return x.masked_fill(mask, self.low), mask
