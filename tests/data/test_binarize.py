"""Binarization: by a threshold, drawn once, drawn at each reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from nnlab.data import images
from nnlab.data.datasets.digits import Digits
from nnlab.data.datasets.npz import Npz
from nnlab.data.feed import BatchBuilder
from nnlab.data.images import bernoulli
from nnlab.data.noise.masking import Masking
from nnlab.data.noise.none import NoNoise
from nnlab.errors import BadInput

CPU = torch.device("cpu")
LEVELS = np.arange(256, dtype=np.uint8).repeat(600).reshape(256, 600).T.reshape(600, 16, 16).copy()  # each level 600 times
KINDS = ["threshold", "fixed", "dynamic"]


def levels(root: Path, x: np.ndarray = LEVELS, **options):
    np.savez(root / "mine.npz", x_train=x, x_test=x)
    return Npz(root=str(root), file="mine.npz", validation=0, **options).open(CPU)


def read(data, seed: int = 0, noise=NoNoise):
    return BatchBuilder(data.train, noise(data.spec)).batch(data.train.rows, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kind", KINDS)
def test_only_0_and_1_are_seen_within_the_unit_interval(kind, tmp_path):
    data = levels(tmp_path, binarize=kind)
    assert read(data).target.unique().tolist() == [0, 1]
    assert (data.spec.low, data.spec.high, data.spec.in_unit_interval) == (0, 1, True)


@pytest.mark.parametrize("kind", ["threshold", "fixed"])
def test_what_is_decided_once_is_kept_as_bytes(kind, tmp_path):
    for x in (LEVELS, LEVELS / 255):
        split = levels(tmp_path, x, binarize=kind).train
        assert (split.target.x.dtype, split.target.scale) == (torch.uint8, 1)
        assert split.target.x.unique().tolist() == [0, 1]


def test_the_threshold_is_a_half(tmp_path):
    data = levels(tmp_path, binarize="threshold")
    assert torch.equal(read(data).target[0].flatten(), (torch.arange(256) > 127).float())
    digits = Digits(root="nowhere", binarize="threshold", validation=0).open(CPU)
    plain = Digits(root="nowhere", validation=0).open(CPU)
    assert torch.equal(digits.train.target.x, (plain.train.target.x >= 8).byte())


@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
@pytest.mark.parametrize("scale", [1, 255])
def test_the_rate_of_ones_is_the_gray_value(kind, scale, tmp_path):
    rate = read(levels(tmp_path, LEVELS if scale == 1 else LEVELS / 255, binarize=kind)).target.mean(0).flatten()
    p = torch.arange(256) / 255
    assert (rate - p).abs().max() < 5 * (0.25 / 600) ** 0.5
    assert abs((rate - p).mean()) < 5 * ((p * (1 - p)).sum() / 600).sqrt() / 256
    assert (rate[0], rate[-1]) == (0, 1), "what is certain is not drawn otherwise"


def test_fixed_is_the_same_in_every_run_and_depends_on_the_seed_of_the_data(tmp_path, monkeypatch):
    first = levels(tmp_path, binarize="fixed")
    torch.rand(5)
    monkeypatch.setattr(images, "CHUNK", 7 * 256)
    again, other = levels(tmp_path, binarize="fixed"), levels(tmp_path, binarize="fixed", seed=1)
    assert torch.equal(first.train.target.x, again.train.target.x)
    assert torch.equal(first.test.target.x, again.test.target.x)
    assert torch.equal(read(first, 0).target, read(first, 1).target)
    assert 0.2 < (first.train.target.x != other.train.target.x).float().mean() < 0.45, "2p(1−p), a third on average"


def test_an_image_keeps_its_fixed_bits_whatever_the_splits():
    def open(**options):
        return Digits(root="nowhere", binarize="fixed", **options).open(CPU)

    assert torch.equal(open().train.target.x, open(validation=0, limit=100).train.target.x)


def test_dynamic_is_drawn_by_the_generator_at_each_reading(tmp_path):
    data = levels(tmp_path, binarize="dynamic")
    first, again, other = (read(data, seed).target for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert 0.3 < (first != other).float().mean() < 0.36, "2p(1−p), a third on average"
    assert torch.equal(data.train.target.x, levels(tmp_path).train.target.x), "the gray values stay"


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_applied_after_it(kind, tmp_path):
    batch = read(levels(tmp_path, binarize=kind), noise=Masking)
    assert batch.target.unique().tolist() == [0, 1]
    assert torch.equal(batch.input[~batch.mask], batch.target[~batch.mask])
    assert batch.input[batch.mask].eq(0).all()


def test_bernoulli_agrees_with_its_probabilities():
    p = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0])
    rate = bernoulli(p.expand(40_000, 5), torch.Generator().manual_seed(0)).mean(0)
    assert (rate - p).abs().max() < 5 * 0.5 / 200
    assert (rate[0], rate[-1]) == (0, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_refused_in_one_sentence(kind, tmp_path):
    with pytest.raises(BadInput, match=r"^data\.binarize: mine is a table of 5 columns, but only images can be binarized$"):
        levels(tmp_path, np.random.default_rng(0).random((20, 5)), binarize=kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("factor", [-1.0, 2.0])
def test_images_beyond_the_unit_interval_are_refused(kind, factor, tmp_path):
    with pytest.raises(BadInput, match=r"data\.binarize: needs images within \[0, 1\], mine has values"):
        levels(tmp_path, factor * LEVELS / 255, binarize=kind)
