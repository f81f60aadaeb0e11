"""Losses of embeddings: by pairs of views, by classes, by triplets."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from nnlab.nn.products import exact_product

Distance = Literal["euclidean", "cosine"]
Mining = Literal["hard", "semi_hard", "all"]
LEAST = 1e-12  # of a squared distance before its root, whose gradient at 0 is infinite


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The normalised temperature-scaled cross-entropy of two views (Chen et al. 2020, equation 1).

    ℓ_ij = −log ( exp(cos(z_i, z_j)/τ) / Σ_{k ≠ i} exp(cos(z_i, z_k)/τ) ),   over all 2N views k

    first, second  (N, d) the embeddings of both views; row i of one belongs to row i of the other

    Returns ½ (ℓ_ij + ℓ_ji), nats, and the share of both views whose partner is nearest to them, (N,) each. Equal embeddings
    give ln(2N − 1).
    """
    n = len(first)
    z = functional.normalize(torch.cat([first, second]).float(), dim=1)
    loss, right = NTXent.apply(z, temperature)
    return loss.view(2, n).mean(0), right.view(2, n).mean(0)


class NTXent(torch.autograd.Function):
    """ℓ_i = log Σ_{k ≠ i} exp(s_ik) − s_{i p(i)},  s = z z′/τ, of unit vectors z (2N, d), whose partners are N places further.

    ∂(Σ_k g_k ℓ_k)/∂z_i = Σ_k (g_i P_ik + g_k P_ki) z_k / τ − (g_i + g_p) z_p / τ,   P_ik = softmax_{k ≠ i} s_ik

    The (2N)² products become P in their own memory; what autograd would keep and make of them is three times as large.
    """

    @staticmethod
    def forward(ctx, z: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        """ℓ (2N,), and whether the partner is the nearest, (2N,) float32."""
        half = len(z) // 2
        partner = torch.arange(len(z), device=z.device).roll(half)
        p = exact_product(z, z).div_(temperature).fill_diagonal_(-torch.inf)
        right = (p.argmax(1) == partner).float()
        likely = p.gather(1, partner[:, None]).squeeze(1)
        largest = p.amax(1, keepdim=True)
        total = p.sub_(largest).exp_().sum(1, keepdim=True)
        ctx.p, ctx.temperature = p.div_(total), temperature
        ctx.save_for_backward(z)
        ctx.mark_non_differentiable(right)
        return (largest + total.log()).squeeze(1) - likely, right

    @staticmethod
    def backward(ctx, gradient: Tensor, _: Tensor) -> tuple[Tensor, None]:
        """The gradient of z; it uses up P."""
        (z,), half = ctx.saved_tensors, len(gradient) // 2
        weighted = ctx.p.mul_(gradient[:, None])
        ctx.p = None
        toward = (gradient + gradient.roll(half))[:, None] * z.roll(half, 0)
        return (exact_product(weighted, z.mT) + exact_product(weighted.mT, z.mT) - toward).div_(ctx.temperature), None


def supervised_contrast(views: Tensor, label: Tensor, temperature: float) -> Tensor:
    """The supervised contrastive loss L_out (Khosla et al. 2020, "Supervised contrastive learning", equation 2).

    ℓ_i = −1/|P(i)| Σ_{p ∈ P(i)} log ( exp(cos(z_i, z_p)/τ) / Σ_{k ≠ i} exp(cos(z_i, z_k)/τ) )

    P(i) are all other views of examples of i's class. The factor τ/τ₀ of the authors' code is left out.

    views  (V, N, d) the embeddings of V views of N examples; label  (N,)

    Returns (N,), nats, the mean over the views of an example; 0 for a view without another of its class.
    """
    count, n = views.shape[:2]
    z = functional.normalize(views.flatten(0, 1).float(), dim=1)
    scores = (exact_product(z, z) / temperature).fill_diagonal_(-torch.inf)
    likely = scores.log_softmax(1)
    labels = label.repeat(count)
    same = (labels[:, None] == labels).fill_diagonal_(False)
    total = torch.where(same, likely, 0.0).sum(1)
    return (-total / same.sum(1).clamp(min=1)).view(count, n).mean(0)


def redundancy(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of the Barlow twins (Zbontar et al. 2021, equation 1), of two views.

    Σ_i (1 − C_ii)²  and  Σ_{i ≠ j} C_ij²,   C the correlations of the coordinates of both views over a batch, (d, d)

    first, second  (N, d)

    Returns both sums; the loss is the first plus λ times the second.
    """
    a, b = (standardised(view.float()) for view in (first, second))
    correlation = exact_product(a.mT, b.mT) / len(a)
    diagonal = torch.eye(len(correlation), dtype=torch.bool, device=correlation.device)
    invariance = (1 - correlation.diagonal()).square().sum()
    return invariance, correlation.masked_fill(diagonal, 0).square().sum()


def standardised(z: Tensor) -> Tensor:
    """(N, d) with mean 0 and variance 1 of each coordinate over the batch; 1e-5 is added to the variance."""
    centred = z - z.mean(0)
    return centred * (centred.square().mean(0) + 1e-5).rsqrt()


def distances(z: Tensor, kind: Distance) -> Tensor:
    """(N, N) of embeddings (N, d): Euclidean, or 1 − cos."""
    if kind == "cosine":
        unit = functional.normalize(z.float(), dim=1)
        return 1 - exact_product(unit, unit)
    z = z.float()
    z = z - z.mean(0).detach()  # the squares below lose digits where all embeddings are far from 0
    square = z.square().sum(1)
    return (square[:, None] + square - 2 * exact_product(z, z)).clamp(min=LEAST).sqrt()


def triplets(distance: Tensor, label: Tensor, mining: Mining, margin: float | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The triplet loss of each anchor (Schroff et al. 2015; Hermans et al. 2017), (N,).

    max(0, d(a, p) − d(a, n) + m),   without a margin the soft one: log(1 + exp(d(a, p) − d(a, n)))

    distance  (N, N) of the embeddings; label  (N,)
    mining    hard: p the farthest of the anchor's class, n the nearest of another. semi_hard: the mean over all p, n the
              nearest with d(a, p) < d(a, n), if there is none the farthest. all: the mean over all p and n

    Returns the loss of each anchor, whether each counts (one without another of its class does not), (N,) bool, the mean
    distance to its class and that to the others, (N,).
    """
    n = len(label)
    same = label[:, None] == label
    positive, negative = same & ~torch.eye(n, dtype=torch.bool, device=label.device), ~same
    counts = positive.any(1) & negative.any(1)
    near, far = (torch.where(mask, distance, 0.0).sum(1) / mask.sum(1).clamp(min=1) for mask in (positive, negative))
    if mining == "hard":
        p = torch.where(positive, distance, -torch.inf).amax(1)
        q = torch.where(negative, distance, torch.inf).amin(1)
        loss = hinge(torch.where(counts, p - q, 0.0), margin)
        return torch.where(counts, loss, 0.0), counts, near, far
    if mining == "semi_hard":
        ordered = torch.where(negative, distance, torch.inf).sort(1).values
        beyond = torch.searchsorted(ordered.detach(), distance.detach(), right=True)  # place of the first that is farther
        q = ordered.gather(1, torch.minimum(beyond, (negative.sum(1, keepdim=True) - 1).clamp(min=0)))
        each = hinge(torch.where(positive & counts[:, None], distance - q, 0.0), margin)
        return torch.where(positive, each, 0.0).sum(1) / positive.sum(1).clamp(min=1) * counts, counts, near, far
    whole = positive[:, :, None] & negative[:, None]
    each = hinge(distance[:, :, None] - distance[:, None], margin)
    return torch.where(whole, each, 0.0).sum((1, 2)) / whole.sum((1, 2)).clamp(min=1), counts, near, far


def hinge(x: Tensor, margin: float | None) -> Tensor:
    """max(0, x + margin), or log(1 + e^x) without a margin."""
    return functional.softplus(x) if margin is None else (x + margin).relu()
