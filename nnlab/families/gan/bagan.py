"""The balancing GAN, which draws examples of a class that the data have few of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn
from torch.nn import functional

from nnlab.data.classes import need_classes
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.gan.base import Adversarial, Game, spread
from nnlab.families.gan.networks import Channels, chosen, conv_discriminator, conv_generator
from nnlab.model import Mean, Metric, Turn
from nnlab.nn.mlp import Width
from nnlab.plotting.images import sheet, to_pixels

FEWEST = 2  # examples of a class, without which it has no covariance
LEAST = 1e-6  # added to the variances, as a share of their mean, so that rounding leaves a covariance positive
SHOWN = 10  # samples of each class in the picture


class BAGAN(Adversarial):
    """The balancing GAN (Mariani et al. 2018, "BAGAN: Data augmentation with balancing GAN").

    stage 1:  min_{E,G}  E ‖G(E(x)) − x‖²,   on the examples of all classes
    then      p(z|c) = N(μ_c, Σ_c), the mean and the covariance of the codes E(x) of class c
    stage 2:  min_D  E −log D_y(x) + E −log D_fake(G(z)),   min_G  E −log D_c(G(z)),   c uniform over the classes, z from p(z|c)

    D(x) are the probabilities of the classes and of one more, for samples (softmax). D starts with the layers of E, and G as
    the decoder of stage 1, so that a class with few examples may profit from what the others have taught. Samples are of all
    classes equally often. So should the data be, by data.oversample=true: else D tells samples of a rare class by their number.

    Σ_c is shrunk towards a multiple of the identity (Ledoit & Wolf 2004), since there may be fewer examples than coordinates.
    A class needs two different training examples.

    latent_dim  length of the codes
    channels    of the layers of encoder and discriminator; each halves the image; the generator has them in reverse
    init        autoencoder: D and G start from stage 1; random: from new weights, for comparison;
                E then learns with another decoder, so its codes are as good, but not the same

    Figures:
    reconstruction_error  mean squared error per value of stage 1, of values scaled to −1 … 1; lower is better
    class_accuracy        share of the data that the discriminator takes for their class; higher is better
    """

    trainer = "nnlab.families.gan.trainer:StagedGameTrainer"
    objectives = ("non_saturating",)
    regularizers = ()

    means: Tensor
    factors: Tensor

    def __init__(
        self,
        spec: DataSpec,
        *,
        latent_dim: Width = 64,
        channels: Channels = "auto",
        init: Literal["autoencoder", "random"] = "autoencoder",
    ) -> None:
        need_classes(spec, "a balancing GAN needs classes")
        widths, self.classes = chosen(channels, spec), len(spec.classes)
        super().__init__(
            spec,
            generator=conv_generator(spec, latent_dim, widths),
            encoder=conv_discriminator(spec, widths, "none", outputs=latent_dim),
            discriminator=conv_discriminator(spec, widths, "none", outputs=self.classes + 1),
        )
        self.latent_dim = latent_dim
        self.own_decoder = None if init == "autoencoder" else conv_generator(spec, latent_dim, widths)
        self.register_buffer("means", torch.zeros(self.classes, latent_dim))
        self.register_buffer("factors", torch.eye(latent_dim).repeat(self.classes, 1, 1))
        self.start_stage(1)

    @property
    def decoder(self) -> nn.Module:
        """What stage 1 trains beside E: G itself, or where G is to start anew another network."""
        return self.own_decoder or self.generator

    @property
    def makes_examples(self) -> bool:
        return self.playing

    def init_from_data(self, split: Split) -> None:
        """Raise BadInput before the first stage if a class has fewer than two training examples."""
        super().init_from_data(split)
        rows = split.rows.unique()  # data.oversample repeats them
        labels = split.labels(rows)
        for c, name in enumerate(self.spec.classes):
            if (n := int((labels == c).sum())) < FEWEST:
                raise BadInput(too_few(name, n))

    # -- the stages ---------------------------------------------------------------------------------------------------

    def stages(self) -> tuple[str, ...]:
        return ("autoencoder", "")

    def start_stage(self, stage: int) -> None:
        """In the first stage nobody plays."""
        self.playing = stage > 0
        self.critics = ("discriminator",) if self.playing else ()

    @torch.no_grad()
    def init_stage(self, batches: Iterable[Batch]) -> None:
        """Measure the codes of each class; D gets the layers of E.

        Raises BadInput if a class has fewer than two examples.
        """
        codes, labels = map(torch.cat, zip(*((self.encoder(b.target).float(), b.label) for b in batches), strict=True))
        for c, name in enumerate(self.spec.classes):
            own = np.unique(codes[labels == c].cpu().double().numpy(), axis=0)  # data.oversample repeats examples
            if len(own) < FEWEST:
                raise BadInput(too_few(name, len(own)))
            covariance, _ = ledoit_wolf(own)
            covariance += LEAST * covariance.trace() / len(covariance) * np.eye(len(covariance))
            self.means[c] = torch.from_numpy(own.mean(0))
            self.factors[c] = torch.from_numpy(np.linalg.cholesky(covariance))
        if self.own_decoder is None:
            self.discriminator[:-1].load_state_dict(self.encoder[:-1].state_dict())

    def players(self) -> dict[str, list[nn.Module]]:
        if self.playing:
            return super().players()
        return {"autoencoder": [self.encoder, self.decoder]}

    # -- the step -----------------------------------------------------------------------------------------------------

    def turns(self, batch: Batch, game: Game) -> Iterator[Turn]:
        """The squared error alone; then the discriminator's turns, each with a part of the batch, and the generator's."""
        if not self.playing:
            with game.forward():
                error = self.reconstruction_errors(batch.target).mean()
            yield Turn({"autoencoder": error}, {"reconstruction_error": error})
            return
        for part in game.parts(batch):
            label, z = self.codes(len(part), game.generator)
            with game.forward():
                fake = self.generator(z)
            yield self.discriminated(part, fake, game)
        with game.forward():
            loss = functional.cross_entropy(self.discriminate(fake), label)
        yield Turn({"generator": loss}, {"generator_loss": loss})

    def reconstruction_errors(self, x: Tensor) -> Tensor:
        """The mean squared error of G(E(x)) per value, (N,), of values scaled to −1 … 1."""
        return (self.decoder(self.encoder(x)) - x).square().flatten(1).mean(1) * (2 / self.spec.value_range) ** 2

    def discriminated(self, batch: Batch, fake: Tensor, game: Game) -> Turn:
        """The discriminator's turn: data are of their classes, samples of the class of samples."""
        with game.forward():
            real, made = self.discriminate(batch.target), self.discriminate(fake.detach())
        samples = torch.full_like(batch.label, self.classes)
        loss = functional.cross_entropy(real, batch.label) + functional.cross_entropy(made, samples)
        said, said_of_samples = real.argmax(1), made.argmax(1)
        terms = {
            "discriminator_loss": loss,
            "class_accuracy": (said == batch.label).float().mean(),
            "real_accuracy": (said != self.classes).float().mean(),
            "fake_accuracy": (said_of_samples == self.classes).float().mean(),
            "diversity": spread(fake.detach()) / spread(batch.target).clamp(min=1e-12),
        }
        return Turn({"discriminator": loss}, terms)

    def discriminate(self, x: Tensor) -> Tensor:
        """log D(x) up to a constant, (N, classes + 1) float32; the last is of samples."""
        return self.discriminator(self.check(x)).float()

    # -- samples ------------------------------------------------------------------------------------------------------

    def codes(self, n: int, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Classes (n,), all equally likely, and codes (n, latent_dim) of them."""
        label = torch.randint(self.classes, (n,), device=self.means.device, generator=generator)
        return label, self.codes_of(label, generator)

    def codes_of(self, label: Tensor, generator: torch.Generator | None) -> Tensor:
        """z from N(μ_c, Σ_c), (N, latent_dim), of classes (N,)."""
        noise = torch.randn((len(label), self.latent_dim), device=label.device, generator=generator)
        return self.means[label] + (self.factors[label] @ noise[:, :, None]).squeeze(2)

    def sample_class(self, label: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """G(z), (n, *shape), of classes (n,), by the averages."""
        return self.averaged["generator"](self.codes_of(label, generator))

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """G(z), (n, *shape), of classes that are all equally likely, by the averages."""
        return self.averaged["generator"](self.codes(n, generator)[1])

    def metrics(self) -> list[Metric]:
        if not self.playing:
            error = self.reconstruction_errors
            return [Mean("reconstruction_error", lambda batch, _: error(batch.target), direction="lower")]
        right = self.recognized
        return [Mean("class_accuracy", lambda batch, _: right(batch), direction="higher")]

    def recognized(self, batch: Batch) -> Tensor:
        """(N,) whether D takes each example for one of its class."""
        return (self.discriminate(batch.target).argmax(1) == batch.label).float()

    def pictures(self, few: Batch, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
        """In the first stage images above their reconstructions."""
        if self.playing:
            return {}
        rebuilt = self.decoder(self.encoder(few.target))
        rows = np.stack([to_pixels(x[:SHOWN], self.spec) for x in (few.target, rebuilt)])
        return {"autoencoder": sheet(rows, ["data", "rebuilt"])}


def too_few(name: str, n: int) -> str:
    """What is said of a class with so few training examples."""
    have = f"{n} training example{'s' * (n != 1)}"
    return (
        f"model: the class '{name}' has {have}; a covariance of its codes needs {FEWEST} different ones; give more of it "
        "(data.imbalance, data.limit, data.train_size), or leave the class out by data.classes"
    )
