"""The contractive autoencoder, which penalises the squared Jacobian of its encoder, and its decoder of tied weights."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.families.ae.base import Autoencoder
from nnlab.metrics.jacobian import squared_jacobian
from nnlab.model import Mean, Metric
from nnlab.model.data_init import mean_of
from nnlab.nn.mlp import Width

SQUASHING = {"sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
GAINS = {"sigmoid": 4.0, "tanh": 1.0}  # 1 / (largest slope)
SLOPES = {"sigmoid": lambda h: h * (1 - h), "tanh": lambda h: 1 - h * h}  # s'(a), of h = s(a)


class ContractiveAE(Autoencoder):
    """A code that changes little when the data change a little (Rifai et al. 2011, "Contractive auto-encoders").

    h_0 = x − μ,   h_l = s(W_l h_{l−1} + b_l),   f(x) = h_L,   s = σ or tanh,   μ the mean of the training set
    x̂ = σ(W_1ᵀ s(W_2ᵀ … s(W_Lᵀ h_L + c_L) …) + c_1)          (without the last σ if the data are not within [0, 1])

    loss = Σ (x̂ − x)² + weight · ‖J‖²,   J = ∂f/∂x,   ‖J‖² the sum of its squares

    The decoder shares the weights. With separate weights, a small W and a large decoder would make J small at no cost.

    One layer: ‖J‖² = Σ_j s'_j² ‖W_j‖², W_j the rows of W and s' the slopes of s. Several: an unbiased estimate by one v of
    random signs, E_v ‖vᵀ J‖² = ‖J‖² (Hutchinson 1990). It needs one more backward pass through the encoder; the sum needs
    `latent_dim` of them. The metric `jacobian` is the exact sum.

    A bias could do the same as subtracting μ, but with it W learns several times as fast, since all images have most of μ
    in common.

    hidden  widths of the layers before the code; none, as in the paper, is one layer

    Figures:
    reconstruction  squared error Σ (x̂ − x)², summed over an image
    contraction     ‖∂f/∂x‖², multiplied by model.weight in the loss; an estimate if the encoder has several layers
    jacobian        ‖∂f/∂x‖², the exact sum of the squares of the encoder's derivatives; lower is better
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden: list[Width] = (),
        latent_dim: Width = 128,
        activation: Literal["sigmoid", "tanh"] = "sigmoid",
        weight: Annotated[float, AtLeast(0)] = 0.1,
    ) -> None:
        layers = [nn.Linear(*sizes) for sizes in pairwise([spec.features, *hidden, latent_dim])]
        for layer in layers:  # signals keep their size forwards and backwards (Glorot & Bengio 2010)
            nn.init.xavier_uniform_(layer.weight, gain=GAINS[activation])
        squash = SQUASHING[activation]()
        encoder = nn.Sequential(nn.Flatten(), *(part for layer in layers for part in (layer, squash)))
        decoder = nn.Sequential(TiedDecoder(layers, squash), nn.Unflatten(1, spec.shape))
        super().__init__(spec, encoder, decoder, latent_dim=latent_dim)
        self.squash, self.slope, self.weight = squash, SLOPES[activation], weight

        self.register_buffer("mean", torch.zeros(spec.shape))

    def metrics(self) -> list[Metric]:
        """The sum of the squares of the Jacobian, exact."""
        return [Mean("jacobian", lambda batch, _: squared_jacobian(self.encode, batch.input), direction="lower")]

    @torch.no_grad()
    def init_from_data(self, split: Split) -> None:
        """Measure μ, and set c_1 so that the code of the mean decodes to the mean."""
        self.mean.copy_(mean_of(split))
        given = self.decoder(self.encoder(torch.zeros_like(self.mean[None])))[0]
        self.decoder[0].biases[0].add_((self._output_for(self.mean) - given).flatten())

    def encode(self, x: Tensor) -> Tensor:
        """f(x), (N, latent_dim)."""
        return self.encoder(self.check(x) - self.mean).float()

    @property
    def layers(self) -> list[nn.Linear]:
        """The encoder's linear layers, from the input to the code."""
        return [part for part in self.encoder if isinstance(part, nn.Linear)]

    def hidden(self, x: Tensor) -> list[Tensor]:
        """h_1 … h_L, each (N, width)."""
        h, layers = (self.check(x) - self.mean).flatten(1), []
        for layer in self.layers:
            h = self.squash(layer(h)).float()
            layers.append(h)
        return layers

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        hidden = self.hidden(batch.input)
        reconstruction = (self.decode(hidden[-1]) - batch.target).square().flatten(1).sum(1)
        contraction = self.contraction(hidden, generator)
        loss = reconstruction + self.weight * contraction
        return {"loss": loss, "reconstruction": reconstruction, "contraction": contraction}

    def contraction(self, hidden: list[Tensor], generator: torch.Generator) -> Tensor:
        """‖J‖², (N,), at the inputs of h_1 … h_L; an estimate if there are several layers."""
        if len(hidden) == 1:
            # a product of matrices would be rounded under autocast
            return (self.slope(hidden[0]).square() * self.layers[0].weight.square().sum(1)).sum(1)
        signs = torch.rand(hidden[-1].shape, device=hidden[-1].device, generator=generator) < 0.5
        back = torch.where(signs, -1.0, 1.0)
        for layer, h in zip(reversed(self.layers), reversed(hidden), strict=True):
            back = ((back * self.slope(h)) @ layer.weight).float()
        return back.square().sum(1)


class TiedDecoder(nn.Module):
    """The decoder: linear layers with the encoder's weights, transposed, and with new biases; an activation after each.

    There is no activation after the last layer.
    """

    def __init__(self, layers: list[nn.Linear], activation: nn.Module) -> None:
        super().__init__()
        self.of = tuple(layers)  # in a tuple, so that the weights are not registered twice: they are the encoder's
        self.activation = activation
        self.biases = nn.ParameterList(torch.zeros(layer.in_features) for layer in layers)

    def forward(self, code: Tensor) -> Tensor:
        """(N, features) of codes (N, latent_dim), before the last σ."""
        for i in reversed(range(len(self.of))):
            code = F.linear(code, self.of[i].weight.T, self.biases[i])
            code = self.activation(code) if i else code
        return code
