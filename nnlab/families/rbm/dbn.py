"""The deep belief network, a stack of restricted Boltzmann machines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast, NonEmpty
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.families.rbm.rbm import RBM
from nnlab.families.rbm.units import Choice
from nnlab.model import Latent, Model
from nnlab.nn.float64 import to_float64
from nnlab.nn.mlp import Width


class DBN(Model):
    """The deep belief network: RBMs stacked greedily (Hinton, Osindero & Teh 2006, "A fast learning algorithm for deep …").

    p(v, h_1, …, h_L) = p(h_{L−1}, h_L) p(h_{L−2}|h_{L−1}) … p(v|h_1):   the top two layers are an RBM, below them each layer
    is drawn from the layer above, by p(v|h) of its RBM

    RBM l learns from h_{l−1} ~ p(h_{l−1}|h_{l−2}), drawn upwards from the data through the RBMs before it, which do not
    change. Samples go down from the Gibbs chain of the top RBM.

    hidden       widths of the hidden layers; the first is next to the image
    visible      the visible units of the first RBM; the others have bits
    gibbs_steps  Gibbs steps in the top RBM for a sample
    depth        number of RBMs so far: the model encodes and samples with these only, and `latent_dim` is the width of the
                 last
    """

    trainer = "nnlab.families.rbm.trainer:DBNTrainer"

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden: Annotated[list[Width], NonEmpty()] = (500, 500),
        visible: Choice = "auto",
        gibbs_steps: Annotated[int, AtLeast(2)] = 500,
    ) -> None:
        super().__init__(spec)
        inner = [DataSpec(f"layer {i}", "table", (width,)) for i, width in enumerate(hidden[:-1], start=1)]
        kinds = [visible, *("bernoulli" for _ in inner)]
        self.layers = nn.ModuleList(
            RBM(below, hidden=width, visible=kind, gibbs_steps=gibbs_steps)
            for below, width, kind in zip([spec, *inner], hidden, kinds, strict=True)
        )
        self.use(len(hidden))

    def undecayed(self) -> list[nn.Parameter]:
        return [p for layer in self.layers for p in layer.undecayed()]

    def use(self, depth: int) -> None:
        """Encode, decode and sample through the first `depth` RBMs."""
        self.depth, self.latent_dim = depth, self.layers[depth - 1].latent_dim

    def get_extra_state(self) -> Tensor:
        """The depth, a scalar int64; it is in `state_dict`, so that a checkpoint has it."""
        return torch.tensor(self.depth)

    def set_extra_state(self, state: Tensor) -> None:
        """Use as many RBMs as `get_extra_state` returned."""
        self.use(int(state))

    def init_from_data(self, split: Split) -> None:
        self.layers[0].init_from_data(split)

    def stages(self) -> tuple[str, ...]:
        """One per RBM; the last is that of the top."""
        return (*(f"layer_{i}" for i in range(1, len(self.layers))), "")

    def start_stage(self, stage: int) -> None:
        self.use(stage + 1)

    def players(self) -> dict[str, list[nn.Module]]:
        return {"": [self.layers[self.depth - 1]]}

    def init_stage(self, batches: Iterable[Batch]) -> None:
        """The visible biases of the highest RBM so far, from the frequencies of its training data."""
        top = self.depth - 1
        means = torch.cat([self.means(batch.target.flatten(1), top) for batch in batches])
        mean = to_float64(means).mean(0).to(means)
        self.layers[top].start_from(mean, mean * (1 - mean))

    def remarks(self, split: Split) -> list[str]:
        return self.layers[0].remarks(split)

    def means(self, v: Tensor, layers: int) -> Tensor:
        """v (N, D) → the means of hidden layer `layers`, from the means of the layer below, and so on."""
        for rbm in self.layers[:layers]:
            v = rbm.hidden_field(v).float().sigmoid()
        return v

    def up(self, v: Tensor, layers: int, generator: torch.Generator) -> Tensor:
        """v (N, D) → the states of hidden layer `layers`; each layer is drawn given the layer below."""
        for rbm in self.layers[:layers]:
            v = rbm.hidden(v, generator)
        return v

    def down(self, h: Tensor, layers: int) -> Tensor:
        """The means of hidden layer `layers` → the means of v, (N, *shape)."""
        for rbm in reversed(self.layers[1:layers]):
            h = rbm.units.mean(rbm.visible_field(h).float())
        return self.layers[0].decode(h)

    def encode(self, x: Tensor) -> Tensor:
        """The means of the highest hidden layer, (N, latent_dim)."""
        return self.means(self.check(x).flatten(1), self.depth)

    def decode(self, z: Tensor) -> Tensor:
        """(N, *shape) of codes (N, latent_dim)."""
        return self.down(z, self.depth)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The visible means (N, *shape) of the codes of x: up through the RBMs and down again."""
        return self.decode(self.encode(x))

    def score(self, x: Tensor) -> Tensor:
        """F_1(v), nats, (N,): the free energy of the first RBM; the RBMs above it only change its prior."""
        return self.layers[0].score(self.check(x))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """E[v|h_1], (n, *shape), of h_1 drawn down from the top machine's chain after `gibbs_steps`."""
        first, *above = self.layers[: self.depth]
        top = above[-1] if above else first
        v = top.gibbs(top.units.sample(top.base_bias.expand(n, -1), generator), top.gibbs_steps - 1, generator)
        h = top.hidden(v, generator)
        for rbm in reversed(above):
            h = rbm.units.sample(rbm.visible_field(h), generator)
        return first.decode(h)

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """The mean and the standard deviation of the codes of the batches."""
        codes = to_float64(torch.cat([self.encode(batch.target) for batch in batches]))
        mean, std = (figure.float().to(self.layers[0].weight.device) for figure in (codes.mean(0), codes.std(0, correction=0)))
        return Latent(mean, std)

    @property
    def filters(self) -> Tensor:
        """(H, *shape) one image per unit of the highest layer: its weights, multiplied down to the pixels."""
        weight = self.layers[self.depth - 1].weight.T
        for rbm in reversed(self.layers[: self.depth - 1]):
            weight = weight @ rbm.weight.T
        return weight.unflatten(1, self.spec.shape)
