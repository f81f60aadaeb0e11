"""What the first step of a run records under train/: the terms of its batch with the weights before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from expected_models import bound, cross, divergence, free_energies
from expected_outputs import estimate, jacobians, layer_error_of, penalty_of, per_example, signs
from recorded_run import Asked, f64
from scipy import spatial, special, stats
from sklearn import decomposition


def output(asked: Asked) -> np.ndarray:
    with torch.no_grad():
        return f64(asked.model.reconstruct(asked.first.input))


def squared_error(asked: Asked) -> float:
    return float(per_example((output(asked) - f64(asked.first.target)) ** 2).sum(1).mean())


def codes(asked: Asked) -> np.ndarray:
    with torch.no_grad():
        return f64(asked.model.encode(asked.first.input))


def stacked_loss(asked: Asked) -> float:
    """Of a layer alone, or of all."""
    if not asked.stage:
        return squared_error(asked)
    return layer_error_of(asked.model, int(asked.stage.removeprefix("layer_")), f64(asked.first.target))


def penalty(asked: Asked) -> float:
    return penalty_of(asked.model, codes(asked))


def sparse_loss(asked: Asked) -> float:
    return squared_error(asked) + asked.model.weight * penalty(asked)


def contraction(asked: Asked) -> float:
    first, model = asked.first, asked.model
    if len(model.layers) == 1:
        return float((jacobians(model, first.input) ** 2).sum((1, 2)).mean())
    return estimate(signs(len(first), model.latent_dim, asked.trainer.generator), jacobians(model, first.input))


def contractive_loss(asked: Asked) -> float:
    return squared_error(asked) + asked.model.weight * contraction(asked)


def logits(asked: Asked) -> np.ndarray:
    with torch.no_grad():
        return f64(asked.model.logits(asked.first.input))


def cross_entropy(asked: Asked) -> float:
    told = special.log_softmax(logits(asked), axis=1)
    return float(-told[np.arange(len(told)), asked.first.label.numpy()].mean())


def accuracy(asked: Asked) -> float:
    return float((logits(asked).argmax(1) == asked.first.label.numpy()).mean())


def bounds(asked: Asked) -> tuple[np.ndarray, ...]:
    model, first = asked.model, asked.first
    d = model.latent_dim
    shape = (len(first), model.k, d) if asked.run.model_name == "iwae" else (len(first), d)
    return bound(model, first, torch.randn(shape, generator=asked.trainer.generator))


def reconstruction(asked: Asked) -> float:
    return float(bounds(asked)[0].mean())


def kl(asked: Asked) -> float:
    return float(bounds(asked)[1].mean())


def variational_loss(asked: Asked) -> float:
    nll, divergences, several = bounds(asked)
    beta, capacity = asked.run.first_weights
    return float(several.mean() if asked.run.model_name == "iwae" else (nll + beta * np.abs(divergences - capacity)).mean())


def first_rate(asked: Asked) -> float:
    """Of the optimizer that is chosen: its rate, at the beginning of a fall by a cosine or a straight line."""
    node = asked.trainer.settings.pretraining.optimizer if asked.stage else asked.trainer.optimizer_node
    return node["lr"]


# -- vector quantisation ------------------------------------------------------------------------------------------------


def quantised(asked: Asked) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    model = asked.model
    with torch.no_grad():
        z = f64(model.features(asked.first.input))
        book = f64(model.codebook(torch.arange(len(model.codebook))))
    return z, spatial.distance.cdist(z.reshape(-1, z.shape[-1]), book).argmin(1).reshape(z.shape[:2]), book


def commitment(asked: Asked) -> float:
    z, index, book = quantised(asked)
    return float(((z - book[index]) ** 2).sum((1, 2)).mean())


def quantised_reconstruction(asked: Asked) -> float:
    _, index, book = quantised(asked)
    with torch.no_grad():
        return float(cross(f64(asked.first.target), f64(asked.model.output(torch.from_numpy(book[index]).float()))).mean())


def perplexity(asked: Asked) -> float:
    _, index, book = quantised(asked)
    return float(np.exp(stats.entropy(np.bincount(index.ravel(), minlength=len(book)))))


def quantised_loss(asked: Asked) -> float:
    return quantised_reconstruction(asked) + 0.25 * commitment(asked)


def prior_loss(asked: Asked) -> float:
    _, index, _ = quantised(asked)
    with torch.no_grad():
        told = special.log_softmax(f64(asked.model.prior(torch.from_numpy(index))), axis=2)
    return float(-np.take_along_axis(told, index[:, :, None], 2).sum((1, 2)).mean())


# -- energies -----------------------------------------------------------------------------------------------------------


def pseudo_likelihood(asked: Asked) -> float:
    """One bit per example, drawn; times their number."""
    trainer = asked.trainer
    with torch.no_grad():
        v = f64(trainer.visible(asked.first, trainer.generator))
    n, d = v.shape
    i = torch.randint(d, (n,), generator=trainer.generator).numpy()
    on, off = v.copy(), v.copy()
    on[np.arange(n), i], off[np.arange(n), i] = 1, 0
    log_odds, value = free_energies(asked, off) - free_energies(asked, on), v[np.arange(n), i]
    return float((-value * special.log_expit(log_odds) - (1 - value) * special.log_expit(-log_odds)).mean() * d)


def settled_pseudo_likelihood(asked: Asked) -> float:
    model, v = asked.model, per_example(f64(asked.first.target))
    w, b, d = f64(model.weight), f64(model.bias), model.visible
    m = np.full((len(v), model.hidden), 0.5)
    for _ in range(200):
        m = 0.5 * m + 0.5 * special.expit(np.concatenate([v, m], 1) @ w[:, d:] + b[d:])
    return float(cross(v, np.concatenate([v, m], 1) @ w[:, :d] + b[:d]).mean())


# -- passes: a record is of the whole set -------------------------------------------------------------------------------


def everything(asked: Asked) -> np.ndarray:
    split = asked.trainer.data.train
    return per_example(f64(split.values(split.rows)))


def first_centres(asked: Asked) -> np.ndarray:
    """Of the start with the least inertia."""
    x = everything(asked)
    return min(f64(asked.model.starts), key=lambda centres: (spatial.distance.cdist(x, centres).min(1) ** 2).sum())


def to_first_centres(asked: Asked) -> np.ndarray:
    return spatial.distance.cdist(everything(asked), first_centres(asked))


def inertia(asked: Asked) -> float:
    return float((to_first_centres(asked).min(1) ** 2).sum())


def center_shift(asked: Asked) -> float:
    x, nearest, centres = everything(asked), to_first_centres(asked).argmin(1), first_centres(asked)
    return float(max(np.linalg.norm(x[nearest == k].mean(0) - centre) for k, centre in enumerate(centres)))


def empty_clusters(asked: Asked) -> float:
    return float(10 - len(np.unique(to_first_centres(asked).argmin(1))))


def joint_density(asked: Asked) -> np.ndarray:
    """log p(x) of the training set under a mixture as it begins."""
    model, x = asked.model, everything(asked)
    if asked.run.model_name == "gmm":
        parts = [
            stats.multivariate_normal(m, s @ s.T).logpdf(x) for m, s in zip(f64(model.means), f64(model.scales()), strict=True)
        ]
    else:
        parts = [x @ np.log(m) + (1 - x) @ np.log1p(-m) for m in f64(model.rates)]
    return np.logaddexp.reduce(np.stack(parts) + np.log(f64(model.weights))[:, None])


def log_likelihood(asked: Asked) -> float:
    return float(joint_density(asked).mean())


def bernoulli_bound(asked: Asked) -> float:
    """With the Beta prior Π m^a (1 − m)^a."""
    m, a = f64(asked.model.rates), asked.model.pseudo_count
    return log_likelihood(asked) + float(a * (np.log(m) + np.log1p(-m)).sum()) / len(everything(asked))


def class_likelihood(asked: Asked) -> float:
    split, x, total = asked.trainer.data.train, everything(asked), 0.0
    for row, c in zip(x, split.labels(split.rows).tolist(), strict=True):
        mixture = asked.model.mixtures[c]
        parts = [
            stats.multivariate_normal(m, s @ s.T).logpdf(row)
            for m, s in zip(f64(mixture.means), f64(mixture.scales()), strict=True)
        ]
        total += float(np.logaddexp.reduce(np.array(parts) + np.log(f64(mixture.weights))))
    return total / len(x)


def class_collapsed(asked: Asked) -> float:
    """Components that all points of their class together make responsible for less than two points."""
    split, x, total = asked.trainer.data.train, everything(asked), 0
    labels = split.labels(split.rows).numpy()
    for c, mixture in enumerate(asked.model.mixtures):
        own = x[labels == c]
        parts = [
            stats.multivariate_normal(m, s @ s.T).logpdf(own)
            for m, s in zip(f64(mixture.means), f64(mixture.scales()), strict=True)
        ]
        r = special.softmax(np.stack(parts) + np.log(f64(mixture.weights))[:, None], axis=0)
        total += int((r.sum(1) < min(2, len(own) / len(r))).sum())
    return total


def left_over(asked: Asked) -> float:
    """The variance beyond the components."""
    x = everything(asked)
    return float(np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1][asked.model.latent_dim :].sum())


def explained_variance(asked: Asked) -> float:
    fit = decomposition.PCA(asked.model.latent_dim, svd_solver="full").fit(everything(asked))
    return float(fit.explained_variance_ratio_.sum())


def quantization_error(asked: Asked) -> float:
    x = per_example(f64(asked.first.target))
    return float(spatial.distance.cdist(x, f64(asked.model.units)).min(1).mean())


def memory_energy(asked: Asked) -> float:
    """Hebb's rule W = (1/N) Σ ξξ′ without a diagonal, and the mean energy of what is stored."""
    s = np.where(everything(asked) > 0.5, 1.0, -1.0)
    w = s.T @ s / s.shape[1]
    np.fill_diagonal(w, 0)
    return float(np.mean([-0.5 * v @ w @ v for v in s]))


def load(asked: Asked) -> float:
    return len(everything(asked)) / 64


# -- games, whose players stand still -----------------------------------------------------------------------------------


def value(x: torch.Tensor) -> float:
    return float(x.detach())


class Round:
    """A step of the game, with gradients."""

    def __init__(self, asked: Asked) -> None:
        self.model, trainer = asked.model, asked.trainer
        self.objective, self.weight = trainer.settings.objective, trainer.settings.discriminator.gradient_penalty
        first, generator = asked.first, trainer.generator
        parts = trainer.parts(first)
        for part in parts[:-1]:
            self.model.play(part, generator)
            self.share(part, generator)
        self.batch = parts[-1]
        self.play = self.add_instance_noise(self.model.play(self.batch, generator), trainer)
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
        judged, made = self.losses()
        name = type(self.model).__name__
        if player == "discriminator":
            return judged + self.weight * self.penalised if self.weight else judged
        if name == "AAE":
            return self.code_error() + self.model.weight * made
        if name == "BiGAN":
            return made - torch.nn.functional.logsigmoid(-self.r).mean()
        if name == "VAEGAN":
            return self.kl() + self.feature_error() if player == "encoder" else self.model.gamma * self.feature_error() + made
        if name == "InfoGAN":
            c, s = self.information()
            return made - c - 0.1 * s
        return made

    def code_error(self) -> torch.Tensor:
        x = self.batch.target
        return (self.model.decoder(self.model.encoder(x)) - x).square().flatten(1).sum(1).mean()

    def kl(self) -> torch.Tensor:
        q = torch.distributions.Normal(self.play.kept["mean"], (0.5 * self.play.kept["log_variance"]).exp())
        return torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum(1).mean()

    def feature_error(self) -> torch.Tensor:
        body = self.model.discriminator[:-1]
        seen, wanted = body(self.play.fake[0]), body(self.play.real[0]).detach()
        return 0.5 * (seen[: len(wanted)] - wanted).square().sum(1).mean()

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
