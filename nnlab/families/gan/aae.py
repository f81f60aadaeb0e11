"""The adversarial autoencoder: a game makes the codes follow the prior."""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.families.gan.base import Answer, Play
from nnlab.families.gan.coded import WithEncoder, output_activation
from nnlab.families.gan.latent import Prior, deviation
from nnlab.families.gan.networks import ScaledSigmoid, Standardize, mlp_discriminator
from nnlab.families.gan.objectives import Objective
from nnlab.model import Joint, Metric
from nnlab.nn.float64 import to_float64
from nnlab.nn.mlp import Activation, Width, mlp_decoder, mlp_encoder


class AAE(WithEncoder):
    """The adversarial autoencoder (Makhzani et al. 2016, "Adversarial autoencoders"): a game on codes.

    The discriminator separates samples z of the prior from codes e(x) of data. The encoder learns to make the distribution
    of all codes, q(z) = E_x δ(z − e(x)), equal to the prior, so that a sample of the prior decodes to an image like the data.

    the autoencoder minimises   Σ (d(e(x)) − x)² + weight · the objective of D(e(x)),   per image

    weight  of the game; the squared error is summed over the image
    hidden  widths of the layers of encoder and discriminator; the decoder has them in reverse
    """

    parts: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    maker: ClassVar[str] = "decoder"
    value_range: ClassVar[float] = (
        2.0  # of codes: the range of the uniform prior, and one standard deviation to each side of the Gaussian
    )

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 8,
        prior: Prior = "gaussian",
        weight: Annotated[float, AtLeast(0)] = 5.0,
        hidden: list[Width] = (512, 256),
        activation: Activation = "silu",
    ) -> None:
        super().__init__(
            spec,
            encoder=nn.Sequential(
                Standardize(spec), mlp_encoder(spec.shape, hidden, latent_dim, activation), *output_activation(prior)
            ),
            decoder=nn.Sequential(mlp_decoder(spec.shape, hidden, latent_dim, activation), ScaledSigmoid(spec)),
            discriminator=mlp_discriminator(latent_dim, hidden),
        )
        self.latent_dim, self.prior, self.weight = latent_dim, prior, weight

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.discriminator], "autoencoder": [self.encoder, self.decoder]}

    def play(self, batch: Batch, generator: torch.Generator) -> Play:
        code = self.encoder(batch.target).float()
        return Play(real=(self.noise(len(batch), generator),), fake=(code,), kept={"target": batch.target, "code": code})

    def discriminate(self, z: Tensor) -> Tensor:
        return self.discriminator(z).float().squeeze(1)

    def answer(self, play: Play, objective: Objective) -> Answer:
        """Of both.

        Figures:
        reconstruction  squared error Σ (d(e(x)) − x)², summed over an image
        """
        error = self.decoder(play.kept["code"]) - play.kept["target"]
        reconstruction = error.square().flatten(1).sum(1).mean()
        game_loss = objective.generator(self.discriminate(*play.fake)).mean()
        return Answer(
            {"autoencoder": reconstruction + self.weight * game_loss},
            {"reconstruction": reconstruction, "generator_loss": game_loss},
        )

    def metrics(self) -> list[Metric]:
        """The distance of the codes of a split from the prior."""
        lower = dict.fromkeys(("code_mean", "code_deviation", "code_correlation"), "lower")
        return [Joint(lambda batch, _: (self.encode(batch.target),), partial(against_prior, prior=self.prior), lower)]


def against_prior(codes: Tensor, prior: Prior) -> dict[str, float]:
    """Compare codes (N, d) with the prior: independent coordinates with its mean and its standard deviation σ.

    Figures:
    code_mean         the largest |mean| of a coordinate of the codes, max_j |mean_j|; 0 for the prior, lower is better
    code_deviation    the largest error of a coordinate's standard deviation, max_j |s.d._j / σ − 1|; lower is better
    code_correlation  the largest |correlation| of two coordinates, if there are two; lower is better
    """
    codes = to_float64(codes)
    mean = codes.mean(0)
    centred = codes - mean
    std = centred.square().mean(0).sqrt()
    figures = {"code_mean": mean.abs().max(), "code_deviation": (std / deviation(prior) - 1).abs().max()}
    if codes.shape[1] > 1:
        unit = centred / std.clamp(min=1e-12)
        figures["code_correlation"] = (unit.T @ unit / len(codes)).fill_diagonal_(0).abs().max()
    return {name: figure.item() for name, figure in figures.items()}
