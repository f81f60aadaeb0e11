"""The steps of the models that draw by steps and by classes as one writes them by hand: plain torch, the same networks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softplus

from benchmarks.peers.translation.handwritten import BATCH, DEVICE, STEPS, adam, averaging, built, judged, stepped
from nnlab.experiment.run import Experiment

SMALL = ["model.channels=[32,64]"]
MODELS = {"gran": SMALL, "bagan": SMALL, "dagan": SMALL}


def noise(n: int, dim: int) -> Tensor:
    return torch.randn(n, dim, device=DEVICE)


def gran(e: Experiment) -> Callable[[Tensor, Tensor], Tensor]:
    g, d = e.model.generator, e.model.discriminator
    players, average = (adam(g), adam(d)), averaging(g)

    def critic(x: Tensor) -> Tensor:
        return d(x).squeeze(1)

    def step(x: Tensor, label: Tensor) -> Tensor:
        fake = g(noise(len(x), e.model.latent_dim))
        stepped(judged(critic, (x,), (fake.detach(),)), players[1], d)
        loss = softplus(-critic(fake)).mean()
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def bagan(e: Experiment) -> Callable[[Tensor, Tensor], Tensor]:
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


def dagan(e: Experiment) -> Callable[[Tensor, Tensor], Tensor]:
    g, d = e.model.generator, e.model.discriminator
    players, average = (adam(g), adam(d)), averaging(g)

    def critic(y: Tensor, x: Tensor) -> Tensor:
        return d(torch.cat([y, x], 1)).squeeze(1)

    def step(images: Tensor, label: Tensor) -> Tensor:
        x, y = images[0::2], images[1::2]
        fake = g(x, noise(len(x), e.model.latent_dim))
        stepped(judged(critic, (y, x), (fake.detach(), x)), players[1], d)
        loss = softplus(-critic(fake, x)).mean()
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def loop(name: str) -> Callable[[], float]:
    """STEPS updates of all players; gives the generator's mean loss."""
    torch.manual_seed(0)
    experiment = built(name, MODELS[name])
    images, labels = (experiment.data.train.sources[part].x for part in ("target", "label"))
    step = {"gran": gran, "bagan": bagan, "dagan": dagan}[name](experiment)

    def some() -> float:
        total = torch.zeros((), device=DEVICE)
        for rows in torch.randperm(len(images), device=DEVICE)[: STEPS * BATCH].split(BATCH):
            total += step(images.index_select(0, rows) * (1 / 255), labels[rows])
        return total.item() / STEPS

    return some


def prepare() -> dict[str, Callable[[], float]]:
    torch.set_flush_denormal(True)  # as nnlab does
    return {name: loop(name) for name in MODELS}
