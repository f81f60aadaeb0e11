"""The steps of the models that draw by steps, classes and words as one writes them by hand: plain torch, the same networks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, softplus

from benchmarks.peers.translation.handwritten import BATCH, DEVICE, STEPS, adam, averaging, built, judged, stepped
from nnlab.experiment.run import Experiment

SMALL = ["model.channels=[32,64]"]
SCENES = ["data=scenes", "data@data.of=npz", "data.of.file=FILE", "data.size=28", "data.sizes=[10,16]", "data.colours=none"]
MODELS = {"gran": SMALL, "bagan": SMALL, "dagan": SMALL, "stackgan": [*SMALL, *SCENES], "gawwn": [*SMALL, *SCENES]}
GIVEN = {"bagan": ("label",), "stackgan": ("caption",), "gawwn": ("caption", "box")}  # beside the images


def noise(n: int, dim: int) -> Tensor:
    return torch.randn(n, dim, device=DEVICE)


def gran(e: Experiment) -> Callable[..., Tensor]:
    g, d = e.model.generator, e.model.discriminator
    players, average = (adam(g), adam(d)), averaging(g)

    def critic(x: Tensor) -> Tensor:
        return d(x).squeeze(1)

    def step(x: Tensor) -> Tensor:
        fake = g(noise(len(x), e.model.latent_dim))
        stepped(judged(critic, (x,), (fake.detach(),)), players[1], d)
        loss = softplus(-critic(fake)).mean()
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def bagan(e: Experiment) -> Callable[..., Tensor]:
    model = e.model
    g, d = model.generator, model.discriminator
    players, average = (adam(g), adam(d)), averaging(g)

    def step(x: Tensor, label: Tensor) -> Tensor:
        asked = torch.randint(10, (len(x),), device=DEVICE)
        z = model.means[asked] + (model.factors[asked] @ noise(len(x), model.latent_dim)[:, :, None]).squeeze(2)
        fake = g(z)
        loss = cross_entropy(d(x), label) + cross_entropy(d(fake.detach()), torch.full_like(label, 10))
        stepped(loss, players[1], d)
        loss = cross_entropy(d(fake), asked)
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def dagan(e: Experiment) -> Callable[..., Tensor]:
    g, d = e.model.generator, e.model.discriminator
    players, average = (adam(g), adam(d)), averaging(g)

    def critic(y: Tensor, x: Tensor) -> Tensor:
        return d(torch.cat([y, x], 1)).squeeze(1)

    def step(images: Tensor) -> Tensor:
        x, y = images[0::2], images[1::2]
        fake = g(x, noise(len(x), e.model.latent_dim))
        stepped(judged(critic, (y, x), (fake.detach(), x)), players[1], d)
        loss = softplus(-critic(fake, x)).mean()
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def stackgan(e: Experiment) -> Callable[..., Tensor]:
    model = e.model
    first = model.averaged["generators"][0]  # stage I does not learn any more
    g, d, text = model.generators[1], model.discriminators[1], model.embedding.text
    players, average = (adam(g), adam(d)), averaging(g)

    def step(x: Tensor, caption: Tensor) -> Tensor:
        with torch.no_grad():
            phi = text(caption)
            small = first(phi, noise(len(x), model.latent_dim + first.condition.length))[0]
            scores = model.embedding.scale.exp() * cosine_similarity(phi[:, None], phi[None], dim=2)
            same = (caption[:, None] == caption).all(2)
            other = phi[torch.multinomial(scores.masked_fill(same, -torch.inf).softmax(1), 1).squeeze(1)]
        fake, mean, log_variance = g(phi, noise(len(x), g.condition.length), small)
        right, wrong = d(x, torch.stack([phi, other]))  # the features of an image once
        loss = softplus(-right).mean() + 0.5 * (softplus(d(fake.detach(), phi)).mean() + softplus(wrong).mean())
        stepped(loss, players[1], d)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1).mean()
        loss = softplus(-d(fake, phi)).mean() + model.kl * kl
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def gawwn(e: Experiment) -> Callable[..., Tensor]:
    g, d = e.model.generator, e.model.discriminator
    players, average = (adam(g), adam(d)), averaging(g)

    def step(x: Tensor, caption: Tensor, box: Tensor) -> Tensor:
        fake = g(noise(len(x), e.model.latent_dim), caption, box)
        stepped(judged(d, (x, caption, box), (fake.detach(), caption, box)), players[1], d)
        loss = softplus(-d(fake, caption, box)).mean()
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def loop(name: str) -> Callable[[], float]:
    """STEPS updates of all players; gives the generator's mean loss."""
    torch.manual_seed(0)
    experiment = built(name, MODELS[name])
    sources = experiment.data.train.sources
    step = {"gran": gran, "bagan": bagan, "dagan": dagan, "stackgan": stackgan, "gawwn": gawwn}[name](experiment)

    def given(part: str, rows: Tensor) -> Tensor:
        x = sources[part].x
        return x[rows, torch.randint(x.shape[1], rows.shape, device=DEVICE)] if part == "caption" else x[rows]

    def some() -> float:
        total = torch.zeros((), device=DEVICE)
        for rows in torch.randperm(len(sources["target"].x), device=DEVICE)[: STEPS * BATCH].split(BATCH):
            x = sources["target"].x.index_select(0, rows) * (1 / 255)
            total += step(x, *(given(part, rows) for part in GIVEN.get(name, ())))
        return total.item() / STEPS

    return some


def prepare() -> dict[str, Callable[[], float]]:
    torch.set_flush_denormal(True)  # as nnlab does
    return {name: loop(name) for name in MODELS}
