"""What the games share that are given words and places: they keep some of the training data's, to draw examples of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from nnlab.data.feed import BatchBuilder
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.families.gan.base import Adversarial

KEPT = 256  # examples of the training data whose conditions a model keeps
TYPES = {"text": torch.int64, "label": torch.int64}  # of parts; the others are float32


class GivenParts(Adversarial):
    """Base of the models that make an example of given parts, as of a caption and a box.

    Their samples are of conditions of the training data, of which they keep 256 in buffers `kept_NAME`.
    """

    conditions: ClassVar[tuple[str, ...]] = ("caption",)

    def __init__(self, spec: DataSpec, **parts: nn.Module) -> None:
        super().__init__(spec, **parts)
        for name in self.conditions:
            part = spec[name]
            self.register_buffer(f"kept_{name}", torch.zeros((KEPT, *part.shape), dtype=TYPES.get(part.kind, torch.float32)))

    def init_from_data(self, split: Split) -> None:
        """Keep the conditions of 256 examples, evenly spaced; of a smaller set each several times."""
        rows = split.spread(KEPT)
        rows = rows[torch.arange(KEPT, device=rows.device) % len(rows)]
        batch = BatchBuilder(split).batch(rows, torch.Generator(split.device).manual_seed(0))
        for name in self.conditions:
            getattr(self, f"kept_{name}").copy_(batch[name])

    def drawn_conditions(self, n: int, generator: torch.Generator | None) -> dict[str, Tensor]:
        """The conditions of n examples of the training data by name, (n, …) each, all parts of one example together."""
        rows = torch.randint(KEPT, (n,), device=self.averaged.updates.device, generator=generator)
        return {name: getattr(self, f"kept_{name}")[rows] for name in self.conditions}

    def sample_given(self, parts: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """A new example (n, *shape) for each of the parts by name, (n, …) each, as a batch has them."""
        raise NotImplementedError

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """(n, *shape) of conditions of the training data."""
        return self.sample_given(self.drawn_conditions(n, generator), generator)
