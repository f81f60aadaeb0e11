"""The steps of encoders as one writes them by hand: plain torch, the same networks, augmentations and optimizer."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div, normalize

from benchmarks.peers.translation.handwritten import DEVICE, STEPS, built
from nnlab.experiment.run import Experiment

BATCH = 128
SMALL = ["model.body.channels=[16,32]", "model.body.hidden=64"]
MODELS = {
    "transformer": ["model.depth=2"],
    "distillation": ["model.body.hidden=[800,800]", "model.teacher=RUN", "augmentation=affine"],
    "simclr": SMALL,
    "barlow_twins": SMALL,
    "supcon": SMALL,
    "triplet": SMALL,
    "mae": ["model.depth=2", "model.decoder_depth=1"],
}
Step = Callable[[Tensor, Tensor], Tensor]  # the loss of images (N, 1, 28, 28) and labels (N,)


def embedded(e: Experiment) -> Callable[[Tensor], Tensor]:
    """z of two views, the first of all examples and then the second."""
    model, random = e.model, e.trainer.generator

    def z(x: Tensor) -> Tensor:
        views = torch.cat([e.trainer.augmentation(x, random), e.trainer.augmentation(x, random)])
        return model.head(model.body(views))

    return z


def transformer(e: Experiment) -> Step:
    return lambda x, y: cross_entropy(e.model.head(e.model.body(x)), y)


def distillation(e: Experiment) -> Step:
    model, random, t = e.model, e.trainer.generator, 20

    def loss(x: Tensor, y: Tensor) -> Tensor:
        x = e.trainer.augmentation(x, random)
        own = model.head(model.body(x))
        with torch.no_grad():
            other = model.teacher.head(model.teacher.body(x))
        soft = kl_div((own / t).log_softmax(1), (other / t).log_softmax(1), reduction="batchmean", log_target=True)
        return 0.9 * t**2 * soft + 0.1 * cross_entropy(own, y)

    return loss


def simclr(e: Experiment) -> Step:
    of, partner = embedded(e), torch.arange(2 * BATCH, device=DEVICE).roll(BATCH)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        z = normalize(of(x), dim=1)
        return cross_entropy((z @ z.mT / 0.5).fill_diagonal_(-torch.inf), partner)

    return loss


def barlow_twins(e: Experiment) -> Step:
    of = embedded(e)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        a, b = ((z - z.mean(0)) / (z.var(0, correction=0) + 1e-5).sqrt() for z in of(x).chunk(2))
        c = a.mT @ b / len(a)
        on = (1 - c.diagonal()).square().sum()
        return on + 0.005 * (c.square().sum() - c.diagonal().square().sum())

    return loss


def supcon(e: Experiment) -> Step:
    of, own = embedded(e), torch.eye(2 * BATCH, dtype=torch.bool, device=DEVICE)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        z, label = normalize(of(x), dim=1), y.repeat(2)
        likely = (z @ z.mT / e.model.temperature).masked_fill(own, -torch.inf).log_softmax(1)
        same = (label[:, None] == label) & ~own
        return -(likely.masked_fill(~same, 0).sum(1) / same.sum(1)).mean()

    return loss


def triplet(e: Experiment) -> Step:
    own = torch.eye(BATCH, dtype=torch.bool, device=DEVICE)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        z = e.model.head(e.model.body(x))
        square = z.square().sum(1)
        d = (square[:, None] + square - 2 * z @ z.mT).clamp(min=1e-12).sqrt()
        positive, negative = (y[:, None] == y) & ~own, y[:, None] != y
        farther = negative[:, None] & (d[:, None] > d[:, :, None])
        nearest = torch.where(farther, d[:, None], torch.inf).amin(2)
        farthest = torch.where(negative, d, 0).amax(1, keepdim=True)
        q = torch.where(nearest.isinf(), farthest, nearest)
        return (((d - q + 0.2).relu() * positive).sum(1) / positive.sum(1)).mean()

    return loss


def mae(e: Experiment) -> Step:
    model = e.model

    def loss(x: Tensor, y: Tensor) -> Tensor:
        order = torch.rand(len(x), model.count, device=DEVICE).argsort(1)
        n, p = len(x), model.patch
        patches = x.view(n, 28 // p, p, 28 // p, p).transpose(2, 3).reshape(n, model.count, p * p)
        error = (model.predict(x, order) - patches).square().mean(2)
        return error.gather(1, order[:, model.kept :]).mean()

    return loss


LOSSES = {
    "transformer": transformer,
    "distillation": distillation,
    "simclr": simclr,
    "barlow_twins": barlow_twins,
    "supcon": supcon,
    "triplet": triplet,
    "mae": mae,
}


def loop(name: str) -> Callable[[], float]:
    """STEPS updates; gives the mean loss."""
    torch.manual_seed(0)
    experiment = built(name, MODELS[name], BATCH)
    sources = experiment.data.train.sources
    x, y = sources["target"].x, sources["label"].x
    loss_of = LOSSES[name](experiment)
    parameters = [p for p in experiment.model.parameters() if p.requires_grad]
    decays = [p for p in parameters if p.ndim > 1]
    groups = [{"params": decays}, {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0}]
    optimizer = (
        torch.optim.AdamW(groups, lr=1e-3, weight_decay=0.05, fused=True)
        if name in ("transformer", "mae")
        else torch.optim.Adam(parameters, lr=1e-3, fused=True)
    )

    def some() -> float:
        total = torch.zeros((), device=DEVICE)
        order = torch.cat([torch.randperm(len(x), device=DEVICE) for _ in range(-(-STEPS * BATCH // len(x)))])
        for rows in order[: STEPS * BATCH].split(BATCH):
            loss = loss_of(x.index_select(0, rows) * (1 / 255), y[rows])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            total += loss.detach()
        return total.item() / STEPS

    return some


def prepare() -> dict[str, Callable[[], float]]:
    torch.set_flush_denormal(True)  # as nnlab does
    return {name: loop(name) for name in MODELS}
