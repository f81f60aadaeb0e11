"""The bidirectional GAN: its discriminator sees pairs of an example and a code."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.base import Answer, Play
from nnlab.families.gan.coded import WithEncoder, output_activation
from nnlab.families.gan.latent import Prior
from nnlab.families.gan.networks import Standardize, mlp_discriminator, mlp_generator, mlp_inverse
from nnlab.families.gan.objectives import Objective
from nnlab.nn.mlp import Width


class BiGAN(WithEncoder):
    """The bidirectional GAN (Donahue et al. 2017, "Adversarial feature learning"; Dumoulin et al. 2017).

    min_{G,E} max_D E log D(x, E(x)) + E log(1 − D(G(z), z)),   z (latent_dim,) from the prior

    If D cannot separate the pairs, E inverts G: G(E(x)) is a reconstruction, although no loss measures it.

    hidden  widths of the layers of encoder and discriminator; the generator has them in reverse, with batch
            normalisation like the encoder
    """

    parts: ClassVar[tuple[str, ...]] = ("generator", "encoder")

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 32,
        prior: Prior = "gaussian",
        hidden: list[Width] = (1024, 1024),
    ) -> None:
        super().__init__(
            spec,
            generator=mlp_generator(spec, latent_dim, hidden),
            encoder=nn.Sequential(mlp_inverse(spec, latent_dim, hidden), *output_activation(prior)),
            discriminator=mlp_discriminator(spec.features + latent_dim, hidden),
        )
        self.centre = Standardize(spec)
        self.latent_dim, self.prior = latent_dim, prior

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator, self.encoder]}

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        z = self.noise(len(batch), generator)
        return Play(real=(batch.target, self.encoder(batch.target).float()), fake=(self.generator(z), z))

    def discriminate(self, x: Tensor, z: Tensor) -> Tensor:
        pair = torch.cat([self.centre(self.check(x)).flatten(1), z], 1)
        return self.discriminator(pair).float().squeeze(1)

    def answer(self, play: Play, objective: Objective) -> Answer:
        """The common loss of generator and encoder: the sum of the objectives of both kinds of pairs."""
        made = objective.generator(self.discriminate(*play.fake)).mean()
        coded = objective.exchanged(self.discriminate(*play.real)).mean()
        return Answer({"generator": made + coded}, {"generator_loss": made, "encoder_loss": coded})
