"""A walk through a latent space as an animation."""

from __future__ import annotations

from torch import Tensor

from nnlab.latent.walk import TOGETHER
from nnlab.model import Decodes
from nnlab.plotting.images import grid
from nnlab.plotting.picture import Animation


def walk_film(model: Decodes, walks: Tensor) -> Animation:
    """An animation of walks (W, T, d) side by side: T frames, each with one image per walk."""
    together = max(1, TOGETHER // len(walks))
    decoded = (model.decode(part.flatten(0, 1)).unflatten(0, part.shape[:2]) for part in walks.transpose(0, 1).split(together))
    return Animation.of([grid(frame, model.spec) for part in decoded for frame in part], rest=False)
