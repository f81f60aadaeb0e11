"""The options of energy-based models, the `trainer` node. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from nnlab.config.constraints import AtLeast, Between
from nnlab.errors import BadInput
from nnlab.training.options import Cadence, MonitoredOptions, Pretraining

Steps = Annotated[int, AtLeast(1)]


class Likelihood:
    """How the likelihood is computed: at the end on the test split, and on the validation split as often as `every` says.

    method        exact: a sum over all states of one layer (at most 20 units); ais: by annealing; auto: exact if possible,
                  else ais; None: not computed
    chains        of annealed importance sampling; the reverse uses as many examples
    temperatures  number of steps between the machine without weights and the machine itself
    reverse       also a reverse estimate, which is too low on average
    """

    def __init__(
        self,
        *,
        method: Literal["auto", "exact", "ais"] | None = "auto",
        every: Cadence = "never",
        chains: Annotated[int, AtLeast(2)] = 100,
        temperatures: Annotated[int, AtLeast(10)] = 1000,
        reverse: bool = True,
    ) -> None:
        if method is None and every != "never":
            raise BadInput("trainer.likelihood.every: has no effect without a trainer.likelihood.method; leave it never")
        self.method, self.every = method, every
        self.chains, self.temperatures, self.reverse = chains, temperatures, reverse


class ContrastiveOptions(MonitoredOptions):
    """Options of contrastive divergence: how the model's states are drawn, and additions to the gradient.

    k                Gibbs steps per update
    persistent       chains go on from the last update, instead of starting at the data
    chains           number of these chains; None: the batch size
    centred          use the gradient of centred units
    sparsity_cost    weight that moves each hidden unit's mean activity to sparsity_target
    """

    def __init__(
        self,
        *,
        k: Steps = 1,
        persistent: bool = False,
        chains: Annotated[int, AtLeast(2)] | None = None,
        centred: bool = True,
        sparsity_cost: Annotated[float, AtLeast(0)] = 0.0,
        sparsity_target: Annotated[float, Between(0, 1)] = 0.1,
        likelihood: Likelihood,
        **monitored,
    ) -> None:
        super().__init__(**monitored)
        if chains is not None and not persistent:
            raise BadInput("trainer.chains: has no effect on chains that begin at the data; add trainer.persistent=true")
        self.k, self.persistent, self.chains, self.centred = k, persistent, chains or self.batch_size, centred
        self.sparsity_cost, self.sparsity_target = sparsity_cost, sparsity_target
        self.likelihood = likelihood


class StackedContrastiveOptions(ContrastiveOptions):
    """Options of a stack of RBMs, trained one after another: `pretraining` is for those below the top."""

    def __init__(self, *, pretraining: Pretraining, **contrastive) -> None:
        super().__init__(**contrastive)
        self.pretraining = pretraining


class SettlingOptions(MonitoredOptions):
    """Options of the general Boltzmann machine.

    inference  how statistics of hidden units given visible ones, and of the model, are computed:
               enumeration: both exactly, at most 20 units; gibbs: both by sampling; mean_field: the first by mean field;
               auto: enumeration if possible, else mean_field
    k          Gibbs sweeps per update of the model's persistent chains, and with gibbs also of the hidden units
    chains     number of chains
    """

    def __init__(
        self,
        *,
        inference: Literal["auto", "enumeration", "gibbs", "mean_field"] = "auto",
        k: Steps = 1,
        chains: Annotated[int, AtLeast(2)] = 100,
        **monitored,
    ) -> None:
        super().__init__(**monitored)
        self.inference, self.k, self.chains = inference, k, chains
