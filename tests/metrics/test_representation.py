"""Figures of codes against scikit-learn and loops."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from nnlab.metrics.representation import alignment, effective_rank, knn_accuracy, retrieval, uniformity


def codes(n: int, d: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


def labels(n: int, classes: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.randint(classes, (n,), generator=torch.Generator().manual_seed(seed))


def test_neighbours_vote_by_their_cosine() -> None:
    train, known, own, truth = codes(60), labels(60), codes(30, seed=1), labels(30, seed=1)
    near = NearestNeighbors(n_neighbors=7, metric="cosine").fit(train)
    distance, places = near.kneighbors(own)
    right = 0
    for i in range(30):
        votes = np.bincount(known.numpy()[places[i]], weights=np.exp((1 - distance[i]) / 0.07), minlength=4)
        right += int(votes.argmax() == truth[i])
    assert knn_accuracy(own, truth, train, known, 7) == pytest.approx(right / 30)


def test_many_queries_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    own, label = codes(50), labels(50)
    whole = knn_accuracy(own, label, own, label), retrieval(own, label)
    monkeypatch.setattr("nnlab.metrics.representation.CHUNK", 7)
    assert (knn_accuracy(own, label, own, label), retrieval(own, label)) == whole


def test_recall_and_average_precision_leave_out_the_query_and_who_has_no_relatives() -> None:
    own, label = codes(25), labels(25, 6)
    label[3] = 99
    recalls, fives, averages = [], [], []
    for i in range(25):
        order = [j for j in np.argsort(np.linalg.norm(own.numpy() - own[i].numpy(), axis=1)) if j != i]
        relevant = [label[j] == label[i] for j in order]
        r = sum(map(int, relevant))
        if r:
            recalls.append(relevant[0])
            fives.append(any(relevant[:5]))
            averages.append(sum(np.mean([int(x) for x in relevant[: k + 1]]) for k in range(r) if relevant[k]) / r)
    expected = {"recall_at_1": np.mean(recalls), "recall_at_5": np.mean(fives), "map_at_r": np.mean(averages)}
    assert retrieval(own, label) == pytest.approx(expected)
    assert retrieval(own[:3], torch.arange(3)) == {}


def test_uniformity_and_alignment_are_those_of_unit_vectors() -> None:
    a, b = codes(12), codes(12, seed=1)
    u, v = (x / x.norm(dim=1, keepdim=True) for x in (a, b))
    pairs = [np.exp(-2 * ((u[i] - u[j]) ** 2).sum().item()) for i in range(12) for j in range(12) if i != j]
    assert uniformity(a) == pytest.approx(log(np.mean(pairs)), rel=1e-5)
    assert alignment(a, b) == pytest.approx(((u - v) ** 2).sum(1).mean().item(), rel=1e-5)
    assert uniformity(torch.ones(5, 3)) == pytest.approx(0, abs=1e-9)
    assert uniformity(torch.tensor([[1.0], [-1.0]])) == pytest.approx(-8), "two opposite points: the distance is 2"
    assert alignment(a, 3 * a) == pytest.approx(0, abs=1e-9)


def test_the_effective_rank_counts_directions() -> None:
    square = torch.cat([torch.eye(4), -torch.eye(4)]).double()
    assert effective_rank(square) == pytest.approx(4)
    assert effective_rank(torch.outer(torch.arange(5.0), torch.ones(3))) == pytest.approx(1, abs=1e-5)
    assert effective_rank(torch.ones(5, 3)) == 0
    noise = 1e-7 * codes(100, 8)
    assert effective_rank(3 + noise) == 0, "one point, up to rounding"
    assert effective_rank(noise) == pytest.approx(8, abs=0.3), "the unit of the codes does not matter"
    values = np.linalg.svd(codes(9).numpy() - codes(9).numpy().mean(0), compute_uv=False)
    p = values / values.sum()
    assert effective_rank(codes(9)) == pytest.approx(np.exp(-(p * np.log(p)).sum()), rel=1e-5)
