"""The losses of embeddings against double and triple loops, and the values that they have at known points."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
import torch
from torch import Tensor

from nnlab.families.contrastive.losses import distances, nt_xent, redundancy, supervised_contrast, triplets
from nnlab.nn.products import onednn


def embeddings(seed: int, n: int = 6, d: int = 4) -> Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def cosine(a: Tensor, b: Tensor) -> float:
    return (a @ b / (a.norm() * b.norm())).item()


def test_distances_do_not_depend_on_where_the_embeddings_are() -> None:
    near = embeddings(0, 8, 16)
    near[1] = near[0]
    expected = torch.cdist(near.double(), near.double()).float()
    far = distances(near + 100, "euclidean")
    assert torch.allclose(far, expected, atol=5e-3)


def test_nt_xent_is_that_of_a_double_loop() -> None:
    first, second, tau = embeddings(0), embeddings(1), 0.3
    loss, right = nt_xent(first, second, tau)
    views = [*first, *second]
    for i in range(6):
        each, hits = [], []
        for a, b in ((i, i + 6), (i + 6, i)):
            scores = {k: cosine(views[a], views[k]) / tau for k in range(12) if k != a}
            each.append(-log(exp(scores[b]) / sum(map(exp, scores.values()))))
            hits.append(max(scores, key=scores.get) == b)
        assert loss[i].item() == pytest.approx(np.mean(each), rel=1e-5)
        assert right[i].item() == np.mean(hits)
    swapped, _ = nt_xent(second, first, tau)
    assert torch.allclose(loss, swapped, atol=1e-6)


def test_the_gradient_is_that_of_autograd() -> None:
    first, second = (embeddings(seed, 7, 5).double().requires_grad_() for seed in (0, 1))
    weights = torch.rand(7, generator=torch.Generator().manual_seed(2))
    ours = torch.autograd.grad((nt_xent(first, second, 0.2)[0] * weights).sum(), (first, second))
    z = torch.nn.functional.normalize(torch.cat([first, second]), dim=1)
    scores = (z @ z.mT / 0.2).masked_fill(torch.eye(14, dtype=torch.bool), -torch.inf)
    naive = torch.nn.functional.cross_entropy(scores, torch.arange(14).roll(7), reduction="none").view(2, 7).mean(0)
    theirs = torch.autograd.grad((naive * weights).sum(), (first, second))
    for mine, other in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, other, atol=1e-6)


@pytest.mark.parametrize("n", [2, 5, 64])
def test_equal_embeddings_cost_the_logarithm_of_all_others(n: int) -> None:
    same = torch.ones(n, 3)
    assert nt_xent(same, same, 0.1)[0].mean().item() == pytest.approx(log(2 * n - 1), rel=1e-5)
    assert supervised_contrast(torch.stack([same, same]), torch.arange(n), 0.1).mean().item() == pytest.approx(log(2 * n - 1))


def test_the_supervised_loss_is_that_of_a_double_loop() -> None:
    views, label, tau = torch.stack([embeddings(0), embeddings(1)]), torch.tensor([0, 1, 0, 2, 1, 0]), 0.2
    flat, labels = [*views[0], *views[1]], [*label.tolist()] * 2
    found = supervised_contrast(views, label, tau)
    each = []
    for i in range(12):
        scores = {k: cosine(flat[i], flat[k]) / tau for k in range(12) if k != i}
        total = sum(map(exp, scores.values()))
        own = [k for k in scores if labels[k] == labels[i]]
        each.append(-np.mean([log(exp(scores[k]) / total) for k in own]))
    for i in range(6):
        assert found[i].item() == pytest.approx((each[i] + each[i + 6]) / 2, rel=1e-5)


def test_with_a_class_for_each_example_it_is_nt_xent() -> None:
    first, second = embeddings(0), embeddings(1)
    own = supervised_contrast(torch.stack([first, second]), torch.arange(6), 0.2)
    assert torch.allclose(own, nt_xent(first, second, 0.2)[0], atol=1e-5)


def test_a_view_without_relatives_costs_nothing() -> None:
    one = supervised_contrast(embeddings(0)[None], torch.arange(6), 0.2)
    assert torch.equal(one, torch.zeros(6))


def test_redundancy_is_of_the_correlations_of_both_views() -> None:
    first, second = embeddings(0, 40, 5), embeddings(1, 40, 5)
    first[:, 2] = second[:, 2]
    c = np.corrcoef(first.numpy().T, second.numpy().T)[:5, 5:]
    alike, redundant = redundancy(first, second)
    assert alike.item() == pytest.approx(((1 - np.diag(c)) ** 2).sum(), rel=1e-3)
    assert redundant.item() == pytest.approx((c**2).sum() - (np.diag(c) ** 2).sum(), rel=1e-3)
    assert redundancy(first, first)[0].item() == pytest.approx(0, abs=1e-4)


# -- triplets ---------------------------------------------------------------------------------------------------------

LABEL = torch.tensor([0, 1, 0, 2, 1, 0, 2, 2, 3, 1, 1, 0])


def by_triple_loop(distance: Tensor, mining: str, margin: float | None) -> list[float]:
    """The loss of each of twelve anchors."""
    d, y, found = distance.tolist(), LABEL.tolist(), []
    for a in range(12):
        positives = [p for p in range(12) if y[p] == y[a] and p != a]
        negatives = [n for n in range(12) if y[n] != y[a]]
        if not positives:
            found.append(0.0)
            continue
        pairs = {
            "hard": [(max(d[a][p] for p in positives), min(d[a][n] for n in negatives))],
            "all": [(d[a][p], d[a][n]) for p in positives for n in negatives],
            "semi_hard": [
                (
                    d[a][p],
                    min((d[a][n] for n in negatives if d[a][n] > d[a][p]), default=max(d[a][n] for n in negatives)),
                )
                for p in positives
            ],
        }[mining]
        cost = [log(1 + exp(p - n)) if margin is None else max(0.0, p - n + margin) for p, n in pairs]
        found.append(float(np.mean(cost)))
    return found


@pytest.mark.parametrize("margin", [0.2, 1.0, None])
@pytest.mark.parametrize("mining", ["hard", "semi_hard", "all"])
@pytest.mark.parametrize("kind", ["euclidean", "cosine"])
def test_triplets_are_those_of_a_triple_loop(kind: str, mining: str, margin: float | None) -> None:
    distance = distances(embeddings(0, 12), kind)
    loss, counts, near, far = triplets(distance, LABEL, mining, margin)
    assert torch.allclose(loss, torch.tensor(by_triple_loop(distance, mining, margin)), atol=1e-5)
    assert counts.tolist() == [c != 3 for c in LABEL.tolist()], "an example alone in its class is no anchor"
    d = distance.numpy()
    for a in range(12):
        own, others = LABEL.numpy() == LABEL[a].item(), LABEL.numpy() != LABEL[a].item()
        own[a] = False
        assert near[a].item() == pytest.approx(d[a][own].mean() if own.any() else 0, abs=1e-5)
        assert far[a].item() == pytest.approx(d[a][others].mean(), rel=1e-5)


def test_distances_are_those_of_each_pair() -> None:
    z = embeddings(0)
    for i in range(6):
        for j in range(6):
            assert distances(z, "euclidean")[i, j].item() == pytest.approx((z[i] - z[j]).norm().item(), abs=2e-3)
            assert distances(z, "cosine")[i, j].item() == pytest.approx(1 - cosine(z[i], z[j]), abs=1e-5)


@pytest.mark.parametrize("mining", ["hard", "semi_hard", "all"])
def test_one_point_costs_the_margin_and_has_finite_gradients(mining: str) -> None:
    z = torch.ones(12, 3, requires_grad=True)
    loss, counts, _, _ = triplets(distances(z, "euclidean"), LABEL, mining, 0.3)
    assert torch.allclose(loss[counts], torch.tensor(0.3), atol=1e-5)
    soft, _, _, _ = triplets(distances(z, "euclidean"), LABEL, mining, None)
    assert torch.allclose(soft[counts], torch.tensor(log(2)), atol=1e-5)
    loss.sum().backward()
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("label", [[0, 0, 0], [0, 1, 2]], ids=["no negative", "no positive"])
@pytest.mark.parametrize("mining", ["hard", "semi_hard", "all"])
def test_a_batch_without_triplets_costs_nothing(mining: str, label: list[int]) -> None:
    z = embeddings(0, 3).requires_grad_()
    loss, _, _, _ = triplets(distances(z, "euclidean"), torch.tensor(label), mining, 0.2)
    loss.sum().backward()
    assert torch.equal(loss.detach(), torch.zeros(3))
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("rounding", ["autocast", "oneDNN"])
def test_products_are_float32_whatever_the_precision_of_a_run(rounding: str) -> None:
    """oneDNN's setting acts on CPUs that multiply bfloat16; on others there is nothing to see."""
    first, second = embeddings(0, 64, 32), embeddings(1, 64, 32)
    label = torch.arange(64) % 8

    def values() -> list[Tensor]:
        z = torch.cat([first, second])
        found = [nt_xent(first, second, 0.05)[0], supervised_contrast(torch.stack([first, second]), label, 0.05)]
        return [*found, *redundancy(first, second), distances(10 + z, "euclidean"), distances(z, "cosine")]

    exact = values()
    with torch.autocast("cpu", torch.bfloat16) if rounding == "autocast" else onednn("bf16"):
        rounded = values()
    for mine, other in zip(rounded, exact, strict=True):
        assert torch.equal(mine, other)
