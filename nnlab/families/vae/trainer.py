from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.evaluation.reconstruction import reconstruction_figures
from nnlab.latent.plane import plane_pictures
from nnlab.latent.show import motion, reconstruction_picture, sample_picture
from nnlab.training.gradient import GradientTrainer
from nnlab.training.trainer import Monitor


class VAETrainer(GradientTrainer):
    """One optimizer; the ELBO and its parts; pictures of reconstructions, samples and motion along the code's coordinates."""

    monitor = Monitor("loss")
    lower = GradientTrainer.lower | {"reconstruction", "negative_elbo"}
    facts: ClassVar[dict] = {"estimator": "one z an image", "samples": 1}

    def figures(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        terms = self.model.loss(batch, generator)
        negative_elbo = terms["reconstruction"] + terms["kl"]
        return {**terms, "negative_elbo": negative_elbo, **reconstruction_figures(self.model, batch, self.model.spec)}

    def show(self) -> dict[str, np.ndarray]:
        with self.viewing() as view:
            if self.model.spec.kind == "table":
                return plane_pictures(self.model, view.batches, view.generator)
            latent = self.model.latent(view.batches)
            return {
                "reconstruction": reconstruction_picture(self.model, view.few),
                "sample": sample_picture(self.model, 64, view.generator),
                **motion(self.model, latent),
            }
