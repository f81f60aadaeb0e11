"""Figures of variational and vector-quantised models: by formula or by quadrature.

What a figure draws is drawn here in the same order; what is made of the draws is computed anew.
"""

from __future__ import annotations

import numpy as np
import torch
from expected_outputs import per_example
from recorded_run import Asked, f64, fork_rng, walk
from scipy import integrate, spatial, special, stats


def cross(x: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """−Σ x log σ(l) + (1 − x) log σ(−l) over all but the first axis, nats."""
    return per_example(-x * special.log_expit(logits) - (1 - x) * special.log_expit(-logits)).sum(1)


def divergence(mean: np.ndarray, log_variance: np.ndarray) -> np.ndarray:
    """KL(N(μ, σ²) ‖ N(0, 1)) of each coordinate."""
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance)


def bound(model, batch, noise: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """−log p(x|z) and the KL, each (N,), and the negative bound of k codes; noise (N, k, d) or (N, d)."""
    with torch.no_grad():
        mean, log_variance = model.posterior(batch.input, batch.label)
    m, lv = f64(mean), f64(log_variance)
    eps = f64(noise).reshape(len(m), -1, m.shape[1])
    z = m[:, None] + np.exp(lv / 2)[:, None] * eps
    parts = []
    for i in range(z.shape[1]):
        with torch.no_grad():
            logits = model.output(torch.from_numpy(z[:, i]).float(), batch.label)
        parts.append(cross(f64(batch.target), f64(logits)))
    reconstruction, kl = np.stack(parts, 1), divergence(m, lv).sum(1)
    log_q = stats.norm.logpdf(eps).sum(2) - lv.sum(1)[:, None] / 2
    log_w = -reconstruction + stats.norm.logpdf(z).sum(2) - log_q
    return reconstruction.mean(1), kl, -(special.logsumexp(log_w, axis=1) - np.log(z.shape[1]))


def bounds(asked: Asked) -> tuple[np.ndarray, ...]:
    """Over a split."""
    model, found = asked.model, []
    with torch.no_grad():
        for batch, generator in asked.walk():
            d = model.latent_dim
            shape = (len(batch), model.k, d) if asked.run.model_name == "iwae" else (len(batch), d)
            found.append(bound(model, batch, torch.randn(shape, generator=generator)))
    return tuple(map(np.concatenate, zip(*found, strict=True)))


def reconstruction(asked: Asked) -> float:
    return float(bounds(asked)[0].mean())


def kl(asked: Asked) -> float:
    return float(bounds(asked)[1].mean())


def negative_elbo(asked: Asked) -> float:
    return reconstruction(asked) + kl(asked)


def variational_loss(asked: Asked) -> float:
    nll, divergences, several = bounds(asked)
    if asked.run.model_name == "iwae":
        return float(several.mean())
    beta, capacity = asked.run.weights
    return float((nll + beta * np.abs(divergences - capacity)).mean())


def posteriors(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    batch = asked.part.batch
    with torch.no_grad():
        mean, log_variance = asked.model.eval().posterior(batch.input, batch.label)
    return f64(mean), np.exp(f64(log_variance))


def active_units(asked: Asked) -> float:
    return float((posteriors(asked)[0].var(0) > 0.01).sum())


def aggregate_mean(asked: Asked) -> float:
    return float(np.sqrt((posteriors(asked)[0].mean(0) ** 2).mean()))


def aggregate_std(asked: Asked) -> float:
    mean, variance = posteriors(asked)
    return float(np.sqrt((mean.var(0) + variance.mean(0)).mean()))


def aggregate_kl(asked: Asked) -> float:
    """torch's own divergence of two multivariate normals."""
    mean, variance = posteriors(asked)
    covariance = np.cov(mean.T, bias=True) + np.diag(variance.mean(0))
    normal = torch.distributions.MultivariateNormal
    d = mean.shape[1]
    ours = normal(torch.from_numpy(mean.mean(0)), torch.from_numpy(covariance))
    prior = normal(torch.zeros(d, dtype=torch.float64), torch.eye(d, dtype=torch.float64))
    return float(torch.distributions.kl_divergence(ours, prior))


def evidence(asked: Asked) -> np.ndarray:
    """log p(x) of each example by quadrature over a code of one dimension."""
    z = np.linspace(-9, 9, 3001)
    with torch.no_grad():
        logits = f64(asked.model.eval().output(torch.from_numpy(z).float()[:, None]))
    log_prior = stats.norm.logpdf(z)
    values = []
    for x in asked.part.x:
        log_joint = log_prior - cross(np.broadcast_to(x, logits.shape), logits)
        top = log_joint.max()
        values.append(top + np.log(integrate.trapezoid(np.exp(log_joint - top), z)))
    return np.array(values)


def log_likelihood(asked: Asked) -> float:
    return float(evidence(asked).mean())


def bits_per_dimension(asked: Asked) -> float:
    return -log_likelihood(asked) / (64 * np.log(2))


def importance(asked: Asked) -> list[np.ndarray]:
    """Of each example the weights p(x, z)/q(z|x) of the codes that log p(x) was estimated by, (k,), adding up to 1."""
    model, k, weights = asked.model, asked.trainer.samples, []
    together = max(1, asked.trainer.chunk // k)  # examples whose codes are drawn at once
    with fork_rng(asked.trainer) as generator, torch.no_grad():
        for batch, _ in walk(asked.trainer, asked.split, generator):
            mean, log_variance = map(f64, model.posterior(batch.input))
            noise = [torch.randn((len(rows), k, 1), generator=generator) for rows in torch.arange(len(batch)).split(together)]
            for m, lv, e, x in zip(
                mean[:, 0], log_variance[:, 0], f64(torch.cat(noise))[:, :, 0], f64(batch.target), strict=True
            ):
                z = m + np.exp(lv / 2) * e
                logits = f64(model.output(torch.from_numpy(z).float()[:, None]))
                log_w = stats.norm.logpdf(z) - (stats.norm.logpdf(e) - lv / 2) - cross(np.broadcast_to(x, logits.shape), logits)
                weights.append(np.exp(log_w - special.logsumexp(log_w)))
    return weights


def effective_samples(asked: Asked) -> float:
    return float(np.mean([1 / (w**2).sum() for w in importance(asked)]))


def log_likelihood_error(asked: Asked) -> float:
    """Of each example the standard error of the mean weight over that mean (the delta method); of their mean."""
    errors = [w.std(ddof=1) / np.sqrt(len(w)) / w.mean() for w in importance(asked)]
    return float(np.sqrt((np.array(errors) ** 2).sum()) / len(errors))


def quantised(asked: Asked) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Encoder outputs (N, T, D), the nearest code of each (N, T), the codes (K, D)."""
    model = asked.model.eval()
    with torch.no_grad():
        z = f64(model.features(asked.part.batch.input))
        book = f64(model.codebook(torch.arange(len(model.codebook))))
    nearest = spatial.distance.cdist(z.reshape(-1, z.shape[-1]), book).argmin(1).reshape(z.shape[:2])
    return z, nearest, book


def commitment(asked: Asked) -> float:
    z, index, book = quantised(asked)
    return float(((z - book[index]) ** 2).sum((1, 2)).mean())


def perplexity(asked: Asked) -> float:
    _, index, book = quantised(asked)
    return float(np.exp(stats.entropy(np.bincount(index.ravel(), minlength=len(book)))))


def codebook_usage(asked: Asked) -> float:
    _, index, book = quantised(asked)
    return len(np.unique(index)) / len(book)


def quantised_reconstruction(asked: Asked) -> float:
    _, index, book = quantised(asked)
    with torch.no_grad():
        logits = asked.model.output(torch.from_numpy(book[index]).float())
    return float(cross(asked.part.x, f64(logits)).mean())


def prior_nats(asked: Asked) -> float:
    """−log p of each symbol given those before it, one after the other."""
    index = quantised(asked)[1]
    symbols, total = torch.from_numpy(index), 0.0
    with torch.no_grad():
        for t in range(symbols.shape[1]):
            unknown = torch.cat([symbols[:, :t], torch.zeros_like(symbols[:, t:])], 1)  # what comes later must not matter
            logits = f64(asked.model.prior(unknown))[:, t]
            total += -special.log_softmax(logits, axis=1)[np.arange(len(index)), index[:, t]].mean()
    return float(total)


def first_stage_loss(asked: Asked) -> float:
    return quantised_reconstruction(asked) + 0.25 * commitment(asked)


def quantised_elbo(asked: Asked) -> float:
    return quantised_reconstruction(asked) + prior_nats(asked)


def quantised_bits(asked: Asked) -> float:
    return quantised_elbo(asked) / (64 * np.log(2))
