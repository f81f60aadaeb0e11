"""The conditional VAE: a model of images given their class."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from nnlab.data.classes import class_shares, need_classes
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.families.vae.base import Variational
from nnlab.nn.mlp import Activation, Width, mlp, mlp_decoder


class CVAE(Variational):
    """A VAE of images given their class (Sohn et al. 2015, "Learning structured output representation using deep conditional
    generative models"; Kingma et al. 2014, "Semi-supervised learning with deep generative models", M2 with all labels known).

    p(x, z|y) = p(x|z, y) N(z; 0, I),   q(z|x, y) = N(μ(x, y), diag σ²(x, y)),   loss = −ELBO of log p(x|y), nats per image

    Both networks get y as a one-hot vector times the number of classes C: a 1 would be too weak next to the coordinates of
    z. z does not need to hold the class: it describes how images of a class differ.
    For an image without a label the most likely class is used: argmax_y log p(y) + ELBO(x, y), with z the posterior's mean;
    p(y) is the share of class y in the training data.

    hidden  widths of the encoder's layers; the decoder has them in reverse
    """

    shares: Tensor
    vectors: Tensor

    def __init__(
        self, spec: DataSpec, *, hidden: list[Width] = (1024, 512), activation: Activation = "silu", **variational
    ) -> None:
        super().__init__(spec, **variational)
        need_classes(spec, "a conditional VAE learns what images of a class are like")
        classes = len(spec.classes)
        self.encoder = nn.Sequential(*mlp([spec.features + classes, *hidden, 2 * self.latent_dim], activation))
        self.decoder = mlp_decoder(spec.shape, hidden, self.latent_dim + classes, activation, self.likelihood.n_params)
        self.register_buffer("shares", torch.full((classes,), 1 / classes))
        self.register_buffer("vectors", classes * torch.eye(classes), persistent=False)  # (C, C), one row per class

    def init_from_data(self, split: Split) -> None:
        super().init_from_data(split)
        self.shares.copy_(class_shares(split, len(self.shares)))

    def posterior(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """μ and log σ² of q(z|x, y), each (N, latent_dim)."""
        seen = torch.cat([self.check(x).flatten(1), self.vectors[label]], 1)
        mean, log_variance = self.encoder(seen).float().chunk(2, dim=1)
        return mean, log_variance

    def output(self, z: Tensor, label: Tensor) -> Tensor:
        return self.decoder(torch.cat([z, self.vectors[label]], 1)).float()

    def log_joint_bound(self, x: Tensor) -> Tensor:
        """log p(y) + ELBO(x, y) of every class, (N, classes), nats."""
        every = torch.arange(len(self.shares), device=x.device)
        bounds = [-self.negative_elbo(x, label.expand(x.shape[0])) for label in every]
        return torch.stack(bounds, 1) + self.shares.log()

    def encode(self, x: Tensor) -> Tensor:
        """The posterior means (N, latent_dim) for the most likely class."""
        return self.posterior(x, self.log_joint_bound(x).argmax(1))[0]

    def reconstruct(self, x: Tensor) -> Tensor:
        """The means of p(x|z, y) for the most likely class y and the posterior's mean z."""
        label = self.log_joint_bound(x).argmax(1)
        return self.likelihood.mean(self.output(self.posterior(x, label)[0], label))

    def score(self, x: Tensor) -> Tensor:
        """−log Σ_y p(y) e^ELBO(x, y), nats, (N,), at the posterior's mean."""
        return -self.log_joint_bound(x).logsumexp(1)

    def sample_class(self, label: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """The means of p(x|z, y) for z from the prior, (n, *shape), of labels y (n,)."""
        return self.likelihood.mean(self.output(self.prior(len(label), generator), label))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Samples; classes are as frequent as in the training data."""
        return self.sample_class(torch.multinomial(self.shares, n, replacement=True, generator=generator), generator)
