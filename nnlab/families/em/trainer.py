from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.evaluation.clustering import agreement
from nnlab.evaluation.reconstruction import reconstruction_figures
from nnlab.latent.show import reconstruction_picture
from nnlab.pictures import grid
from nnlab.training.passes import PassTrainer
from nnlab.training.randomness import aside
from nnlab.training.trainer import Monitor, evaluating


class KMeansTrainer(PassTrainer):
    """Lloyd's passes; inertia, and the clusters' agreement with the classes; the prototypes as a picture."""

    monitor = Monitor("inertia")

    def figures(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return {
            "inertia": self.model.distances(batch.target).min(1).values,
            **reconstruction_figures(self.model, batch, self.model.spec),
        }

    def evaluate(self, split: str) -> dict[str, float]:
        """The inertia is a sum over the split, as the field has it; the rest are means."""
        figures, part = super().evaluate(split), self.data.split(split)
        figures["inertia"] *= len(part)
        labels = part.labels(part.rows)
        if labels is None:
            return figures
        with aside(self.seed, self.device) as generator, evaluating(self.model):
            feed = type(self.feed)(part, self.noise)
            clusters = torch.cat([self.model.assign(batch.target) for batch in feed.in_order(generator)])
        return {**figures, **agreement(clusters, labels)}

    def show(self) -> dict[str, np.ndarray]:
        spec = self.model.spec
        if spec.kind != "image":
            return {}
        with self.viewing() as view:
            return {
                "prototypes": grid(self.model.centres.unflatten(1, spec.shape), spec),
                "reconstruction": reconstruction_picture(self.model, view.few),
            }
