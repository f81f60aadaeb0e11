"""The trainers of RBMs and deep belief networks: contrastive divergence, persistent chains and the annealed likelihood."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.data.images import bernoulli
from nnlab.data.spec import Batch
from nnlab.families.rbm.energy import Statistics, difference
from nnlab.families.rbm.options import ContrastiveOptions, StackedContrastiveOptions
from nnlab.families.rbm.rbm import RBM, centred
from nnlab.families.rbm.show import chains_picture, filters_picture, gibbs_picture
from nnlab.metrics import partition
from nnlab.metrics.reconstruction import reconstruction_figures
from nnlab.model import Turn
from nnlab.nn.float64 import to_float64
from nnlab.plotting.latent import reconstruction_picture, sample_picture
from nnlab.plotting.tables import table_pictures
from nnlab.training.gradient import GradientTrainer
from nnlab.training.options import period
from nnlab.training.randomness import fork_rng
from nnlab.training.trainer import Monitor, Preview, TrainerContext, evaluating

FOLLOWED = 0.01  # weight of a batch in the running mean of the hidden units
COMPARED = 5000  # at most this many training examples for free_energy_gap


class ContrastiveGradient(NamedTuple):
    """Named terms of a batch, scalars, and the gradient of its mean log-likelihood."""

    terms: dict[str, Tensor]
    gradient: Statistics


class StatisticsTrainer(GradientTrainer):
    """Trainers whose gradient is a difference of statistics; autograd is not used."""

    uses = frozenset({"optimizer", "augmentation"})
    autocasts = False
    monitor = Monitor("loss")
    higher = GradientTrainer.higher | {"log_likelihood", "log_likelihood_reverse"}

    @abstractmethod
    def contrastive_gradient(self, batch: Batch) -> ContrastiveGradient:
        """The terms and the gradient of a batch."""

    @property
    def machine(self) -> nn.Module:
        """The machine that learns."""
        return self.model

    def turns(self, batch: Batch) -> Iterator[Turn]:
        """One turn, with a ready-made gradient: that of −log p, which an optimizer descends."""
        with torch.no_grad():
            terms, gradient = self.contrastive_gradient(batch)
            pairs = [(self.machine.get_parameter(name), value.neg_()) for name, value in gradient.items()]
        yield Turn(terms=terms, gradients={"": pairs})


class ContrastiveTrainer(StatisticsTrainer):
    """Contrastive divergence, from the data (Hinton 2002) or in persistent chains (Tieleman 2008).

    Figures:
    loss             −log pseudo-likelihood, nats per example: the sum over the visible units of −log p(unit|the other units);
                     in training estimated by one unit per example. Of gaussian units −log p(v|mean of h). Lower is better
    free_energy      −log of the unnormalised probability of an example, nats, its mean
    free_energy_gap  free_energy of the split minus that of training examples, nats; far above 0: overfitting

    An update has a positive phase, E[h|v] of the batch, and a negative phase of `k` Gibbs steps; both use the means of h.
    `memory.chains` (M, D) are the states of the persistent chains, `memory.hidden_mean` (H,) is the running mean of E[h|v].
    """

    options = ContrastiveOptions
    description = "by contrastive divergence"

    @property
    def machine(self) -> RBM:
        return self.model

    def visible(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(N, D) the machine's training data of a batch."""
        return self.model.check(batch.target).flatten(1)

    def start_stage(self, stage: int) -> None:
        super().start_stage(stage)
        visible, hidden = self.machine.weight.shape
        self.memory.register_buffer("hidden_mean", torch.full((hidden,), 0.5, device=self.device))
        if self.settings.persistent:
            self.memory.register_buffer("chains", torch.zeros((self.settings.chains, visible), device=self.device))

    def begin_stage(self) -> None:
        super().begin_stage()
        if self.settings.persistent:
            self.memory.chains.copy_(partition.drawn_from_base(self.machine, self.settings.chains, self.generator))

    def contrastive_gradient(self, batch: Batch) -> ContrastiveGradient:
        rbm, generator = self.machine, self.generator
        v = self.visible(batch, generator)
        field = rbm.hidden_field(v)
        terms = {"loss": rbm.monitored_loss(v, field, generator, bits=1).mean()}
        h = field.sigmoid_()
        activity = h.mean(0)
        self.memory.hidden_mean.lerp_(activity, FOLLOWED)
        fantasy = self.fantasy(h)
        gradient = difference(rbm.statistics(v, h), rbm.statistics(fantasy, rbm.hidden_field(fantasy).sigmoid_()))
        if self.settings.centred:
            gradient = centred(gradient, rbm.units.scaled(rbm.units.mean(rbm.base_bias)), self.memory.hidden_mean)
        if self.settings.sparsity_cost:
            self.add_sparsity_gradient(gradient, rbm.units.scaled(v).mean(0), activity)
        if "units.log_sigma" in gradient and rbm.units.shared:
            gradient["units.log_sigma"] /= v.shape[1]  # σ is shared, so its gradient is a sum over the pixels
        return ContrastiveGradient(terms, gradient)

    def fantasy(self, h: Tensor) -> Tensor:
        """(N, D) visible states of the model; `h` (N, H) are the means of the positive phase."""
        rbm, k, generator = self.machine, self.settings.k, self.generator
        if self.settings.persistent:
            return self.memory.chains.copy_(rbm.gibbs(self.memory.chains, k, generator))
        drawn = torch.rand(h.shape, device=h.device, generator=generator).lt_(h)
        return rbm.gibbs(rbm.units.sample(rbm.visible_field(drawn), generator), k - 1, generator)

    def add_sparsity_gradient(self, gradient: Statistics, visible_mean: Tensor, activity: Tensor) -> None:
        """Add the gradient that moves each unit's mean activity (H,) to its target (Hinton 2012, section 11)."""
        pull = self.settings.sparsity_cost * (self.settings.sparsity_target - activity)
        gradient["hidden_bias"] += pull
        gradient["weight"].addr_(visible_mean, pull)

    # -- figures and pictures -------------------------------------------------------------------------------------

    def batch_metrics(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        v = self.visible(batch, generator)
        own = self.machine.loss(Batch(v, v.unflatten(1, self.machine.spec.shape)), generator)
        energy = {"free_energy": self.machine.free_energy(v)}
        return {**own, **energy, **reconstruction_figures(self.model, batch, self.model.spec)}

    def evaluate_split(self, split: str) -> dict[str, float]:
        """Also the free energy of the split minus that of training examples: 0 without overfitting."""
        figures = super().evaluate_split(split)
        train = self.data.train
        if split != "train":
            feed, total = self.builder(train), 0.0
            rows = train.spread(COMPARED)
            with fork_rng(self.seed, self.device) as generator, evaluating(self.model):
                for batch in feed.sequential(generator, rows):
                    total += self.machine.free_energy(self.visible(batch, generator)).sum(dtype=torch.float32).item()
            figures["free_energy_gap"] = figures["free_energy"] - total / len(rows)
        return figures


class RBMTrainer(ContrastiveTrainer):
    """One RBM; also its likelihood, exact or by annealing, at the end and on a schedule."""

    def __init__(self, context: TrainerContext) -> None:
        super().__init__(context)
        options = context.options.likelihood
        self.steps_done = 0  # steps
        self.likelihood_every = period(options.every, self.steps_per_epoch)
        self.exact = options.method == "exact" or (options.method == "auto" and partition.countable(self.model) is not None)
        if options.method == "exact":
            partition.refuse_too_many(self.model)
        if options.method and self.exact:
            self.metadata = {**self.metadata, "likelihood_by": "a sum over all states of one layer"}
        elif options.method:
            annealed = {"chains": options.chains, "temperatures": options.temperatures}
            self.metadata = {**self.metadata, "likelihood_by": "annealed importance sampling", **annealed}

    def train(self, step: int, n: int, stop: Callable[[], bool]) -> int:
        done = super().train(step, n, stop)
        self.steps_done = step + done
        return done

    def evaluate(self, split: str, full: bool = True) -> dict[str, float]:
        """Also the likelihood; during a run as often as `trainer.likelihood.every` says."""
        figures = super().evaluate(split, full)
        due = self.likelihood_every and (
            self.steps_done % self.likelihood_every == 0 or self.steps_done == self.stages[-1].steps
        )
        return {**figures, **self.likelihood(split)} if full or due else figures

    def likelihood(self, split: str) -> dict[str, float]:
        """The likelihood of a split; annealing also gives a standard error and a reverse estimate.

        Figures:
        log_likelihood                mean log p(v), nats per example: exact, or by annealed importance sampling, which is
                                      too high on average; higher is better
        log_likelihood_error          its standard error, nats
        log_likelihood_reverse        the same, annealed back from data; too low on average (Burda et al. 2015)
        log_likelihood_reverse_error  its standard error, nats
        """
        options, rbm = self.settings.likelihood, self.model
        if options.method is None:
            return {}
        feed = self.builder(self.data.split(split))
        with fork_rng(self.seed, self.device) as generator, evaluating(rbm):
            free_energy = torch.cat([rbm.free_energy(self.drawn(batch, generator)) for batch in feed.sequential(generator)])
            mean = -to_float64(free_energy).mean().item()
            if self.exact:
                return {"log_likelihood": mean - partition.exact_log_z(rbm)}
            estimate = partition.ais(rbm, options.chains, options.temperatures, generator)
            figures = {"log_likelihood": mean - estimate.log_z, "log_likelihood_error": estimate.standard_error}
            if options.reverse:
                start = torch.cat(
                    [self.drawn(b, generator) for b in feed.sequential(generator, feed.split.spread(options.chains))]
                )
                estimate = partition.reverse_from_data(rbm, start, options.temperatures, generator)
                figures |= {
                    "log_likelihood_reverse": mean - estimate.log_z,
                    "log_likelihood_reverse_error": estimate.standard_error,
                }
        return figures

    def drawn(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """(N, D) states: gray values are probabilities, from which bits are drawn."""
        v = self.visible(batch, generator)
        return bernoulli(v, generator) if self.model.units.binary else v

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        if self.model.spec.kind == "table":
            return table_pictures(self.model, view.batches, view.generator)
        pictures = {
            "filters": filters_picture(self.model),
            "gibbs": gibbs_picture(self.model, view.generator),
            "sample": sample_picture(self.model, 64, view.generator),
            "reconstruction": reconstruction_picture(self.model, view.few),
        }
        if self.settings.persistent and self.steps_done:
            pictures["chains"] = chains_picture(self.model, self.memory.chains)
        return pictures


class DBNTrainer(ContrastiveTrainer):
    """One stage per RBM, the first RBM first; `trainer.epochs` and `optimizer` are for the top RBM.

    Metrics of a stage: `loss` and `free_energy` of its RBM on the RBM's data, `mse` and `psnr` of the image through the RBMs
    so far.
    """

    options = StackedContrastiveOptions
    description = "by contrastive divergence, one RBM after another"

    keeps_stage_pictures = True

    @property
    def machine(self) -> RBM:
        return self.model.layers[self.stage]

    def visible(self, batch: Batch, generator: torch.Generator) -> Tensor:
        return self.model.up(self.model.check(batch.target).flatten(1), self.stage, generator)

    def loss_terms(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        v = self.visible(batch, generator)
        return self.machine.loss(Batch(v, v.unflatten(1, self.machine.spec.shape)), generator)

    def pictures(self, view: Preview) -> dict[str, np.ndarray]:
        if self.model.spec.kind == "table":
            return table_pictures(self.model, view.batches, view.generator)
        return {
            "filters": filters_picture(self.model),
            "sample": sample_picture(self.model, 64, view.generator),
            "reconstruction": reconstruction_picture(self.model, view.few),
        }
