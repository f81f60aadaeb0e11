"""The trainer of the vector-quantised autoencoder: first the autoencoder, then the prior over its codes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.families.vae.vq_pictures import code_picture, codebook_picture
from nnlab.metrics.likelihood import bits_per_dimension
from nnlab.metrics.reconstruction import reconstruction_figures
from nnlab.model.likelihood import why_without_log_p
from nnlab.nn.codebook import perplexity
from nnlab.plotting.latent import reconstruction_picture, sample_picture
from nnlab.training.gradient import GradientTrainer
from nnlab.training.options import StagedOptions
from nnlab.training.trainer import Monitor, Preview, TrainerContext

IDLE = 0.1  # with a smaller share of the codes in use, the autoencoder has not learned to use them


class VQTrainer(GradientTrainer):
    """Two stages, each with an optimizer: first encoder, codes and decoder; then the prior over the grids of the data.

    Figures:
    loss            the training loss: in the first stage reconstruction and the weighted commitment, then −log p(codes) of
                    the prior, nats per image
    reconstruction  −log p(x|codes), nats per image
    commitment      squared distance of the encoder's outputs from their code vectors
    kl              −log p(codes) of the prior, nats per image
    negative_elbo   reconstruction + kl, nats per image: an upper bound of −log p(x); lower is better
    perplexity      exp of the entropy of the codes' frequencies: the effective number of codes
    codebook_usage  share of the codebook that a split uses
    """

    options = StagedOptions
    description = "by gradient: first the autoencoder, then the prior over its codes"
    monitor = Monitor("loss")
    lower = GradientTrainer.lower | {"reconstruction", "negative_elbo", "kl", "commitment", "bits_per_dimension"}

    used: float | None = None
    """The share of the codes that the autoencoder's last evaluation used."""

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        batch, codes = min(self.batch_size, len(self.data.train)), len(self.model.codebook)
        places = batch * self.model.places
        if codes > places:
            then = "would restart although they are needed" if self.model.codebook.restart else "will never be used"
            self.notices.append(
                f"model.codes: {codes} codes, but a batch of {batch} images has only {places} places; some codes {then}. "
                f"Use at most {places}, or a larger trainer.batch_size"
            )

    @property
    def first(self) -> bool:
        """Whether this is the first stage, of the autoencoder."""
        return self.stage == 0

    def start_stage(self, stage: int) -> None:
        super().start_stage(stage)
        if stage == 1 and self.used is not None and self.used < IDLE:
            self.notices.append(
                f"model.codes: only {self.used:.1%} of the {len(self.model.codebook)} codes are used, and the prior learns "
                "only these; use a longer trainer.pretraining.epochs, a smaller model.decay or fewer model.codes"
            )

    def evaluate_split(self, split: str) -> dict[str, float]:
        self._counts = torch.zeros(len(self.model.codebook), device=self.device)
        figures = super().evaluate_split(split)
        self._counts = self.world.sum(self._counts)
        used = (self._counts > 0).float().mean().item()
        self.used = used if self.first else self.used
        likelihood = self.model.likelihood
        if not self.first and likelihood.discrete and why_without_log_p(likelihood, self.data.train) is None:
            figures["bits_per_dimension"] = bits_per_dimension(-figures["negative_elbo"], self.model.spec.features)
        return {**figures, "perplexity": perplexity(self._counts).item(), "codebook_usage": used}

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        self._counts += self.model.uses(batch.input)
        shared = reconstruction_figures(self.model, batch, self.model.spec)
        if self.first:
            terms = self.model.autoencoder_loss(batch, generator)
            return {name: terms[name] for name in ("loss", "reconstruction", "commitment")} | shared
        bound = self.model.bound(batch)
        return {"loss": bound["kl"], **bound, **shared}

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        counts = sum(self.model.uses(batch.input) for batch in view.batches)
        pictures = {
            "reconstruction": reconstruction_picture(self.model, view.few),
            "codes": code_picture(self.model, view.few.input),
            "codebook": codebook_picture(self.model, counts / counts.sum()),
        }
        return pictures if self.first else pictures | {"sample": sample_picture(self.model, 64, view.generator)}
