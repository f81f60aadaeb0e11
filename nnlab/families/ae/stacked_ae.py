"""The stacked autoencoder: first its layers learn one by one, then all together."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.ae.ae import AE
from nnlab.nn.mlp import Width


class StackedAE(AE):
    """An autoencoder trained greedily, layer by layer (Bengio et al. 2007, "Greedy layer-wise training of deep networks").

    h_0 = x,   a_l = V_l h_{l−1} + b_l,   h_l = s(a_l), s the activation; the code is h_L = a_L
    layer 1 alone:  loss = Σ (σ(W_1 h_1 + c_1) − x)²          (without the sigmoid σ if the data are not within [0, 1])
    layer l alone:  loss = Σ (W_l h_l + c_l − a_{l−1})², the layers before it are fixed
    together:       loss = Σ (x̂ − x)², x̂ = σ(W_1 s(W_2 s(… W_L h_L + c_L …) + c_2) + c_1), as in `ae`

    The target of a layer is a_{l−1} and not h_{l−1} = s(a_{l−1}). With an s after it, whose slope can be 0, a single layer
    stays far from a linear code of the same length. With a noise each layer sees h_{l−1}(x̃), and its target is a_{l−1}(x);
    Vincent et al. 2010 ("Stacked denoising autoencoders") corrupt h_{l−1}(x) instead, but the noises here are for images.

    depth     number of layers so far: the model encodes and decodes with these only, and `latent_dim` is the width of the last
    learning  number of the layer that learns alone, from 1; None if all layers learn
    """

    trainer = "nnlab.families.ae.trainer:StackedTrainer"

    def __init__(self, spec: DataSpec, *, hidden: list[Width] = (512, 256), latent_dim: Width = 16, **ae) -> None:
        super().__init__(spec, hidden=hidden, latent_dim=latent_dim, **ae)
        self.widths = [*hidden, latent_dim]
        self.learning: int | None = None
        self.use(self.layers)

    @property
    def layers(self) -> int:
        """L, the number of the encoder's layers."""
        return len(self.widths)

    def stages(self) -> tuple[str, ...]:
        """One per layer, then one for all layers."""
        return (*(f"layer_{i}" for i in range(1, self.layers + 1)), "")

    def start_stage(self, stage: int) -> None:
        self.learning = stage + 1 if stage < self.layers else None
        self.use(self.learning or self.layers)

    def players(self) -> dict[str, list[nn.Module]]:
        return super().players() if self.learning is None else {"": list(self.layer(self.learning))}

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return super().loss(batch, generator) if self.learning is None else self.layer_loss(batch, self.learning)

    def use(self, depth: int) -> None:
        """Encode and decode through the first `depth` layers."""
        self.depth, self.latent_dim = depth, self.widths[depth - 1]

    def get_extra_state(self) -> Tensor:
        """The depth, a scalar int64; it is in `state_dict`, so that a checkpoint has it."""
        return torch.tensor(self.depth)

    def set_extra_state(self, state: Tensor) -> None:
        """Use as many layers as `get_extra_state` returned."""
        self.use(int(state))

    def upwards(self, layers: int) -> nn.Sequential:
        """x → a_layers: the flattening, then the linear maps with an activation between them."""
        return self.encoder[: 2 * layers]

    def downwards(self, layers: int) -> nn.Sequential:
        """The decoder for a code after this many layers, without σ at the end."""
        return self.decoder[2 * (self.layers - layers) :]

    def layer(self, number: int) -> tuple[nn.Linear, nn.Linear]:
        """V_l and W_l with their biases, l from 1."""
        return self.encoder[2 * number - 1], self.decoder[2 * (self.layers - number)]

    def encode(self, x: Tensor) -> Tensor:
        """a_depth, (N, latent_dim)."""
        return self.upwards(self.depth)(self.check(x)).float()

    def decode(self, z: Tensor) -> Tensor:
        """(N, *shape) of codes (N, latent_dim)."""
        hidden = z if self.depth == self.layers else self.activation(z)
        return self._squashed(self.downwards(self.depth)(hidden).float())

    def layer_loss(self, batch: Batch, number: int) -> dict[str, Tensor]:
        """The squared error of a layer alone, (N,)."""
        forth, back = self.layer(number)
        with torch.no_grad():
            given, wanted = (self.upwards(number - 1)(self.check(x)).flatten(1) for x in (batch.input, batch.target))
            given = given if number == 1 else self.activation(given)
        code = forth(given)
        output = back(code if number == self.layers else self.activation(code)).float()
        error = (self._squashed(output) if number == 1 else output) - wanted.float()
        return {"loss": error.square().sum(1)}

    @property
    def activation(self) -> nn.Module:
        """s."""
        return self.encoder[2]
