"""InfoGAN: its categorical and continuous codes can be read from its images."""

from __future__ import annotations

from math import log, pi
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from nnlab.config.constraints import AtLeast, MoreThan
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.base import Adversarial, Answer, Play
from nnlab.families.gan.latent import Prior, one_hot, sample_prior
from nnlab.families.gan.networks import (
    SLOPE,
    Channels,
    Normalization,
    chosen,
    conv_body,
    conv_features,
    conv_generator,
    init_weights,
    with_spectral_norm,
)
from nnlab.families.gan.objectives import Objective
from nnlab.metrics.clustering import agreement
from nnlab.model import Joint, Metric
from nnlab.nn.mlp import Width
from nnlab.plotting.images import sheet, to_pixels
from nnlab.plotting.latent import ROWS, signed

READING = 128  # units between the discriminator's features and Q, as in the paper
LEAST_SD = 0.05  # smallest σ of Q(s|x); the codes' own is 0.58. With σ = 0 the density would be infinite
COLUMNS, REACH = 11, 2.0  # range of motion in a picture, wider than the codes' ±1 (the paper's figure 2)


class InfoGAN(Adversarial):
    """GAN with codes that can be read from its images (Chen et al. 2016, "InfoGAN: Interpretable representation learning …").

    min_{G,Q} max_D E log D(x) + E log(1 − D(G(z, c, s))) − λ_c L_c − λ_s L_s

    z  (latent_dim,) from the prior: noise
    c  one of `categories`, all equally likely;  s  (continuous,) from U(−1, 1)
    L_c = H(c) + E log Q(c|G(z, c, s)) ≤ I(c; G(z, c, s)), nats; L_s is the same for s

    Q(c|x) and Q(s_i|x) = N(μ_i(x), σ_i(x)²) are two layers on the discriminator's features. The features learn only from
    the game, as in the equation; in the authors' code they also learn from Q. No label is used.

    categorical_weight, continuous_weight   λ_c and λ_s
    hidden  units of a fully connected layer in both networks, next to the smallest map: it sees the whole image, so that
            a category becomes a class; without it the codes describe parts
    channels, normalization, spectral_norm  as in `dcgan`
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 62,
        prior: Prior = "gaussian",
        categories: Annotated[int, AtLeast(2)] = 10,
        continuous: Annotated[int, AtLeast(0)] = 2,
        categorical_weight: Annotated[float, MoreThan(0)] = 1.0,
        continuous_weight: Annotated[float, MoreThan(0)] = 0.1,
        channels: Channels = "auto",
        hidden: Width = 1024,
        normalization: Normalization = "batch",
        spectral_norm: bool = False,
    ) -> None:
        widths = chosen(channels, spec)
        layers = [*conv_body(spec, widths, normalization), nn.Flatten()]
        layers += [nn.Linear(conv_features(spec, widths), hidden, bias=normalization == "none")]
        layers += [nn.BatchNorm1d(hidden)] if normalization == "batch" else []
        discriminator = init_weights(nn.Sequential(nn.Sequential(*layers, nn.LeakyReLU(SLOPE)), nn.Linear(hidden, 1)))
        width = categories + 2 * continuous
        super().__init__(
            spec,
            generator=conv_generator(spec, latent_dim + categories + continuous, widths, hidden=hidden),
            discriminator=with_spectral_norm(discriminator) if spectral_norm else discriminator,
            posterior=init_weights(nn.Sequential(nn.Linear(hidden, READING), nn.LeakyReLU(SLOPE), nn.Linear(READING, width))),
        )
        self.latent_dim, self.prior = latent_dim, prior
        self.categories, self.continuous = categories, continuous
        self.weights = (categorical_weight, continuous_weight)

    # -- the game -------------------------------------------------------------------------------------------------

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "generator": [self.generator, self.posterior]}

    def sample_prior(self, n: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        """z (n, latent_dim), c (n,) int64, s (n, continuous)."""
        device = self.averaged.updates.device
        z = sample_prior(self.prior, n, self.latent_dim, device, generator)
        c = torch.randint(self.categories, (n,), device=device, generator=generator)
        return z, c, sample_prior("uniform", n, self.continuous, device, generator)

    def coded(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        """The generator's input, (N, latent_dim + categories + continuous), with c one-hot."""
        return torch.cat([z, one_hot(c, self.categories), s], 1)

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        z, c, s = self.sample_prior(len(batch), generator)
        return Play(real=(batch.target,), fake=(self.generator(self.coded(z, c, s)),), kept={"c": c, "s": s})

    def features(self, x: Tensor) -> Tensor:
        """The features of the discriminator and of Q, (N, features)."""
        return self.discriminator[0](self.check(x))

    def discriminate(self, x: Tensor) -> Tensor:
        return self.told(self.features(x))

    def told(self, features: Tensor) -> Tensor:
        """D, (N,), of the features (N, features) of images."""
        return self.discriminator[1](features).float().squeeze(1)

    def read(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Q: log-odds of c (N, categories), means and standard deviations of s (N, continuous)."""
        c, mean, width = self.posterior(features).float().split([self.categories, self.continuous, self.continuous], 1)
        return c, mean, functional.softplus(width) + LEAST_SD

    def information(self, features: Tensor, c: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """L_c and L_s, scalars, of the features of images with these codes.

        Figures:
        categorical_information  L_c, nats: lower bound of an image's information about its category; at most log(categories)
        continuous_information   L_s, nats: lower bound of the information in an image about its continuous codes
        """
        logits, mean, sd = self.read(features)
        categorical = log(self.categories) - functional.cross_entropy(logits, c)
        density = -0.5 * ((s - mean) / sd).square() - sd.log() - 0.5 * log(2 * pi)
        return categorical, (log(2) + density).sum(1).mean()  # log 2: the entropy of U(−1, 1)

    def answer(self, play: Play, objective: Objective) -> Answer:
        """The common loss of generator and Q: the objective's mean over samples − λ_c L_c − λ_s L_s."""
        features = self.features(*play.fake)
        loss = objective.generator(self.told(features)).mean()
        categorical, continuous = self.information(features, **play.kept)
        terms = {"generator_loss": loss, "categorical_information": categorical, "continuous_information": continuous}
        return Answer({"generator": loss - self.weights[0] * categorical - self.weights[1] * continuous}, terms)

    # -- what it can do -------------------------------------------------------------------------------------------

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """G(z, c, s), (n, *shape), of z, c and s from their priors, by the averaged generator."""
        return self.made(*self.sample_prior(n, generator))

    def made(self, z: Tensor, c: Tensor, s: Tensor) -> Tensor:
        """G(z, c, s), (N, *shape), by the averaged generator."""
        return self.averaged["generator"](self.coded(z, c, s))

    def encode(self, x: Tensor) -> Tensor:
        """The probabilities Q(c|x) and the means of Q(s|x), (N, categories + continuous)."""
        logits, mean, _ = self.read(self.features(x))
        return torch.cat([logits.softmax(1), mean], 1)

    def metrics(self) -> list[Metric]:
        """The agreement of the most likely category with the classes, if there are any."""
        if not self.spec.classes:
            return []
        directions = {"nmi": "higher", "ari": "higher"}
        return [Joint(lambda batch, _: (self.category(batch.input), batch.label), agreement, directions)]

    def category(self, x: Tensor) -> Tensor:
        """argmax_c Q(c|x), (N,) int64."""
        return self.encode(x)[:, : self.categories].argmax(1)

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """One row per category, one column per noise and continuous codes; and the motion of each continuous code."""
        shown = min(self.categories, ROWS)
        z, _, s = self.sample_prior(COLUMNS, generator)
        values = torch.linspace(-REACH, REACH, COLUMNS, device=z.device)
        pictures = {"codes": self.by_category(z, s, shown, [""] * COLUMNS)}
        still = z[:1].expand(COLUMNS, -1)
        for i in range(self.continuous):
            moving = torch.zeros_like(s)
            moving[:, i] = values
            pictures[f"motion_{i + 1}"] = self.by_category(still, moving, shown, signed(values))
        return pictures

    def by_category(self, z: Tensor, s: Tensor, shown: int, columns: list[str]) -> np.ndarray:
        """Rows of images, one per category: all rows have the same K columns of (z, s)."""
        c = torch.arange(shown, device=z.device).repeat_interleave(len(z))
        images = self.made(z.repeat(shown, 1), c, s.repeat(shown, 1)).unflatten(0, (shown, len(z)))
        return sheet(to_pixels(images, self.spec), [f"c = {i}" for i in range(shown)], columns)
