"""The turns of a training step: who learns, from what, in which order."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch


@dataclass
class Turn:
    """A part of a step in which some players learn at once, all from the current weights.

    losses     a scalar for each player that learns; its parameters get the gradient of this loss, no others do
    gradients  ready-made gradients instead of a loss, (parameter, gradient) pairs for each player
    terms      scalars for the record, by name

    A single player has the name "".
    """

    losses: dict[str, Tensor] = field(default_factory=dict)
    terms: dict[str, Tensor] = field(default_factory=dict)
    gradients: dict[str, list[tuple[nn.Parameter, Tensor]]] = field(default_factory=dict)


class Step(Protocol):
    """What a trainer offers to a model's turns."""

    generator: torch.Generator
    """The source of all random numbers."""

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The loss of the current stage as named terms, each (N,), in the run's precision."""
        ...

    def forward(self) -> AbstractContextManager:
        """The context of a forward pass in the run's precision."""
        ...
