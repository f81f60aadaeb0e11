"""Figures of models with a likelihood, an energy or a game: by formula, enumeration or quadrature.

What a figure draws is drawn here in the same order; what is made of the draws is computed anew.
"""

from __future__ import annotations

import numpy as np
import torch
from expected_outputs import mutual_information, per_example, rand_index
from recorded_run import Asked, f64, fork_rng, walk
from scipy import integrate, spatial, special, stats
from sklearn import metrics, neighbors

from nnlab.data.feed import BatchBuilder

# -- variational --------------------------------------------------------------------------------------------------------


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


# -- vector quantisation ------------------------------------------------------------------------------------------------


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


# -- energies -----------------------------------------------------------------------------------------------------------


def rbm_of(asked: Asked):
    return asked.trainer.machine


def free_energies(asked: Asked, v: np.ndarray) -> np.ndarray:
    """−a′v − Σ log(1 + exp(b + W′v))."""
    rbm = rbm_of(asked)
    w, a, b = f64(rbm.weight), f64(rbm.visible_bias), f64(rbm.hidden_bias)
    return -v @ a - np.logaddexp(0, b + v @ w).sum(1)


def visibles(asked: Asked, split: str) -> list[np.ndarray]:
    with fork_rng(asked.trainer) as generator, torch.no_grad():
        return [f64(asked.trainer.visible(b, generator)) for b, _ in walk(asked.trainer, split, generator)]


def pseudo_likelihood(asked: Asked) -> float:
    """−log p(v_i|the others), by the free energies with the bit as it is and turned; 4 bits drawn per example, times D/4.

    A gray value is the probability of its bit.
    """
    total = []
    for batch, generator in asked.walk():
        with torch.no_grad():
            v = f64(asked.trainer.visible(batch, generator))
        n, d = v.shape
        for _ in range(4):
            i = torch.randint(d, (n,), generator=generator).numpy()
            on, off = v.copy(), v.copy()
            on[np.arange(n), i], off[np.arange(n), i] = 1, 0
            log_odds = free_energies(asked, off) - free_energies(asked, on)
            value = v[np.arange(n), i]
            total.append((-value * special.log_expit(log_odds) - (1 - value) * special.log_expit(-log_odds)) * d / 4)
    return float(np.concatenate(total).sum() / len(asked.part))


def free_energy(asked: Asked) -> float:
    """Of what follows the pseudo-likelihood's draws, where a layer below is drawn as well."""
    return float(free_energies(asked, np.concatenate(interleaved(asked))).mean())


def interleaved(asked: Asked) -> list[np.ndarray]:
    found = []
    for batch, generator in asked.walk():
        with torch.no_grad():
            v = f64(asked.trainer.visible(batch, generator))
        for _ in range(4):
            torch.randint(v.shape[1], (len(v),), generator=generator)
        found.append(v)
    return found


def free_energy_gap(asked: Asked) -> float:
    train = np.concatenate(visibles(asked, "train"))
    return free_energy(asked) - float(free_energies(asked, train).mean())


def exact_likelihood(asked: Asked) -> float:
    """log p(v) with log Z by the sum over all states of the hidden units."""
    rbm = rbm_of(asked)
    w, a, b = f64(rbm.weight), f64(rbm.visible_bias), f64(rbm.hidden_bias)
    n = len(b)
    h = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)
    log_z = special.logsumexp(h @ b + np.logaddexp(0, a + h @ w.T).sum(1))
    return float(-free_energies(asked, per_example(asked.part.x)).mean() - log_z)


def machine_states(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Of a general Boltzmann machine all states (2ⁿ, n), and their energies −½ s′Ws − b′s."""
    model = asked.model
    n = model.units
    s = (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)
    w, b = f64(model.weight), f64(model.bias)
    return s, -0.5 * np.einsum("ij,jk,ik->i", s, w, s) - s @ b


def counted_free_energy(asked: Asked) -> float:
    return float(-np.mean([special.logsumexp(-e) for e in agreeing(asked)]))


def agreeing(asked: Asked) -> list[np.ndarray]:
    """The energies of the states whose visible units are an example's, of each example."""
    s, energy = machine_states(asked)
    visible = s[:, : asked.model.visible]
    return [energy[(visible == v).all(1)] for v in per_example(asked.part.x)]


def counted_likelihood(asked: Asked) -> float:
    _, energy = machine_states(asked)
    return float(np.mean([special.logsumexp(-e) for e in agreeing(asked)]) - special.logsumexp(-energy))


def settled_pseudo_likelihood(asked: Asked) -> float:
    """−Σ log p(v_i|the others, the hidden units at their mean field)."""
    model, v = asked.model, per_example(asked.part.x)
    w, b, d = f64(model.weight), f64(model.bias), model.visible
    m = np.full((len(v), model.hidden), 0.5)
    for _ in range(200):
        m = 0.5 * m + 0.5 * special.expit(np.concatenate([v, m], 1) @ w[:, d:] + b[d:])
    field = np.concatenate([v, m], 1) @ w[:, :d] + b[:d]
    return float(cross(v, field).mean())


def spins(x: np.ndarray) -> np.ndarray:
    return np.where(per_example(x) > 0.5, 1.0, -1.0)


def memory_energy(asked: Asked) -> float:
    s, w = spins(asked.part.x), f64(asked.model.weight)
    return float(np.mean([-0.5 * state @ w @ state for state in s]))


def overlap(asked: Asked) -> float:
    return float((spins(asked.part.x) * spins(asked.output)).mean())


# -- games --------------------------------------------------------------------------------------------------------------


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


# -- a judge ------------------------------------------------------------------------------------------------------------


def judged(asked: Asked) -> dict[str, np.ndarray]:
    """Features and class probabilities of data and of as many samples, of the classes asked for where there are any."""
    judge, model, part = asked.trainer.judge, asked.model, asked.part
    with fork_rng(asked.trainer) as generator, torch.no_grad():
        if hasattr(model, "sample_class"):
            samples = model.sample_class(part.batch.label, generator)
        else:
            samples = model.sample(len(part), generator)
        real, fake = (judge.model.features(judge.adapt(x)) for x in (part.batch.target, samples))
        found = {"real": f64(real), "fake": f64(fake)}
        return found | {f"{k}_classes": f64(judge.model.decide(v)) for k, v in (("real", real), ("fake", fake))}


def frechet_distance(asked: Asked) -> float:
    found = judged(asked)
    a, b = found["real"], found["fake"]
    ca, cb = np.cov(a.T), np.cov(b.T)
    roots = np.sqrt(np.linalg.eigvals(ca @ cb).real.clip(0))  # whose sum is the trace of the root
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb) - 2 * roots.sum())


def kernel_distance(asked: Asked) -> float:
    found = judged(asked)
    a, b = found["real"], found["fake"]
    k = lambda x, y: metrics.pairwise.polynomial_kernel(x, y, degree=3, coef0=1)  # noqa: E731
    n, m = len(a), len(b)
    aa, bb = k(a, a), k(b, b)
    within = (aa.sum() - np.trace(aa)) / (n * (n - 1)) + (bb.sum() - np.trace(bb)) / (m * (m - 1))
    return float(within - 2 * k(a, b).mean())


def share_inside(of: np.ndarray, among: np.ndarray) -> float:
    """The share of points that lie in a ball about another set's point as wide as to its third nearest neighbour."""
    radii = neighbors.NearestNeighbors(n_neighbors=4).fit(among).kneighbors(among)[0][:, 3]
    return float((spatial.distance.cdist(of, among) <= radii).any(1).mean())


def precision(asked: Asked) -> float:
    found = judged(asked)
    return share_inside(found["fake"], found["real"])


def recall(asked: Asked) -> float:
    found = judged(asked)
    return share_inside(found["real"], found["fake"])


def shares(asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    found = judged(asked)
    counted = [np.bincount(found[f"{k}_classes"].argmax(1), minlength=10) for k in ("fake", "real")]
    return tuple(c / c.sum() for c in counted)


def mode_coverage(asked: Asked) -> float:
    fake, real = shares(asked)
    return float(sum(f >= 0.1 * r for f, r in zip(fake, real, strict=True) if r > 0))


def min_class_share(asked: Asked) -> float:
    fake, real = shares(asked)
    return float(min(f for f, r in zip(fake, real, strict=True) if r > 0))


def class_divergence(asked: Asked) -> float:
    return float(stats.entropy(*shares(asked)))


def conditional_accuracy(asked: Asked) -> float:
    return float((judged(asked)["fake_classes"].argmax(1) == asked.part.labels).mean())


def class_agreement(asked: Asked) -> float:
    judge = asked.trainer.judge
    with torch.no_grad():
        made = asked.model.eval().reconstruct(asked.part.batch.input)  # of a cvae without being told the class
        seen = judge.model.classify(judge.adapt(made))
    return float((seen.argmax(1).numpy() == asked.part.labels).mean())


def judge_accuracy(asked: Asked) -> float:
    split = asked.trainer.data.split(asked.split)
    clean = torch.cat([b.target for b in BatchBuilder(split).sequential(torch.Generator())])
    with torch.no_grad():
        said = asked.trainer.judge.model.classify(asked.trainer.judge.adapt(clean)).argmax(1).numpy()
    return float((said == asked.part.labels).mean())
