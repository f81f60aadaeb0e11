"""What the first step of a run records under train/: the terms of its batch with the weights before it."""

from __future__ import annotations

import numpy as np
import torch
from expected_energies import free_energies
from expected_outputs import estimate, jacobians, layer_error_of, penalty_of, per_example, signs
from expected_variational import bound, cross
from recorded_run import Asked, f64
from scipy import spatial, special, stats


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


def soft_loss(asked: Asked) -> float:
    """T² Σ_c p_c log (p_c / q_c) at T = 20, by scipy."""
    with torch.no_grad():
        taught = f64(asked.model.teacher.eval().logits(asked.first.input))
    p, q = (special.softmax(each / 20, axis=1) for each in (taught, logits(asked)))
    return float(400 * special.rel_entr(p, q).sum(1).mean())


def distilled_loss(asked: Asked) -> float:
    return 0.9 * soft_loss(asked) + 0.1 * cross_entropy(asked)


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
    """Of the optimizer that is chosen: its rate, at the beginning of a fall by a cosine or a straight line; or of the rise to
    it, which ends with the first update after it.
    """
    node = asked.trainer.settings.pretraining.optimizer if asked.stage else asked.trainer.optimizer_node
    rise = int(node["schedule"].get("warmup", 0) * asked.trainer.steps_per_epoch)
    return node["lr"] / (rise + 1)


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
