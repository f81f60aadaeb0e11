"""Figures of the games whose discriminator knows classes: the balancing one, and the one of pairs of a class."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from expected_judged import clean, distance, of_images
from expected_outputs import per_example
from recorded_run import Asked, f64, fork_rng
from scipy import special

# -- bagan ------------------------------------------------------------------------------------------------------------


class Softmax:
    """The first step of a balancing game: what its discriminator says of data and of samples, in log probabilities."""

    def __init__(self, asked: Asked) -> None:
        self.model, self.batch, trainer = asked.model, asked.first, asked.trainer
        self.model.train()
        n = len(self.batch)
        self.label = torch.randint(10, (n,), generator=trainer.generator)
        noise = torch.randn((n, self.model.latent_dim), generator=trainer.generator)
        z = torch.stack([self.model.means[c] + self.model.factors[c] @ e for c, e in zip(self.label, noise, strict=True)])
        self.fake = self.model.generator(z)
        self.real, self.made = (self.model.discriminator(x).log_softmax(1) for x in (self.batch.target, self.fake))

    def loss(self) -> torch.Tensor:
        rows = torch.arange(len(self.label))
        return -(
            self.real[rows, self.batch.label].mean() + self.model.discriminator(self.fake.detach()).log_softmax(1)[:, 10].mean()
        )

    def generator_loss(self) -> torch.Tensor:
        return -self.made[torch.arange(len(self.label)), self.label].mean()


def balancing_loss(asked: Asked) -> float:
    return Softmax(asked).loss().item()


def balancing_generator_loss(asked: Asked) -> float:
    return Softmax(asked).generator_loss().item()


def first_class_accuracy(asked: Asked) -> float:
    game = Softmax(asked)
    return float((f64(game.real).argmax(1) == game.batch.label.numpy()).mean())


def first_real_accuracy(asked: Asked) -> float:
    return float((f64(Softmax(asked).real).argmax(1) < 10).mean())


def first_fake_accuracy(asked: Asked) -> float:
    return float((f64(Softmax(asked).made).argmax(1) == 10).mean())


def balancing_diversity(asked: Asked) -> float:
    game = Softmax(asked)
    return float(per_example(f64(game.fake)).var(0).sum() / per_example(f64(game.batch.target)).var(0).sum())


def slope(loss: torch.Tensor, *parts: torch.nn.Module) -> float:
    own = [p for part in parts for p in part.parameters()]
    return float(np.sqrt(sum(float(g.double().square().sum()) for g in torch.autograd.grad(loss, own))))


def balancing_discriminator_gradient(asked: Asked) -> float:
    game = Softmax(asked)
    return slope(game.loss(), game.model.discriminator)


def balancing_generator_gradient(asked: Asked) -> float:
    game = Softmax(asked)
    return slope(game.generator_loss(), game.model.generator)


def rebuilt_error(asked: Asked, x: torch.Tensor) -> torch.Tensor:
    """Of values between −1 and 1."""
    return 4 * (asked.model.generator(asked.model.encoder(x)) - x).square().mean()


def first_reconstruction_error(asked: Asked) -> float:
    return rebuilt_error(asked, asked.first.target).item()


def autoencoder_gradient(asked: Asked) -> float:
    loss = rebuilt_error(asked, asked.first.target)
    return slope(loss, asked.model.encoder, asked.model.generator)


def reconstruction_error(asked: Asked) -> float:
    with torch.no_grad():
        asked.model.eval()
        return float(rebuilt_error(asked, asked.part.batch.target))


def class_accuracy(asked: Asked) -> float:
    with torch.no_grad():
        said = special.softmax(f64(asked.model.eval().discriminator(asked.part.batch.target)), axis=1).argmax(1)
    return float((said == asked.part.labels).mean())


# -- dagan ------------------------------------------------------------------------------------------------------------


class Pairs:
    """The first step of a game of pairs: the second of each pair is to be taken for the first's like."""

    def __init__(self, asked: Asked) -> None:
        self.model, x = asked.model, asked.first.target
        self.x, self.y = x[0::2], x[1::2]
        z = torch.randn((len(self.x), self.model.latent_dim), generator=asked.trainer.generator)
        self.fake = self.model.generator(self.x, z)
        self.r = self.model.discriminator(torch.cat([self.y, self.x], 1))
        self.f = self.model.discriminator(torch.cat([self.fake, self.x], 1))
        other = torch.randn(z.shape, generator=asked.trainer.generator)
        made = self.model.generator(self.x, other) if self.model.mode_seeking else self.fake.detach() + 1
        self.seeking = ((z - other).abs().mean(1) / ((made - self.fake).abs().mean((1, 2, 3)) + 1e-5)).mean()

    def loss(self) -> torch.Tensor:
        kept = self.model.discriminator(torch.cat([self.fake.detach(), self.x], 1))
        return -(self.r.sigmoid().log().mean() + (1 - kept.sigmoid()).log().mean())

    def generator_loss(self) -> torch.Tensor:
        return -self.f.sigmoid().log().mean() + self.model.mode_seeking * self.seeking


def mode_seeking_loss(asked: Asked) -> float:
    return Pairs(asked).seeking.item()


def pair_loss(asked: Asked) -> float:
    return Pairs(asked).loss().item()


def pair_generator_loss(asked: Asked) -> float:
    return float(-np.log(special.expit(f64(Pairs(asked).f))).mean())


def pair_real_accuracy(asked: Asked) -> float:
    return float((f64(Pairs(asked).r) > 0).mean())


def pair_fake_accuracy(asked: Asked) -> float:
    return float((f64(Pairs(asked).f) < 0).mean())


def pair_diversity(asked: Asked) -> float:
    game = Pairs(asked)
    return float(per_example(f64(game.fake)).var(0).sum() / per_example(f64(game.y)).var(0).sum())


def pair_discriminator_gradient(asked: Asked) -> float:
    game = Pairs(asked)
    return slope(game.loss(), game.model.discriminator)


def pair_generator_gradient(asked: Asked) -> float:
    game = Pairs(asked)
    return slope(game.generator_loss(), game.model.generator)


def variations(asked: Asked) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The examples, and two variations of each."""
    rows = []
    with torch.no_grad():
        for batch, generator in asked.walk():
            x = batch.target
            z = [torch.randn((len(x), asked.model.latent_dim), generator=generator) for _ in range(2)]
            rows.append([per_example(f64(part)) for part in (x, *(asked.model.vary(x, each) for each in z))])
    return tuple(np.concatenate(part) for part in zip(*rows, strict=True))


def apart(asked: Asked) -> float:
    """The mean squared distance of two examples of a class."""
    x, y = per_example(asked.part.x), asked.part.labels
    return float(np.mean([((x[i] - x[j]) ** 2).sum() for i, j in combinations(range(len(x)), 2) if y[i] == y[j]]))


def variation_variety(asked: Asked) -> float:
    _, first, second = variations(asked)
    return float(((first - second) ** 2).sum(1).mean() / apart(asked))


def variation_distance(asked: Asked) -> float:
    x, first, _ = variations(asked)
    return float(((first - x) ** 2).sum(1).mean() / apart(asked))


def varied(asked: Asked) -> torch.Tensor:
    with fork_rng(asked.trainer) as generator, torch.no_grad():
        return torch.cat(
            [
                asked.model.vary(batch.target, torch.randn((len(batch), asked.model.latent_dim), generator=generator))
                for batch in asked.part.batches
            ]
        )


def variation_frechet(asked: Asked) -> float:
    return distance(of_images(asked, clean(asked))[0], of_images(asked, varied(asked))[0])


def variation_class_agreement(asked: Asked) -> float:
    return float((of_images(asked, varied(asked))[1] == asked.part.labels).mean())


# -- gran -------------------------------------------------------------------------------------------------------------


def canvas_of(step: int):
    """The distance of the canvases after a step, which are drawn after the samples of the same evaluation."""

    def far(asked: Asked) -> float:
        model, n = asked.model, len(asked.part)
        with fork_rng(asked.trainer) as generator, torch.no_grad():
            model.sample(n, generator)
            canvases = model.averaged["generator"].canvases(model.noise(n, generator))
        return distance(of_images(asked, clean(asked))[0], of_images(asked, canvases[step - 1])[0])

    return far
