"""Figures of adversarial models: what the discriminator says, and how their codes lie."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from expected_classes import mutual_information, rand_index
from recorded_run import Asked, f64


def answers(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """What the discriminator says of data and of samples, batch after batch, by its batch's own statistics."""
    model, real, fake = asked.model, [], []
    before = {name: value.clone() for name, value in model.state_dict().items() if isinstance(value, torch.Tensor)}
    with torch.no_grad():
        for batch, generator in asked.walk():
            play = model.play(batch, generator)
            model.discriminator.train()
            real.append(f64(model.discriminate(*play.real)))
            fake.append(f64(model.discriminate(*play.fake)))
            model.discriminator.eval()
    model.load_state_dict(before, strict=False)  # the spectral norm's vectors turn with every look
    return np.concatenate(real), np.concatenate(fake)


def real_score(asked: Asked) -> float:
    return float(answers(asked)[0].mean())


def fake_score(asked: Asked) -> float:
    return float(answers(asked)[1].mean())


def threshold(asked: Asked, r: np.ndarray, f: np.ndarray) -> float:
    return {"least_squares": 0.5, "wasserstein": (r.mean() + f.mean()) / 2}.get(asked.trainer.settings.objective, 0.0)


def real_accuracy(asked: Asked) -> float:
    r, f = answers(asked)
    return float((r > threshold(asked, r, f)).mean())


def fake_accuracy(asked: Asked) -> float:
    r, f = answers(asked)
    return float((f < threshold(asked, r, f)).mean())


def boxes(asked: Asked) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each example the gray levels, 0 … 255, of a sample for its text and box, its own, and which pixels the box has."""
    model = asked.model
    for batch, generator in asked.walk():
        z = torch.randn((len(batch), model.latent_dim), generator=generator)
        with torch.no_grad():
            made = model.averaged["generator"](z, batch["caption"], batch["box"])
        for fake, real, (left, top, width, height) in zip(made, batch.target, batch["box"].int().tolist(), strict=True):
            inside = np.zeros(real.shape[1:], bool)
            inside[top : top + height, left : left + width] = True
            yield f64(fake).max(0) * 255, f64(real).max(0) * 255, inside


def overlap(gray: np.ndarray, inside: np.ndarray) -> float:
    """Of the pixels of the box and of those of the smallest box around the ink."""
    around = np.zeros_like(inside)
    rows, columns = np.nonzero(gray >= 32)
    if len(rows):
        around[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    return np.logical_and(around, inside).sum() / np.logical_or(around, inside).sum()


def share_inside(gray: np.ndarray, inside: np.ndarray) -> float:
    """Of all ink, by its gray levels."""
    level = np.where(gray >= 32, gray, 0)
    return level[inside].sum() / max(level.sum(), 1e-9)


def box_iou(asked: Asked) -> float:
    return float(np.mean([overlap(fake, inside) for fake, _, inside in boxes(asked)]))


def real_box_iou(asked: Asked) -> float:
    return float(np.mean([overlap(real, inside) for _, real, inside in boxes(asked)]))


def ink_in_box(asked: Asked) -> float:
    return float(np.mean([share_inside(fake, inside) for fake, _, inside in boxes(asked)]))


def real_ink_in_box(asked: Asked) -> float:
    return float(np.mean([share_inside(real, inside) for _, real, inside in boxes(asked)]))


def codes(asked: Asked) -> np.ndarray:
    with torch.no_grad():
        return f64(asked.model.eval().encode(asked.part.batch.target))


def code_mean(asked: Asked) -> float:
    return float(np.abs(codes(asked).mean(0)).max())


def code_deviation(asked: Asked) -> float:
    return float(np.abs(codes(asked).std(0) - 1).max())


def code_correlation(asked: Asked) -> float:
    r = np.corrcoef(codes(asked).T)
    return float(np.abs(r - np.eye(len(r))).max())


def categories(asked: Asked) -> np.ndarray:
    return codes(asked)[:, : asked.model.categories].argmax(1)


def category_nmi(asked: Asked) -> float:
    return mutual_information(asked.part.labels, categories(asked))


def category_ari(asked: Asked) -> float:
    return rand_index(asked.part.labels, categories(asked))
