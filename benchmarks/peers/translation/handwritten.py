"""The steps of the models from image to image as one writes them by hand, in plain torch, with nnlab's networks."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, softplus

from nnlab.checkpoints.reference import resolve_references
from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.run import Experiment, build_experiment, run_experiment
from nnlab.families.gan.lapgan import LAPGAN
from nnlab.recording.console import Console
from nnlab.runs.folder import RunFolder

BATCH, STEPS, DECAY, IMAGES = 32, 12, 0.999, 1024
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SMALL = ["model.channels=[32,64,128,256]", "model.width=32"]
MODELS = {
    "pix2pix": ["noise=edges", *SMALL],
    "srgan": ["noise.factor=4", "model.width=32", "model.blocks=4", "model.discriminator_width=16", "model.content=RUN"],
    "cyclegan": ["data=domains", "+data@data.a=npz", "data.a.file=FILE", "+data@data.b=npz", "data.b.file=FILE"],
    "lapgan": ["model.channels=[64,128]"],
}
MODELS["cyclegan"] += ["model.channels=[16,32,64]", "model.blocks=3", "model.width=32"]


def built(name: str, settings: Sequence[str], batch: int = BATCH) -> Experiment:
    """A model of images that were drawn at random, of ten classes, at the start of its last stage.

    settings  in which RUN is a classifier of these images, after two updates, and FILE the images
    """
    folder = Path(tempfile.mkdtemp())
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (IMAGES + 64, 28, 28), dtype=np.uint8)
    label = np.arange(len(images)) % 10
    np.savez(folder / "own.npz", x_train=images[:IMAGES], y_train=label[:IMAGES], x_test=images[IMAGES:], y_test=label[IMAGES:])
    own = ["data=npz", f"data.root={folder}", "data.file=own.npz", f"device={DEVICE.type}"]
    if any(text.endswith("=RUN") for text in settings):
        experiment = build_experiment(to_dict(compose_config(["model=cnn", "model.channels=[16,32]", *own, "trainer.steps=2"])))
        run = RunFolder(folder / "classifier")
        run.path.mkdir()
        run_experiment(experiment, run, Console(quiet=True))
    typed = [text.replace("RUN", f"{folder / 'classifier'}").replace("FILE", "own.npz") for text in settings]
    chosen = any(text.startswith("data=") for text in settings)  # data that are made of these images
    common = [text for text in own if not (chosen and text.startswith(("data=", "data.file=")))]
    common = [*common, "data.validation=0", f"trainer.batch_size={batch}", "trainer.precision=float32", "trainer.epochs=1000"]
    config, problems = resolve_references(to_dict(compose_config([f"model={name}", *common, *typed])))
    assert not problems, problems
    experiment = build_experiment(config)
    experiment.initialize()
    experiment.trainer.start_stage(len(experiment.trainer.stages) - 1)
    experiment.model.train()
    return experiment


def adam(*networks: nn.Module) -> torch.optim.Optimizer:
    parameters = [p for network in networks for p in network.parameters()]
    return torch.optim.Adam(parameters, lr=2e-4, betas=(0.5, 0.999), fused=True)


def averaging(*networks: nn.Module) -> Callable[[], None]:
    weights = [p.detach() for network in networks for p in network.parameters()]
    averages = [p.clone() for p in weights]
    return lambda: torch._foreach_lerp_(averages, weights, 1 - DECAY)


def stepped(loss: Tensor, optimizer: torch.optim.Optimizer, *networks: nn.Module) -> None:
    """A step of some networks alone."""
    loss.backward(inputs=[p for network in networks for p in network.parameters()])
    optimizer.step()
    optimizer.zero_grad()


def judged(d: Callable[..., Tensor], real: Iterable[Tensor], fake: Iterable[Tensor]) -> Tensor:
    return softplus(-d(*real)).mean() + softplus(d(*fake)).mean()


def squared(d: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    return 0.5 * ((d(real) - 1).square().mean() + d(fake).square().mean())


def pix2pix(e: Experiment) -> Callable[[Tensor], Tensor]:
    model, edges = e.model, e.trainer.noise
    g, d = model.generator, model.discriminator
    players, average, random = (adam(g), adam(d)), averaging(g), e.trainer.generator

    def step(y: Tensor) -> Tensor:
        x, _ = edges(y, random)
        fake = g(x)
        stepped(judged(d, (y, x), (fake.detach(), x)), players[1], d)
        loss = softplus(-d(fake, x)).mean() + 100 * 2 * (fake - y).abs().mean()
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def srgan(e: Experiment) -> Callable[[Tensor], Tensor]:
    model, smaller = e.model, e.trainer.noise
    g, d, content = model.generator, model.discriminator, model.content
    players, average, random = (adam(g), adam(d)), averaging(g), e.trainer.generator

    def step(y: Tensor) -> Tensor:
        x, _ = smaller(y, random)
        fake = g(x)
        stepped(judged(d, (y,), (fake.detach(),)), players[1], d)
        with torch.no_grad():
            wanted = content.maps(y)
        loss = (content.maps(fake) - wanted).square().mean() / content.square + 1e-3 * softplus(-d(fake)).mean()
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def cyclegan(e: Experiment) -> Callable[[Tensor], Tensor]:
    model = e.model
    g, f, d_a, d_b = model.generator_b, model.generator_a, model.discriminator_a, model.discriminator_b
    makers, critics = adam(g, f), (adam(d_a), adam(d_b))
    average, random = averaging(g, f), e.trainer.generator

    def far(made: Tensor, x: Tensor) -> Tensor:
        return 2 * (made - x).abs().mean()

    def step(a: Tensor) -> Tensor:
        b = a.flip(0)
        fake_b, fake_a = g(a), f(b)
        fooled = (d_b(fake_b) - 1).square().mean() + (d_a(fake_a) - 1).square().mean()
        loss = fooled + 10 * (far(f(fake_b), a) + far(g(fake_a), b)) + 5 * (far(g(b), b) + far(f(a), a))
        stepped(loss, makers, g, f)
        stepped(squared(d_a, a, model.pool_a(fake_a.detach(), random)), critics[0], d_a)
        stepped(squared(d_b, b, model.pool_b(fake_b.detach(), random)), critics[1], d_b)
        average()
        return loss.detach()

    return step


def lapgan(e: Experiment) -> Callable[[Tensor], Tensor]:
    model: LAPGAN = e.model
    g, d = model.generator, model.discriminator
    players, average = (adam(g), adam(d)), averaging(g)

    def critic(x: Tensor, below: Tensor) -> Tensor:
        return d(torch.cat([x, below], 1))

    def step(x: Tensor) -> Tensor:
        small = interpolate(x, (14, 14), mode="bilinear", antialias=True)
        below = interpolate(small, (28, 28), mode="bilinear")
        fake = (below + g(below, torch.randn(len(x), 1, 28, 28, device=x.device))).clamp(0, 1)
        stepped(judged(critic, (x, below), (fake.detach(), below)), players[1], d)
        loss = softplus(-critic(fake, below)).mean()
        stepped(loss, players[0], g)
        average()
        return loss.detach()

    return step


def loop(name: str) -> Callable[[], float]:
    """STEPS updates of all players; gives the generators' mean loss."""
    torch.manual_seed(0)
    experiment = built(name, MODELS[name])
    images = experiment.data.train.target.x
    step = {"pix2pix": pix2pix, "srgan": srgan, "cyclegan": cyclegan, "lapgan": lapgan}[name](experiment)

    def some() -> float:
        total = torch.zeros((), device=DEVICE)
        for rows in torch.randperm(len(images), device=DEVICE)[: STEPS * BATCH].split(BATCH):
            total += step(images.index_select(0, rows) * (1 / 255))
        return total.item() / STEPS

    return some


def prepare() -> dict[str, Callable[[], float]]:
    torch.set_flush_denormal(True)  # as nnlab does
    return {name: loop(name) for name in MODELS}
