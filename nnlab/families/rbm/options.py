"""What the `trainer` node says of energy-based models. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from nnlab.config.constraints import AtLeast, Between
from nnlab.errors import BadInput
from nnlab.training.options import Cadence, MonitoredOptions, Pretraining

Steps = Annotated[int, AtLeast(1)]


class Likelihood:
    """How the likelihood is found: at the end on the test split, and before on the validation split `every` so often.

    method        exact: one side's states are counted (at most 20 units); ais: by annealing; auto: exact where possible;
                  None: not at all
    chains        of annealed importance sampling; as many examples are annealed back for the reverse
    temperatures  between the machine without weights and the machine itself
    reverse       also a figure from the other side, which errs downwards
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
    """Of contrastive divergence: how the states that stand for the model are drawn, and what is added to the gradient.

    k                Gibbs steps an update
    persistent       from where the chains of the update before ended, instead of from the data
    chains           how many such chains; None: as many as a batch has examples
    centred          the gradient of centred units
    sparsity_cost    pull of each hidden unit's mean activity towards sparsity_target
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
    """Of a stack of machines, learned one after the other: `pretraining` of those below the top one."""

    def __init__(self, *, pretraining: Pretraining, **contrastive) -> None:
        super().__init__(**contrastive)
        self.pretraining = pretraining


class SettlingOptions(MonitoredOptions):
    """Of the general machine.

    inference  how hidden units are found given the visible ones, and what stands for the model:
               enumeration: both exactly, of at most 20 units; gibbs: both by sampling; mean_field: the first by mean field;
               auto: enumeration where possible, else mean_field
    k          Gibbs sweeps an update of the persistent chains that stand for the model, and with gibbs of the hidden units
    chains     how many
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
