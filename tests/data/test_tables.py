"""The tables that need no file: what they hold, and how their test split is made."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn import datasets

from nnlab.data.dataset import Dataset
from nnlab.data.datasets.blobs import Blobs
from nnlab.data.datasets.iris import Iris
from nnlab.data.datasets.moons import Moons
from nnlab.data.datasets.rings import Rings
from nnlab.data.split import Data
from nnlab.errors import BadInput

CPU = torch.device("cpu")
PEERS = {
    Moons: datasets.make_moons(2000, noise=0.1, random_state=0),
    Rings: datasets.make_circles(2000, noise=0.05, factor=0.5, random_state=0),
    Blobs: datasets.make_blobs(2000, centers=4, cluster_std=1.0, random_state=0),
    Iris: datasets.load_iris(return_X_y=True),
}
GENERATED = [Moons, Rings, Blobs]


def opened(cls: type[Dataset], **options) -> Data:
    return cls(root="nowhere", **options).open(CPU)


def rows(data: Data) -> np.ndarray:
    """Every example with its class, in the file's units, sorted."""
    parts = [data.split(name) for name in ("train", "validation", "test")]
    x = torch.cat([data.spec.original(part.values(part.rows)).double() for part in parts])
    table = torch.cat([x, torch.cat([part.labels(part.rows) for part in parts])[:, None]], 1).numpy()
    return table[np.lexsort(table.T)]


@pytest.mark.parametrize("cls", PEERS)
@pytest.mark.parametrize("standardize", [True, False])
def test_every_example_of_scikit_learn_is_in_exactly_one_split(cls, standardize):
    x, y = PEERS[cls]
    expected = np.column_stack([x, y])
    assert np.allclose(rows(opened(cls, standardize=standardize)), expected[np.lexsort(expected.T)], atol=1e-5)


@pytest.mark.parametrize("cls", PEERS)
def test_the_test_split_is_a_fifth_of_each_class_and_always_the_same(cls):
    first, other = opened(cls), opened(cls, seed=7, standardize=False)
    assert first.test.sources["label"].x.bincount().tolist() == [round(0.2 * n) for n in np.bincount(PEERS[cls][1])]
    assert np.allclose(first.spec.original(first.test.target.x), other.test.target.x, atol=1e-5)
    assert not torch.equal(first.train.rows, other.train.rows)


@pytest.mark.parametrize("cls", GENERATED)
def test_the_points_depend_on_their_own_seed_alone(cls):
    first, again, other = (rows(opened(cls, draw_seed=d, seed=s)) for d, s in ((1, 0), (1, 5), (2, 0)))
    assert np.allclose(first, again, atol=1e-5)
    assert not np.allclose(first, other, atol=0.01)


@pytest.mark.parametrize("cls", PEERS)
def test_the_size_is_that_of_the_loaded_arrays(cls):
    data = opened(cls)
    kept = [tensor for split in (data.train, data.test) for tensor in (split.target.x, split.sources["label"].x)]
    assert cls(root="nowhere").size() == sum(tensor.numel() * tensor.element_size() for tensor in kept)


def test_points_lie_where_noise_and_factor_put_them():
    data = opened(Rings, noise=0, factor=0.25, points=400, standardize=False)
    radius = data.train.target.x.norm(dim=1)
    assert torch.allclose(radius, torch.tensor([1.0, 0.25])[data.train.sources["label"].x], atol=1e-6)
    assert data.spec.classes == ("outer", "inner")
    moons = opened(Moons, noise=0, points=400, standardize=False).train
    upper = moons.target.x[moons.sources["label"].x == 0]
    assert torch.allclose(upper.norm(dim=1), torch.ones(len(upper)), atol=1e-6)
    assert upper[:, 1].min() > -1e-6


def test_blobs_have_a_class_a_center_and_its_spread():
    data = opened(Blobs, centers=3, noise=0.5, points=6000, standardize=False)
    assert data.spec.classes == ("0", "1", "2")
    for c in range(3):
        assert torch.allclose(data.train.target.x[data.train.sources["label"].x == c].std(0), torch.tensor(0.5), rtol=0.1)


def test_columns_have_names():
    assert opened(Moons).spec.columns == ("x1", "x2")
    assert opened(Iris).spec.columns[0] == "sepal length (cm)"
    assert opened(Iris).spec.classes == ("setosa", "versicolor", "virginica")


def test_a_share_that_leaves_no_test_is_refused():
    with pytest.raises(BadInput, match=r"data\.test: 0\.01 of 20 examples leaves none"):
        opened(Moons, points=20, test=0.01)
