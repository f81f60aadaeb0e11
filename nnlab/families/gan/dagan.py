"""The data augmentation GAN, which makes another example of the class of an image."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.classes import need_classes
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.base import Adversarial, Game
from nnlab.families.gan.hourglass import Hourglass
from nnlab.families.gan.networks import (
    Channels,
    Normalization,
    ScaledSigmoid,
    Standardize,
    beside,
    chosen,
    conv_discriminator,
    init_weights,
    with_spectral_norm,
)
from nnlab.metrics.variety import variety
from nnlab.model import Joint, Metric, Turn
from nnlab.nn.conv import spatial_sizes
from nnlab.nn.mlp import Width

LEAST = 1e-5  # is added to the distance of two images, as a share of the range of their values, which may be 0


class DAGAN(Adversarial):
    """The data augmentation GAN (Antoniou et al. 2017, "Data augmentation generative adversarial networks").

    min_G max_D E log D(y, x) + E log(1 − D(G(x, z), x)),   x and y two examples of a class,   z (latent_dim,) from N(0, I)

    D sees pairs, and G must keep the class of x, which it is not told. So it also makes examples of classes that it has never
    seen, from one image. x and y are never the same example: else G could learn to copy. The paper has the Wasserstein
    distance with a penalty: trainer=wgan_gp model.normalization=none.

    G halves x and enlarges it again, with maps of one size beside each other; the noise comes in at the smallest map.

    G may learn to ignore z, since one good variation of each image deceives D. With mode_seeking above 0 its loss has the term

    mode_seeking · E [ d(z, z′) / (d(G(x, z), G(x, z′)) + 1e-5) ],   d the mean absolute difference

    (Mao et al. 2019, "Mode seeking generative adversarial networks for diverse image synthesis"), of images in units of the
    range of their values. It is not in the paper, and costs G a second pass.

    Figures:
    mode_seeking_loss   that mean, without its weight; recorded in training
    variation_variety   mean squared distance of two variations of an image, as a share of that of two examples of a class; 0:
                        all variations are alike, 1: they differ as examples of data do
    variation_distance  mean squared distance of a variation from its image, as a share of that of two examples of a class; 0:
                        it is a copy
    variation_frechet   by the judge, as reconstruction_frechet, of a variation of each image; lower is better
    variation_class_agreement  by the judge, as class_agreement, of a variation of each image; higher is better

    channels       of the discriminator's layers, and of the layers of the generator that halve
    normalization  of the discriminator's layers; the generator has batch normalisation
    spectral_norm  divide the discriminator's weights by their largest singular values (Miyato et al. 2018)
    mode_seeking   weight of the term above; 0: none
    """

    regularizers = ("gradient_penalty", "label_smoothing")
    examples_per_class = 2

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 100,
        channels: Channels = "auto",
        normalization: Normalization = "none",
        spectral_norm: bool = False,
        mode_seeking: Annotated[float, AtLeast(0)] = 0.0,
    ) -> None:
        need_classes(spec, "a pair of examples is of one class")
        widths = chosen(channels, spec)
        discriminator = conv_discriminator(beside(spec, spec), widths, normalization)
        super().__init__(
            spec,
            generator=VariationGenerator(spec, latent_dim, widths),
            discriminator=with_spectral_norm(discriminator) if spectral_norm else discriminator,
        )
        self.latent_dim, self.mode_seeking = latent_dim, mode_seeking

    def turns(self, batch: Batch, game: Game) -> Iterator[Turn]:
        """The discriminator's turns, each with a part of the batch, then the generator's; neighbours in a batch are pairs."""
        for part in game.parts(batch):
            x, y = part.target[0::2], part.target[1::2]
            with game.forward():
                z = self.noise(len(x), game.generator)
                fake = self.generator(x, z)
            yield game.critic(self.discriminate, (y, x), (fake, x))
        with game.forward():
            loss = fooled = game.objective.generator(self.discriminate(fake, x)).mean()
            terms = {"generator_loss": fooled}
            if self.mode_seeking:
                other = self.noise(len(x), game.generator)
                apart = distance(fake, self.generator(x, other)) / self.value_range
                terms["mode_seeking_loss"] = (distance(z, other) / (apart + LEAST)).mean()
                loss = fooled + self.mode_seeking * terms["mode_seeking_loss"]
        yield Turn({"generator": loss}, terms)

    def discriminate(self, y: Tensor, x: Tensor) -> Tensor:
        """D, (N,), of pairs."""
        return self.discriminator(torch.cat([self.check(y), x], 1)).float().squeeze(1)

    def noise(self, n: int, generator: torch.Generator | None) -> Tensor:
        """(n, latent_dim) of N(0, I)."""
        return torch.randn((n, self.latent_dim), device=self.averaged.updates.device, generator=generator)

    def vary(self, x: Tensor, z: Tensor) -> Tensor:
        """G(x, z), (N, *shape), by the averages."""
        return self.averaged["generator"](self.check(x), z)

    def metrics(self) -> list[Metric]:
        def values(batch: Batch, generator: torch.Generator) -> tuple[Tensor | None, ...]:
            x = batch.target
            first, second = (self.vary(x, self.noise(len(x), generator)) for _ in range(2))
            return x, first, second, batch.label

        return [Joint(values, variety, {"variation_variety": None, "variation_distance": None})]


def distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of each example, (N,) float32, of two batches (N, …)."""
    return (a.float() - b.float()).abs().flatten(1).mean(1)


class VariationGenerator(nn.Module):
    """G: (N, *shape) images and (N, latent_dim) noise → (N, *shape)."""

    def __init__(self, spec: DataSpec, latent_dim: int, channels: list[int]) -> None:
        super().__init__()
        c, h, w = spec.shape
        smallest = (channels[-1], *spatial_sizes(spec.shape, len(channels))[-1])
        self.standardize, self.squash = Standardize(spec), ScaledSigmoid(spec)
        self.code = init_weights(nn.Sequential(nn.Linear(latent_dim, prod(smallest)), nn.Unflatten(1, smallest)))
        self.network = Hourglass(c, c, (h, w), channels, code=channels[-1])

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """G(x, z)."""
        return self.squash(self.network(self.standardize(x), self.code(z)))
