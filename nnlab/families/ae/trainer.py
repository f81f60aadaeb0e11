from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch
from nnlab.evaluation.reconstruction import reconstruction_figures
from nnlab.latent.plane import plane_pictures
from nnlab.latent.show import components_picture, motion, reconstruction_picture
from nnlab.training.gradient import GradientTrainer
from nnlab.training.options import StagedOptions
from nnlab.training.passes import OnePassTrainer
from nnlab.training.trainer import Monitor, Stage, Trainer


class Reconstructing(Trainer):
    """Figures of reconstruction; pictures of reconstructions and of motion along the code's coordinates."""

    monitor = Monitor("loss")

    def figures(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        loss = self.terms(batch, generator)["loss"]
        return {"loss": loss, **reconstruction_figures(self.model, batch, self.model.spec)}

    def show(self) -> dict[str, np.ndarray]:
        with self.viewing() as view:
            if self.model.spec.kind == "table":
                return plane_pictures(self.model, view.batches, view.generator)
            latent = self.model.latent(view.batches)
            return {"reconstruction": reconstruction_picture(self.model, view.few), **motion(self.model, latent)}


class AutoencoderTrainer(Reconstructing, GradientTrainer):
    """One optimizer."""


class StackedTrainer(AutoencoderTrainer):
    """A stage a layer, then one for all of them.

    The figures of a layer's stage: `loss` of the layer alone; `mse` and `psnr` of the image through the layers so far.
    """

    options = StagedOptions
    learns = "by gradient, layer after layer"

    def plan(self, options: StagedOptions) -> list[Stage]:
        self.pretraining = options.pretraining
        epochs = self.pretraining.of(self.model.layers)
        layers = [Stage(f"layer_{i}", n * self.steps_per_epoch) for i, n in enumerate(epochs, start=1)]
        return [*layers, *super().plan(options)]

    @property
    def layer(self) -> int | None:
        """The number of the layer that learns alone; None while all do."""
        return self.stage + 1 if self.stage < self.model.layers else None

    def enter(self, stage: int) -> None:
        super().enter(stage)
        self.model.use(self.layer or self.model.layers)

    def learner(self, stage: int) -> tuple[Iterable[nn.Parameter], Mapping]:
        if self.layer is None:
            return super().learner(stage)
        return self.model.layer_parameters(self.layer), self.pretraining.optimizer

    def terms(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return super().terms(batch, generator) if self.layer is None else self.model.layer_loss(batch, self.layer)

    def show(self) -> dict[str, np.ndarray]:
        """The pictures of a layer's stage stay beside those of the next."""
        prefix = "" if self.layer is None else f"layer_{self.layer}_"
        return {prefix + name: picture for name, picture in super().show().items()}


class PCATrainer(Reconstructing, OnePassTrainer):
    """One pass; also the components as pictures: of faces, the eigenfaces."""

    def show(self) -> dict[str, np.ndarray]:
        pictures = super().show()
        if self.model.spec.kind == "image":
            pictures["components"] = components_picture(self.model)
        return pictures
