from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.evaluation.reconstruction import reconstruction_figures
from nnlab.latent.show import motion, reconstruction_picture
from nnlab.training.gradient import GradientTrainer
from nnlab.training.trainer import Monitor


class AutoencoderTrainer(GradientTrainer):
    """One optimizer; figures of reconstruction; pictures of reconstructions and of motion along the code's coordinates."""

    monitor = Monitor("loss")

    def figures(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        loss = self.model.loss(batch, generator)["loss"]
        return {"loss": loss, **reconstruction_figures(self.model, batch, self.model.spec)}

    def show(self) -> dict[str, np.ndarray]:
        if self.model.spec.kind != "image":
            return {}
        with self.viewing() as view:
            latent = self.model.latent(view.batches)
            return {"reconstruction": reconstruction_picture(self.model, view.few), **motion(self.model, latent)}
