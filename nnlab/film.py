"""Pictures of a model as it learns, one after the other: an animated PNG that shows how it came to be what it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nnlab.model import Model
from nnlab.pictures import Film, tiled

MOST = 48  # pictures; where there are more, every second is left out


class Footage:
    """What a model was each time one looked; the film is drawn from that, so that a resumed run goes on with the same.

    draw  the model as it is → a picture (H, W, 3), always of one size
    For small models alone: every look keeps their whole state.
    """

    def __init__(self, model: Model, draw: Callable[[], np.ndarray]) -> None:
        self.model, self.draw = model, draw
        self.looks: list[dict[str, Tensor]] = []
        self.frames: list[np.ndarray] = []

    def note(self) -> None:
        """Keep what the model is now, to be drawn at the next look."""
        self.looks.append(self._now())

    def look(self) -> Film:
        """Keep what the model is now, and return the film so far."""
        now = self._now()
        for look in self.looks[len(self.frames) :]:  # of a run that was resumed
            self.model.load_state_dict(look)
            self.frames.append(self.draw())
        self.model.load_state_dict(now)
        self.looks.append(now)
        self.frames.append(self.draw())
        if len(self.looks) > MOST:
            del self.looks[1::2], self.frames[1::2]
        return Film.of(self.frames)

    def _now(self) -> dict[str, Tensor]:
        return {name: value.clone() for name, value in self.model.state_dict().items()}

    def state(self) -> list[dict[str, Tensor]]:
        return list(self.looks)

    def restore(self, looks: list[dict[str, Tensor]]) -> None:
        self.looks, self.frames = list(looks), []


class Reel:
    """The same images each time one looked, as they were then: a film of a model whose own states are too large to keep."""

    def __init__(self) -> None:
        self.looks: list[Tensor] = []

    def look(self, pixels: np.ndarray) -> None:
        """Keep (N, H, W, 3) uint8."""
        gray = (pixels == pixels[..., :1]).all()
        self.looks.append(torch.from_numpy(np.ascontiguousarray(pixels[..., :1] if gray else pixels)))
        if len(self.looks) > MOST:
            del self.looks[1::2]

    def film(self) -> Film:
        return Film.of([tiled(np.broadcast_to(look.numpy(), (*look.shape[:3], 3))) for look in self.looks])

    def state(self) -> list[Tensor]:
        return list(self.looks)

    def restore(self, looks: list[Tensor]) -> None:
        self.looks = list(looks)
