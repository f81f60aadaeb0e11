"""Figures of a game between two domains: of an evaluation, of its judges, and of its first step."""

from __future__ import annotations

import numpy as np
import torch
from recorded_run import Asked, f64
from torch import Tensor


def sides(asked: Asked) -> dict[str, Tensor]:
    """The images of both domains that an evaluation sees."""
    batches = asked.part.batches
    return {"a": torch.cat([batch.target for batch in batches]), "b": torch.cat([batch["b"] for batch in batches])}


def translated(asked: Asked, x: Tensor, to: str) -> Tensor:
    with torch.no_grad():
        return asked.model.averaged[f"generator_{to}"].eval()(x)


def cycle_error(side: str, other: str):
    def error(asked: Asked) -> float:
        x = sides(asked)[side]
        return float(np.abs(f64(translated(asked, translated(asked, x, other), side)) - f64(x)).mean())

    return error


def decibels(made: Tensor, truth: Tensor) -> float:
    error = ((f64(made) - f64(truth)) ** 2).reshape(len(truth), -1).mean(1)
    return float((-10 * np.log10(error)).mean())


def translation_psnr_a(asked: Asked) -> float:
    return decibels(translated(asked, sides(asked)["b"], "a"), sides(asked)["a"])


def translation_psnr_b(asked: Asked) -> float:
    return decibels(translated(asked, sides(asked)["a"], "b"), sides(asked)["b"])


def identity_psnr(asked: Asked) -> float:
    return decibels(sides(asked)["a"], sides(asked)["b"])


# -- judges -------------------------------------------------------------------------------------------------------


def stored(asked: Asked, side: str) -> tuple[Tensor, np.ndarray]:
    """All images of a domain in a split and their classes; of small sets all are judged."""
    split = asked.trainer.data.split(asked.split)
    names = {"a": ("target", "label"), "b": ("b", "b_label")}[side]
    rows = split.unpaired["b"] if side == "b" else split.rows
    images, labels = (split.sources[name] for name in names)
    return images.values(rows), labels.raw(rows).numpy()


def read(asked: Asked, by: str, x: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The features and the classes that a domain's judge sees in images."""
    net = asked.trainer.judge.judges[by].model.eval()
    with torch.no_grad():
        features = net.features(x)
        return f64(features), net.decide(features).argmax(1).numpy()


def class_agreement(to: str, given: str):
    def agreement(asked: Asked) -> float:
        x, label = stored(asked, given)
        return float((read(asked, to, translated(asked, x, to))[1] == label).mean())

    return agreement


def untranslated_agreement(to: str, given: str):
    def agreement(asked: Asked) -> float:
        x, label = stored(asked, given)
        return float((read(asked, to, x)[1] == label).mean())

    return agreement


def judge_accuracy(side: str):
    return untranslated_agreement(side, side)


def frechet_distance(to: str, given: str):
    def distance(asked: Asked) -> float:
        real, made = stored(asked, to)[0], translated(asked, stored(asked, given)[0], to)
        a, b = read(asked, to, real)[0], read(asked, to, made)[0]
        ca, cb = np.cov(a.T), np.cov(b.T)
        roots = np.sqrt(np.linalg.eigvals(ca @ cb).real.clip(0))
        return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb) - 2 * roots.sum())

    return distance


BOTH = (("a", "b"), ("b", "a"))
FIGURES = {f"cycle_error_{side}": cycle_error(side, other) for side, other in BOTH}
FIGURES |= {f"class_agreement_{to}": class_agreement(to, given) for to, given in BOTH}
FIGURES |= {f"untranslated_agreement_{to}": untranslated_agreement(to, given) for to, given in BOTH}
FIGURES |= {f"judge_accuracy_{side}": judge_accuracy(side) for side, _ in BOTH}
FIGURES |= {f"frechet_distance_{to}": frechet_distance(to, given) for to, given in BOTH}
PAIRED = {f.__name__: f for f in (translation_psnr_a, translation_psnr_b, identity_psnr)}


# -- the first step -----------------------------------------------------------------------------------------------


class Step:
    """The first step of a game of least squares whose players stand still."""

    def __init__(self, asked: Asked) -> None:
        self.model, trainer = asked.model, asked.trainer
        first = asked.first
        self.a, self.b = first.target, first["b"]
        m = self.model
        self.fake_b, self.fake_a = m.generator_b(self.a), m.generator_a(self.b)
        self.shown_a = pooled(self.fake_a, len(m.pool_a.images), trainer.generator)
        self.shown_b = pooled(self.fake_b, len(m.pool_b.images), trainer.generator)

    def fooled(self, side: str) -> Tensor:
        fake = self.fake_a if side == "a" else self.fake_b
        return ((getattr(self.model, f"discriminator_{side}")(fake) - 1) ** 2).mean()

    def cycle(self) -> Tensor:
        m = self.model
        return 2 * (m.generator_a(self.fake_b) - self.a).abs().mean() + 2 * (m.generator_b(self.fake_a) - self.b).abs().mean()

    def identity(self) -> Tensor:
        m = self.model
        return 2 * (m.generator_a(self.a) - self.a).abs().mean() + 2 * (m.generator_b(self.b) - self.b).abs().mean()

    def said(self, side: str) -> tuple[Tensor, Tensor]:
        judge = getattr(self.model, f"discriminator_{side}")
        real, shown = (self.a, self.shown_a) if side == "a" else (self.b, self.shown_b)
        return judge(real), judge(shown)

    def judged(self, side: str) -> Tensor:
        r, f = self.said(side)
        return 0.5 * ((r - 1) ** 2).mean() + 0.5 * (f**2).mean()


def pooled(fake: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """What a pool shows that was empty: the first images themselves, then with probability ½ one of the past."""
    u, kept, shown = torch.rand((2, len(fake)), generator=generator), [], []
    for i, image in enumerate(fake.detach()):
        if len(kept) < size:
            kept.append(image)
            shown.append(image)
        elif u[0, i] < 0.5:
            place = int(u[1, i] * size)
            shown.append(kept[place])
            kept[place] = image
        else:
            shown.append(image)
    return torch.stack(shown)


def gradient(player: str):
    def norm(asked: Asked) -> float:
        step = Step(asked)
        kind, side = player.split("_")
        common = step.fooled("a") + step.fooled("b") + 10 * step.cycle() + 5 * step.identity()
        loss = common if kind == "generator" else step.judged(side)
        slopes = torch.autograd.grad(loss, list(getattr(step.model, player).parameters()))
        return float(np.sqrt(sum(float(g.double().square().sum()) for g in slopes)))

    return norm


def of_step(function):
    return lambda asked: float(torch.as_tensor(function(Step(asked))).detach())


def diversity(side: str):
    def share(step: Step) -> float:
        real, fake = (step.a, step.shown_a) if side == "a" else (step.b, step.shown_b)
        return float(f64(fake).reshape(len(fake), -1).var(0).sum() / f64(real).reshape(len(real), -1).var(0).sum())

    return share


TERMS = {"cycle_loss": of_step(Step.cycle), "identity_loss": of_step(Step.identity)}
for side in "ab":
    TERMS |= {
        f"generator_{side}_loss": of_step(lambda step, side=side: step.fooled(side) / 2),
        f"discriminator_{side}_loss": of_step(lambda step, side=side: step.judged(side)),
        f"discriminator_{side}_real_accuracy": of_step(lambda step, side=side: (step.said(side)[0] > 0.5).double().mean()),
        f"discriminator_{side}_fake_accuracy": of_step(lambda step, side=side: (step.said(side)[1] < 0.5).double().mean()),
        f"discriminator_{side}_diversity": of_step(diversity(side)),
    }
    for player in (f"generator_{side}", f"discriminator_{side}"):
        TERMS |= {f"{player}_gradient": gradient(player), f"{player}_lr": lambda asked: 0.0}
