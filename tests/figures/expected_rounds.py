"""What the first step of a game records under train/: the terms of a round whose players stand still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from expected_outputs import per_example
from expected_variational import divergence
from recorded_run import Asked, f64


def value(x: torch.Tensor) -> float:
    return float(x.detach())


class Round:
    """A step of the game, with gradients."""

    def __init__(self, asked: Asked) -> None:
        self.model, trainer, self.asked = asked.model, asked.trainer, asked
        self.objective, self.weight = trainer.settings.objective, trainer.settings.discriminator.gradient_penalty
        first, generator = asked.first, trainer.generator
        parts = trainer.parts(first)
        for part in parts[:-1]:
            self.model.play(part, generator)
            self.share(part, generator)
        self.batch = parts[-1]
        self.play = self.add_instance_noise(self.model.play(self.batch, generator), trainer)
        if not self.model.critics:  # of a stage in which nobody plays
            return
        self.r, self.f = self.model.discriminate(*self.play.real), self.model.discriminate(*self.play.fake)
        self.drawn = self.share(self.batch, generator)
        if self.weight:
            self.penalised = self.penalty()
        self.f_again = self.model.discriminate(*self.play.fake)  # after the discriminator's step, which moved nothing

    def add_instance_noise(self, play, trainer):
        """With a noise of 0.1 of the range on what is seen, where there is to be one."""
        if not trainer.settings.discriminator.instance_noise:
            return play
        real, fake = (x + 0.1 * torch.randn(x.shape, generator=trainer.generator) for (x,) in (play.real, play.fake))
        return replace(play, real=(real,), fake=(fake,))

    def share(self, batch, generator) -> torch.Tensor | None:
        return torch.rand(len(batch), generator=generator) if self.weight else None

    def losses(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the discriminator and of who made the samples, as the papers have them."""
        r, f, again, log = self.r, self.f, self.f_again, torch.nn.functional.logsigmoid
        if self.play.wrong:
            wrong = self.model.discriminate(self.play.real[0], *self.play.wrong.conditions)[self.play.wrong.counts]
            return -(log(r).mean() + 0.5 * log(-f).mean() + 0.5 * log(-wrong).mean()), -log(again).mean()
        if self.objective == "non_saturating":
            return -(log(r).mean() + log(-f).mean()), -log(again).mean()
        if self.objective == "hinge":
            return (1 - r).clamp(min=0).mean() + (1 + f).clamp(min=0).mean(), -again.mean()
        if self.objective == "minimax":
            return -(log(r).mean() + log(-f).mean()), log(-again).mean()
        if self.objective == "least_squares":
            return 0.5 * ((r - 1).square().mean() + f.square().mean()), 0.5 * (again - 1).square().mean()
        assert self.objective == "wasserstein"
        return f.mean() - r.mean(), -again.mean()

    def penalty(self) -> torch.Tensor:
        """E (‖∇D(x̂)‖ − 1)² at x̂ between data and samples (Gulrajani et al. 2017)."""
        (real,), (fake,) = self.play.real, self.play.fake
        e = self.drawn.view(-1, *[1] * (real.ndim - 1))
        between = (e * real.detach() + (1 - e) * fake.detach()).requires_grad_()
        (slope,) = torch.autograd.grad(self.model.discriminate(between).sum(), between, create_graph=True)
        return (slope.flatten(1).norm(dim=1) - 1).square().mean()

    def cost(self, player: str) -> torch.Tensor:
        """What a player minimises."""
        judged, made = self.losses() if self.model.critics else (None, None)
        name = type(self.model).__name__
        if player == "discriminator":
            return judged + self.weight * self.penalised if self.weight else judged
        if name == "AAE":
            return self.code_error() + self.model.weight * made
        if name == "BiGAN":
            return made - torch.nn.functional.logsigmoid(-self.r).mean()
        if name == "VAEGAN":
            return self.kl() + self.feature_error() if player == "encoder" else self.model.gamma * self.feature_error() + made
        if name == "Pix2Pix":
            return made + self.model.l1 * self.absolute_error()
        if name == "SRGAN":
            return 1e-3 * made + self.content() if self.model.playing else self.pixel_error()
        if name == "StackGAN":
            kept = self.play.kept
            q = torch.distributions.Normal(kept["mean"], (0.5 * kept["log_variance"]).exp())
            kl = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()
            made = made + self.model.kl * kl
            return made + self.model.consistency * self.inconsistency() if "small" in self.play.kept else made
        if name == "InfoGAN":
            c, s = self.information()
            return made - c - 0.1 * s
        return made

    def code_error(self) -> torch.Tensor:
        x = self.batch.target
        return (self.model.decoder(self.model.encoder(x)) - x).square().flatten(1).sum(1).mean()

    def inconsistency(self) -> torch.Tensor:
        """Mean square of stage II's images less stage I's, by the weights 1, 3, 3, 1 around each pair of pixels; at a border
        of those that are inside.
        """
        fake, small = self.play.fake[0], self.play.kept["small"]
        kernel = torch.tensor([1.0, 3.0, 3.0, 1.0]).outer(torch.tensor([1.0, 3.0, 3.0, 1.0])).expand(len(fake[0]), 1, 4, 4)
        sums = [
            torch.nn.functional.conv2d(x, kernel, stride=2, padding=1, groups=len(fake[0]))
            for x in (fake, torch.ones_like(fake))
        ]
        return ((sums[0] / sums[1] - small) / self.model.spec.value_range).square().mean()

    def kl(self) -> torch.Tensor:
        q = torch.distributions.Normal(self.play.kept["mean"], (0.5 * self.play.kept["log_variance"]).exp())
        return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()

    def feature_error(self) -> torch.Tensor:
        body = self.model.discriminator[:-1]
        seen, wanted = body(self.play.fake[0]), body(self.play.real[0]).detach()
        return 0.5 * (seen[: len(wanted)] - wanted).square().sum(1).mean()

    def absolute_error(self) -> torch.Tensor:
        """Of values between −1 and 1."""
        return ((2 * self.play.fake[0] - 1) - (2 * self.batch.target - 1)).abs().mean()

    def pixel_error(self) -> torch.Tensor:
        return ((2 * self.play.fake[0] - 1) - (2 * self.batch.target - 1)).pow(2).mean()

    def content(self) -> torch.Tensor:
        """Of the features of the tests' fully connected classifier."""
        network = self.model.content.network.eval()
        split = network.features(self.asked.trainer.data.train.values(self.asked.trainer.data.train.rows))
        seen, wanted = network.features(self.play.fake[0]), network.features(self.batch.target)
        return (seen - wanted).pow(2).mean() / split.pow(2).mean()

    def information(self) -> tuple[torch.Tensor, torch.Tensor]:
        """H(c) + E log Q(c|x), and the same of the continuous codes, by torch's distributions."""
        model, kept = self.model, self.play.kept
        features = model.discriminator[0](self.play.fake[0])
        told, mean, width = model.posterior(features).split([10, 2, 2], 1)
        c = np.log(10) + torch.distributions.Categorical(logits=told).log_prob(kept["c"]).mean()
        q = torch.distributions.Normal(mean, torch.nn.functional.softplus(width) + 0.05)
        return c, 2 * np.log(2) + q.log_prob(kept["s"]).sum(1).mean()


def discriminator_loss(asked: Asked) -> float:
    return value(Round(asked).losses()[0])


def generator_loss(asked: Asked) -> float:
    return value(Round(asked).losses()[1])


def encoder_loss(asked: Asked) -> float:
    """Of pairs of data with their codes: the generator's side with the roles exchanged."""
    return value(-torch.nn.functional.logsigmoid(-Round(asked).r).mean())


def real_accuracy(asked: Asked) -> float:
    game = Round(asked)
    return float((f64(game.r) > middle(game)).mean())


def fake_accuracy(asked: Asked) -> float:
    game = Round(asked)
    return float((f64(game.f) < middle(game)).mean())


def middle(game: Round) -> float:
    middles = {"wasserstein": value(game.r.mean() + game.f.mean()) / 2, "least_squares": 0.5}
    return middles.get(game.objective, 0.0)


def diversity(asked: Asked) -> float:
    """The variance of samples by that of data, in the first part of what the discriminator sees."""
    game = Round(asked)
    real, fake = (per_example(f64(objects[0])) for objects in (game.play.real, game.play.fake))
    return float(fake.var(0).sum() / real.var(0).sum())


def gradient_penalty(asked: Asked) -> float:
    return value(Round(asked).penalty())


def weighted_penalty(asked: Asked) -> float:
    return 10 * gradient_penalty(asked)


def gradient_of(player: str):
    def norm(asked: Asked) -> float:
        game = Round(asked)
        own = [p for part in game.model.players()[player] for p in part.parameters() if p.requires_grad]
        slopes = torch.autograd.grad(game.cost(player), own, allow_unused=True)
        return float(np.sqrt(sum(float(g.double().square().sum()) for g in slopes if g is not None)))

    return norm


def code_error(asked: Asked) -> float:
    return value(Round(asked).code_error())


def code_kl(asked: Asked) -> float:
    kept = Round(asked).play.kept
    return float(divergence(f64(kept["mean"]), f64(kept["log_variance"])).sum(1).mean())


def feature_error(asked: Asked) -> float:
    return value(Round(asked).feature_error())


def categorical_information(asked: Asked) -> float:
    return value(Round(asked).information()[0])


def continuous_information(asked: Asked) -> float:
    return value(Round(asked).information()[1])


def l1(asked: Asked) -> float:
    return value(Round(asked).absolute_error())


def pixel_error(asked: Asked) -> float:
    return value(Round(asked).pixel_error())


def content(asked: Asked) -> float:
    return value(Round(asked).content())
