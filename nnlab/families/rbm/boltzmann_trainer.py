"""The trainer of the general Boltzmann machine: exact statistics for few units, else Gibbs chains."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.errors import BadInput
from nnlab.families.rbm.energy import difference
from nnlab.families.rbm.options import SettlingOptions
from nnlab.families.rbm.show import filters_picture
from nnlab.families.rbm.trainer import ContrastiveGradient, StatisticsTrainer
from nnlab.metrics.partition import MOST
from nnlab.metrics.reconstruction import reconstruction_figures
from nnlab.plotting.latent import reconstruction_picture, sample_picture
from nnlab.training.trainer import Preview, TrainerContext


class BoltzmannTrainer(StatisticsTrainer):
    """Exact statistics of the model for few units, else from persistent Gibbs chains (M, n).

    Figures:
    loss            −log pseudo-likelihood, nats per example, with the hidden units at their mean field; lower is better
    free_energy     −log of the unnormalised probability of an example, nats; only for few units
    log_likelihood  mean log p(v), nats per example, exact, only for few units; higher is better
    """

    options = SettlingOptions
    description = "by the statistics of data and model"

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        options, machine = context.options, context.model
        if options.inference == "enumeration" and not machine.countable:
            raise BadInput(
                f"trainer.inference: enumeration of {machine.units} units, of 2^{machine.units} states; "
                f"at most {MOST} units can be counted. Use mean_field or gibbs"
            )
        self.k, self.inference = options.k, options.inference
        if self.inference == "auto":
            self.inference = "enumeration" if machine.countable else "mean_field"
        self.n_chains = options.chains
        self.metadata = {**self.metadata, "inference": self.inference}

    def start_stage(self, stage: int) -> None:
        super().start_stage(stage)
        if self.inference != "enumeration":
            self.memory.register_buffer("chains", torch.zeros((self.n_chains, self.model.units), device=self.device))

    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        if step == 0 and self.inference != "enumeration":
            chains = self.memory.chains
            p = self.model.bias.detach().sigmoid().expand_as(chains)
            chains.copy_(torch.rand(p.shape, device=self.device, generator=self.generator).lt_(p))
        return super().train(step, n, stop)

    def contrastive_gradient(self, batch: Batch) -> ContrastiveGradient:
        machine, v = self.model, self.model.check(batch.target).flatten(1)
        m = machine.mean_field(v)
        terms = {"loss": machine.monitored_loss(v, m).mean()}
        if self.inference == "enumeration":
            return ContrastiveGradient(terms, difference(machine.data_statistics(v), machine.model_statistics()))
        s = torch.cat([v, m], 1) if self.inference == "mean_field" else machine.hidden_given(v, self.k, self.generator)
        chains = self.memory.chains
        chains.copy_(machine.gibbs(chains, self.k, self.generator))
        return ContrastiveGradient(terms, difference(machine.statistics(s), machine.statistics(chains)))

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        figures = {**self.loss_terms(batch, generator), **reconstruction_figures(self.model, batch, self.model.spec)}
        if self.model.countable:
            figures["free_energy"] = self.model.free_energy(batch.target.flatten(1))
        return figures

    def evaluate_split(self, split: str) -> dict[str, float]:
        """For few units also log p(v), nats, exact."""
        figures = super().evaluate_split(split)
        if self.model.countable:
            figures["log_likelihood"] = -figures["free_energy"] - self.model.log_z()
        return figures

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        filters = {"filters": filters_picture(self.model)} if self.model.hidden else {}
        return {
            "sample": sample_picture(self.model, 64, view.generator),
            "reconstruction": reconstruction_picture(self.model, view.few),
            **filters,
        }
