from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.evaluation.clustering import agreement
from nnlab.evaluation.reconstruction import reconstruction_figures
from nnlab.latent.plane import is_plane, joint
from nnlab.latent.regions import regions_plot
from nnlab.latent.show import reconstruction_picture
from nnlab.pictures import grid
from nnlab.training.passes import PassTrainer
from nnlab.training.trainer import Monitor, Setting


class KMeansTrainer(PassTrainer):
    """Lloyd's passes; inertia, and the clusters' agreement with the classes; a picture of the prototypes, or of the plane."""

    monitor = Monitor("inertia")
    lower = PassTrainer.lower | {"inertia"}
    higher = PassTrainer.higher | {"nmi", "ari"}

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.clusters: list[Tensor] = []  # that `figures` found, batch by batch: `measure` reads a split once

    def figures(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        nearest, clusters = self.model.distances(batch.target).min(1)
        self.clusters.append(clusters)
        return {"inertia": nearest, **reconstruction_figures(self.model, batch, self.model.spec)}

    def measure(self, split: str) -> dict[str, float]:
        """The inertia is a sum over the split, as the field has it; the rest are means."""
        self.clusters.clear()
        figures, part = super().measure(split), self.data.split(split)
        figures["inertia"] *= len(part)
        labels = part.labels(part.rows)
        return figures if labels is None else {**figures, **agreement(torch.cat(self.clusters), labels)}

    def show(self) -> dict[str, np.ndarray]:
        model, spec = self.model, self.model.spec
        with self.viewing() as view:
            if is_plane(spec):
                unnamed = ("",) * model.clusters
                return {"clusters": regions_plot(spec, joint(view.batches), model.assign, unnamed, model.centres)}
            if spec.kind == "table":
                return {}
            return {
                "prototypes": grid(model.centres.unflatten(1, spec.shape), spec),
                "reconstruction": reconstruction_picture(model, view.few),
            }
