"""The trainer of the variational autoencoders: the ELBO and its parts, the likelihood, the codes, the pictures."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.errors import BadInput
from nnlab.families.vae.options import USUAL, VariationalOptions
from nnlab.metrics.likelihood import Estimate, bits_per_dimension, importance_sampled, likelihood_figures
from nnlab.metrics.posterior import aggregate_figures
from nnlab.metrics.reconstruction import output_figures
from nnlab.model import Decodes, SamplesClasses, can
from nnlab.model.likelihood import why_without_log_p
from nnlab.plotting.charts import kl_chart
from nnlab.plotting.latent import class_picture, motion, reconstruction_picture, sample_picture
from nnlab.plotting.tables import table_pictures
from nnlab.training.gradient import GradientTrainer
from nnlab.training.trainer import Monitor, Preview, TrainerContext

EACH = 10  # examples per class in a picture


class VAETrainer(GradientTrainer):
    """One optimizer; the ELBO and its parts, log p(x), statistics of codes; pictures of reconstructions, samples and motion
    along the code's coordinates, or of the classes.

    Figures:
    loss            the training loss, nats per example: for vae the negative ELBO; beta_vae weights kl in it, iwae uses
                    a tighter bound from several codes
    reconstruction  −log p(x|z) of a code z drawn from q(z|x), nats per example
    kl              KL(q(z|x) ‖ p(z)), nats per example: the information in the code about the image
    negative_elbo   reconstruction + kl, nats per example: an upper bound of −log p(x); lower is better
    beta            weight of kl at this step
    capacity        value in nats that kl is kept near at this step
    samples         codes per example in an estimate of the loss
    """

    options = VariationalOptions
    monitor = Monitor("loss")
    lower = GradientTrainer.lower | {"reconstruction", "negative_elbo", "bits_per_dimension"}
    higher = GradientTrainer.higher | {"log_likelihood"}

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        if can(self.model, SamplesClasses) and not self.data.test.labelled:
            name = self.model.spec.name
            raise BadInput(f"data: the test examples of {name} have no labels, which its metrics need; add them")
        self.metadata = {**self.metadata, "estimator": f"{self.model.k} z per image", "samples": self.model.k}
        options = context.options.likelihood
        self.chunk = options.chunk
        self.estimate_by(options.samples)

    def prepare(self) -> None:
        super().prepare()
        self.refuse_long_warmups()

    def refuse_long_warmups(self) -> None:
        """Raise BadInput if a scheduled weight still rises at the end of the run."""
        epochs = self.total_steps / self.steps_per_epoch
        for name, number in self.scheduled.items():
            if number.schedule.warmup > epochs:
                raise BadInput(f"model.warmup: {number.schedule.warmup:g} epochs until {name} is full, in a run of {epochs:g}")

    def estimate_by(self, samples: int | str | None) -> None:
        """The options of the estimate of log p(x). Raises BadInput if `samples` is set but the model has no likelihood."""
        unmeasured = why_without_log_p(self.model.likelihood, self.data.train)
        if unmeasured and isinstance(samples, int):
            raise BadInput(f"trainer.likelihood.samples: {self.model.spec.name} {unmeasured}, or leave it out")
        self.samples = None if unmeasured else USUAL if samples == "auto" else samples
        if self.samples:
            given = {"likelihood_given": "the class"} if can(self.model, SamplesClasses) else {}
            by = {"likelihood_by": "importance sampling", "likelihood_samples": self.samples, "likelihood_chunk": self.chunk}
            self.metadata = {**self.metadata, **by, **given}

    # -- figures --------------------------------------------------------------------------------------------------

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        terms = self.model.final_loss(batch, generator)
        negative_elbo = terms["reconstruction"] + terms["kl"]
        return {**terms, "negative_elbo": negative_elbo, **output_figures(self.model.rebuilt(batch), batch, self.model.spec)}

    def evaluate_split(self, split: str) -> dict[str, float]:
        figures = super().evaluate_split(split)
        with self.evaluation(split) as (batches, _):
            posteriors = [self.model.posterior(batch.input, batch.label) for batch in batches]
        return {**figures, **aggregate_figures(*self.world.concat(posteriors))}

    def evaluate(self, split: str, full: bool = True) -> dict[str, float]:
        """Also log p(x), except during a run."""
        figures = super().evaluate(split, full)
        return figures | self.likelihood(split) if self.samples and full else figures

    def likelihood(self, split: str) -> dict[str, float]:
        """Mean log p over a split, nats, with its errors; for pixels also in bits per dimension.

        For a model of images given their classes it is log p(x|y).
        """
        with self.evaluation(split) as (batches, generator):
            estimates = [importance_sampled(self.model, batch, self.samples, self.chunk, generator) for batch in batches]
        figures = likelihood_figures(Estimate(*self.world.concat(estimates)))
        if self.model.likelihood.discrete:
            figures["bits_per_dimension"] = bits_per_dimension(figures["log_likelihood"], self.model.spec.features)
        return figures

    # -- pictures -------------------------------------------------------------------------------------------------

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        model = self.model
        if model.spec.kind == "table":
            return table_pictures(model, view.batches, view.generator)
        pictures = {
            "reconstruction": reconstruction_picture(model, view.few, model.rebuilt(view.few)),
            "sample": sample_picture(model, 64, view.generator),
        }
        if can(model, SamplesClasses):
            pictures["classes"] = class_picture(model, EACH, view.generator)
        if can(model, Decodes):
            return pictures | motion(model, model.latent(view.batches))
        return pictures | {"kl": kl_chart(model.kl(view.batches))}
