"""The trainers of the autoencoders and of PCA: their stages, their figures and their pictures."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.families.ae.pca import PCA
from nnlab.families.ae.pca_charts import loadings_chart, scores_plot, variance_chart
from nnlab.metrics.reconstruction import HIGHER, mse, reconstruction_figures, with_pooled
from nnlab.metrics.subspace import largest_principal_angle
from nnlab.model import Decodes, can
from nnlab.model.data_init import mean_of
from nnlab.plotting.latent import components_picture, motion, reconstruction_picture
from nnlab.plotting.plane import concat_targets, plane_pictures
from nnlab.plotting.tables import table_pictures
from nnlab.training.gradient import GradientTrainer
from nnlab.training.options import StagedOptions
from nnlab.training.passes import OnePassTrainer
from nnlab.training.randomness import fork_rng
from nnlab.training.trainer import Monitor, Preview, Trainer, TrainerContext

WIDEST = 4096  # largest side of the matrix whose eigenvectors are computed during training


class Reconstructing(Trainer):
    """Metrics and pictures of reconstructions; for a model with a code also of motion along its coordinates.

    Figures:
    loss  the training loss per example: the squared error Σ (x̂ − x)² summed over its values, plus the model's penalty;
          while a layer of stacked_ae learns alone, the error of that layer's input
    """

    monitor = Monitor("loss")
    higher = Trainer.higher | HIGHER

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        terms = self.loss_terms(batch, generator)
        return {**terms, **reconstruction_figures(self.model, batch, self.model.spec, self.mean if batch.erased else None)}

    def evaluate_split(self, split: str) -> dict[str, float]:
        return with_pooled(super().evaluate_split(split), self.model.spec)

    @cached_property
    def mean(self) -> Tensor:
        """(*shape) of the training set."""
        return mean_of(self.data.train)

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        if self.model.spec.kind == "table":
            return table_pictures(self.model, view.batches, view.generator)
        model = self.model
        pictures = {"reconstruction": reconstruction_picture(model, view.few)}
        if can(model, Decodes) and model.latent_dim < model.spec.features:  # one coordinate of a longer code changes too little
            pictures |= motion(model, model.latent(view.batches))
        return pictures


class AutoencoderTrainer(Reconstructing, GradientTrainer):
    """One optimizer."""

    lower = Reconstructing.lower | {"reconstruction"}


class LinearTrainer(AutoencoderTrainer):
    """Also compares with the training set's principal components, as many as the code is long.

    Figures:
    pca_mse          mean squared error per value of principal component analysis with as many components
    principal_angle  largest angle, in degrees, between the plane of these components and the decoder's; lower is better

    Not with a noise, which has another solution, and not if computing the components takes too long.
    """

    lower = AutoencoderTrainer.lower | {"principal_angle"}

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        n, features = len(self.data.train), self.model.spec.features
        within_reach = min(n, features) <= WIDEST
        self.comparable = self.noise.identity and not self.model.spec.paired and within_reach and n >= self.model.latent_dim
        if not within_reach:
            self.notices.append(f"not compared with the principal components of {n:,} examples of {features:,} values")

    @cached_property
    def pca(self) -> PCA:
        """The principal components of the training set."""
        pca = PCA(self.model.spec, latent_dim=self.model.latent_dim).to(self.device)
        pca.init_from_data(self.data.train)
        with fork_rng(self.seed, self.device) as generator:
            pca.fit(self.builder(self.data.train).sequential(generator))
        return pca

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        exact = {"pca_mse": mse(self.pca.reconstruct(batch.input), batch.target)} if self.comparable else {}
        return {**super().batch_metrics(batch, generator), **exact}

    @torch.no_grad()
    def evaluate_split(self, split: str) -> dict[str, float]:
        figures = super().evaluate_split(split)
        if self.comparable:
            figures["principal_angle"] = largest_principal_angle(self.model.decoder[0].weight, self.pca.components.T)
        return figures


class RestorationTrainer(AutoencoderTrainer):
    """For a model without a code: it has a task only if its input is corrupted."""

    mandatory = frozenset({"noise"})

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        if self.noise.identity and not self.model.spec.paired:
            name = type(self.model).__name__
            self.notices.append(f"{name} without a noise learns to copy its input; add noise=gaussian, noise=hole, …")


class StackedTrainer(AutoencoderTrainer):
    """One stage per layer, then one stage for all layers.

    Metrics of a layer's stage: `loss` of the layer alone; `mse` and `psnr` of the image through the layers so far.
    """

    options = StagedOptions
    description = "by gradient, one layer after another"
    keeps_stage_pictures = True


class PCATrainer(Reconstructing, OnePassTrainer):
    """One pass; also the components as pictures (for faces: eigenfaces).

    Figures:
    explained_variance  share of the training set's variance that the components explain, 0 … 1
    """

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        """For a table, charts of its components; for points of the plane also their reconstructions."""
        model = self.model
        variance = {"explained_variance": variance_chart(model)}
        if model.spec.kind == "image":
            return {**super().pictures(view), "components": components_picture(model), **variance}
        pictures = plane_pictures(model, view.batches, view.generator)
        if model.latent_dim > 1:
            pictures["scores"] = scores_plot(model, concat_targets(view.batches))
        return {**pictures, "loadings": loadings_chart(model), **variance}
