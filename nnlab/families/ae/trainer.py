from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.evaluation.reconstruction import reconstruction_figures
from nnlab.latent.plane import plane_pictures
from nnlab.latent.show import components_picture, motion, reconstruction_picture
from nnlab.training.gradient import GradientTrainer
from nnlab.training.passes import OnePassTrainer
from nnlab.training.trainer import Monitor, Trainer


class Reconstructing(Trainer):
    """Figures of reconstruction; pictures of reconstructions and of motion along the code's coordinates."""

    monitor = Monitor("loss")

    def figures(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        loss = self.model.loss(batch, generator)["loss"]
        return {"loss": loss, **reconstruction_figures(self.model, batch, self.model.spec)}

    def show(self) -> dict[str, np.ndarray]:
        with self.viewing() as view:
            if self.model.spec.kind == "table":
                return plane_pictures(self.model, view.batches, view.generator)
            latent = self.model.latent(view.batches)
            return {"reconstruction": reconstruction_picture(self.model, view.few), **motion(self.model, latent)}


class AutoencoderTrainer(Reconstructing, GradientTrainer):
    """One optimizer."""


class PCATrainer(Reconstructing, OnePassTrainer):
    """One pass; also the components as pictures: of faces, the eigenfaces."""

    def show(self) -> dict[str, np.ndarray]:
        pictures = super().show()
        if self.model.spec.kind == "image":
            pictures["components"] = components_picture(self.model)
        return pictures
