"""Pictures of a model as it learns, one after the other: an animated PNG of its training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nnlab.model import Model
from nnlab.plotting.images import tiled
from nnlab.plotting.picture import Animation

EPOCH = "look/epoch"  # name of the epoch next to a model's state
MOST = 48  # largest number of frames; if there are more, every second is removed


class ModelHistory:
    """The states of a model during training; the animation is drawn from them, also in a resumed run.

    draw   the current model → a picture (H, W, 3), always of the same size
    epoch  the epoch of a frame, written above it
    Only for small models: each frame keeps the whole state.
    """

    def __init__(self, model: Model, draw: Callable[[], np.ndarray], epoch: Callable[[], float]) -> None:
        self.model, self.draw, self.epoch = model, draw, epoch
        self.looks: list[dict[str, Tensor]] = []
        self.frames: list[np.ndarray] = []

    def note(self) -> None:
        """Keep the current model, for the next call of `look`."""
        self.looks.append(self._now())

    def look(self) -> Animation:
        """Keep the current model, and return the animation so far."""
        now = self._now()
        for look in self.looks[len(self.frames) :]:  # of a run that was resumed
            self.model.load_state_dict({name: value for name, value in look.items() if name != EPOCH})
            self.frames.append(np.array(self.draw()))
        self.model.load_state_dict({name: value for name, value in now.items() if name != EPOCH})
        self.looks.append(now)
        self.frames.append(np.array(self.draw()))
        if len(self.looks) > MOST:
            del self.looks[1::2], self.frames[1::2]
        # a run of an older version did not keep the epochs
        epochs = [float(look[EPOCH]) if EPOCH in look else None for look in self.looks]
        return Animation.of(self.frames, captions=["" if epoch is None else f"epoch {epoch:.4g}" for epoch in epochs])

    def _now(self) -> dict[str, Tensor]:
        now = {name: value.clone() for name, value in self.model.state_dict().items()}
        return {**now, EPOCH: torch.tensor(self.epoch())}

    def state(self) -> list[dict[str, Tensor]]:
        """The kept models, for a checkpoint; frames are drawn again from them."""
        return list(self.looks)

    def restore(self, looks: list[dict[str, Tensor]]) -> None:
        """Take up the looks that `state` returned."""
        self.looks, self.frames = list(looks), []


class ImageHistory:
    """The same images during training: an animation of a model whose states are too large to keep."""

    def __init__(self) -> None:
        self.looks: list[Tensor] = []
        self.epochs: list[float] = []

    def look(self, pixels: np.ndarray, epoch: float) -> None:
        """Keep (N, H, W, 3) uint8, and the epoch that they are of."""
        gray = (pixels == pixels[..., :1]).all()
        self.looks.append(torch.from_numpy(np.ascontiguousarray(pixels[..., :1] if gray else pixels)))
        self.epochs.append(epoch)
        if len(self.looks) > MOST:
            del self.looks[1::2], self.epochs[1::2]

    def film(self) -> Animation:
        """The images of all looks as an animation, with the epoch above each where it is known."""
        frames = [tiled(np.broadcast_to(look.numpy(), (*look.shape[:3], 3))) for look in self.looks]
        return Animation.of(frames, captions=[f"epoch {epoch:.4g}" if epoch >= 0 else "" for epoch in self.epochs])

    def state(self) -> list[Tensor]:
        """The images (N, H, W, 1 or 3) of each look, and as the last tensor the epochs of the looks (float64)."""
        return [*self.looks, torch.tensor(self.epochs, dtype=torch.float64)]

    def restore(self, looks: list[Tensor]) -> None:
        """Take up what `state` returned; an older version's list has no epochs."""
        *looks, epochs = [*looks] if looks and looks[-1].ndim == 1 else [*looks, torch.full((len(looks),), -1.0)]
        self.looks, self.epochs = list(looks), epochs.tolist()  # of an older version, without its epochs
