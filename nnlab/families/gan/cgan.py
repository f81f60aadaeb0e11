"""The conditional GAN, which makes images of a given class."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from nnlab.data.classes import class_shares, need_classes
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.families.gan.base import Adversarial, Play
from nnlab.families.gan.latent import Prior, one_hot, sample_prior
from nnlab.families.gan.networks import (
    Channels,
    Normalization,
    chosen,
    conv_body,
    conv_features,
    conv_generator,
    init_weights,
    with_spectral_norm,
)
from nnlab.nn.mlp import Width
from nnlab.plotting.images import sheet, to_pixels

STYLES = 10  # columns of a picture, one noise each


class CGAN(Adversarial):
    """The conditional GAN (Mirza & Osindero 2014, "Conditional generative adversarial nets"), convolutional.

    min_G max_D E log D(x, y) + E log(1 − D(G(z, y), y)),   z (latent_dim,) from the prior, y a label of the data

    The generator's input is z and y, as a one-hot vector. The discriminator is `Projection`. In samples the classes are as
    frequent as in the training data.

    channels, normalization, spectral_norm   as in `dcgan`
    """

    shares: Tensor

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 100,
        prior: Prior = "gaussian",
        channels: Channels = "auto",
        normalization: Normalization = "batch",
        spectral_norm: bool = False,
    ) -> None:
        need_classes(spec, "a conditional GAN needs classes")
        widths, self.classes = chosen(channels, spec), len(spec.classes)
        body = conv_body(spec, widths, normalization)
        discriminator = init_weights(Projection(body, conv_features(spec, widths), self.classes))
        super().__init__(
            spec,
            generator=conv_generator(spec, latent_dim + self.classes, widths),
            discriminator=with_spectral_norm(discriminator) if spectral_norm else discriminator,
        )
        self.latent_dim, self.prior = latent_dim, prior
        self.register_buffer("shares", torch.full((self.classes,), 1 / self.classes))

    def init_from_data(self, split: Split) -> None:
        self.shares.copy_(class_shares(split, self.classes))

    def conditioned(self, z: Tensor, label: Tensor) -> Tensor:
        """The generator's input, (N, latent_dim + classes), from z (N, latent_dim) and labels (N,)."""
        return torch.cat([z, one_hot(label, self.classes)], 1)

    def noise(self, n: int, generator: torch.Generator | None) -> Tensor:
        """(n, latent_dim) from the prior."""
        return sample_prior(self.prior, n, self.latent_dim, self.shares.device, generator)

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        z = self.noise(len(batch), generator)
        return Play(
            real=(batch.target, batch.label),
            fake=(self.generator(self.conditioned(z, batch.label)), batch.label),
        )

    def discriminate(self, x: Tensor, label: Tensor) -> Tensor:
        return self.discriminator(self.check(x), label).float()

    def sample_class(self, label: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """G(z, y), (n, *shape), of labels (n,), by the averaged generator."""
        return self.averaged["generator"](self.conditioned(self.noise(len(label), generator), label))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """G(z, y), (n, *shape), of classes y as frequent as in the training data."""
        label = torch.multinomial(self.shares, n, replacement=True, generator=generator)
        return self.sample_class(label, generator)

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """One row per class, one column per noise: what the noise means for all classes."""
        z = self.noise(STYLES, generator).repeat(self.classes, 1)
        label = torch.arange(self.classes, device=z.device).repeat_interleave(STYLES)
        images = self.averaged["generator"](self.conditioned(z, label)).unflatten(0, (self.classes, STYLES))
        return {"styles": sheet(to_pixels(images, self.spec), list(self.spec.classes), [f"z{i + 1}" for i in range(STYLES)])}


class Projection(nn.Module):
    """D(x, y) = (a + w_y)′φ(x) + b, the projection discriminator (Miyato & Koyama 2018, "cGANs with projection discriminator").

    log p(x|y)/q(x|y) has this form: a′φ + b says whether an image is data at all, w_y′φ whether it belongs to its class.
    In the first paper labels are extra channels of the input, and have to pass through all layers.

    body  φ: (N, *shape) → (N, …) of `features` values
    """

    def __init__(self, body: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.body = body
        self.data = nn.Linear(features, 1)
        self.of_class = nn.Linear(features, classes, bias=False)

    def forward(self, x: Tensor, label: Tensor) -> Tensor:
        """(N,) of images (N, *shape) with labels (N,)."""
        phi = self.body(x).flatten(1)
        return self.data(phi).squeeze(1) + self.of_class(phi).gather(1, label[:, None]).squeeze(1)
