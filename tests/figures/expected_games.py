"""Figures of adversarial models: what the discriminator says, and how their codes lie."""

from __future__ import annotations

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
