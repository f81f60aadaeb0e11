"""A pool of past images, for discriminators."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Past samples, shown to a discriminator again (Shrivastava et al. 2017, "Learning from simulated … images …").

    It keeps `size` images. While it fills, each image goes in and comes out as it is. Then each new image is shown itself with
    probability ½; else a random old one is shown, and the new one takes its place. With size 0 every image is shown itself.

    The images are a buffer, so checkpoints have them; nothing depends on their values in Python, so a CUDA graph can hold it.
    """

    def __init__(self, size: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("images", torch.zeros(size, *shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """(N, *shape): for each image x the image to show. The pool changes."""
        size = len(self.images)
        if not size:
            return x
        u = torch.rand((2, len(x)), device=x.device, generator=generator)
        shown = []
        for image, keep, place in zip(x.detach(), u[0], u[1], strict=True):
            filling = self.count < size
            index = torch.where(filling, self.count, (place * size).long().clamp(max=size - 1))[None]
            old = self.images.index_select(0, index)[0]
            swaps = filling | (keep < 0.5)
            shown.append(torch.where(swaps & ~filling, old, image))
            self.images.index_copy_(0, index, torch.where(swaps, image, old)[None])
            self.count.add_(filling.long())
        return torch.stack(shown)
