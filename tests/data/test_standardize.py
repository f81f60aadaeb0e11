"""Standardisation: measured on the training split alone, kept in the spec, undone on output."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import only_run, small

from nnlab.checkpoints import checkpoint
from nnlab.data.datasets.npz import Npz
from nnlab.data.spec import DataSpec
from nnlab.errors import BadInput

CPU = torch.device("cpu")
TABLE = np.random.default_rng(0).normal([3, -1e4, 1e-3], [0.1, 2e3, 1e-5], (300, 3))


def opened(root: Path, x: np.ndarray = TABLE, **options):
    np.savez(root / "mine.npz", x_train=x)
    return Npz(root=str(root), file="mine.npz", **{"standardize": True, **options}).open(CPU)


def test_training_columns_have_mean_0_and_deviation_1(tmp_path):
    train = opened(tmp_path).train
    x = train.values(train.rows).double()
    assert torch.allclose(x.mean(0), torch.zeros(3, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(x.std(0, correction=0), torch.ones(3, dtype=torch.float64), atol=1e-6)


@pytest.mark.parametrize("limit", [None, 100])
def test_the_statistics_are_those_of_the_training_split_alone(limit, tmp_path):
    plain = opened(tmp_path, standardize=False, validation=30, limit=limit)
    spec = opened(tmp_path, validation=30, limit=limit).spec
    x = plain.train.target.x[plain.train.rows].double().numpy()
    assert np.allclose(spec.mean, x.mean(0), rtol=1e-6)
    assert np.allclose(spec.std, x.std(0), rtol=1e-3)
    assert not np.allclose(spec.mean, TABLE.mean(0), rtol=1e-6)


def test_what_validation_and_test_hold_does_not_matter(tmp_path):
    plain = opened(tmp_path, standardize=False)
    spoilt = TABLE.copy()
    train = plain.train.target.x[plain.train.rows]
    learned = {row.tobytes() for row in train.numpy()}
    for row in spoilt:
        if row.astype(np.float32).tobytes() not in learned:
            row *= 50
    assert (spoilt != TABLE).any()
    assert opened(tmp_path, spoilt).spec.mean == opened(tmp_path).spec.mean


def test_original_undoes_it_in_every_split(tmp_path):
    standard, plain = opened(tmp_path), opened(tmp_path, standardize=False)
    for name in ("train", "validation", "test"):
        seen, file = (data.split(name).values(data.split(name).rows) for data in (standard, plain))
        error = (standard.spec.original(seen) - file.double()).abs() / torch.tensor(standard.spec.std)
        assert error.max() < 1e-3, "float32 itself rounds the third column by 1e-5 of its deviation"
        assert plain.spec.original(file) is file


def test_small_changes_on_a_large_offset_survive(tmp_path):
    seconds = 1.6e9 + np.arange(300.0)[:, None]
    data = opened(tmp_path, seconds, validation=0)
    back = data.spec.original(torch.cat([data.train.target.x, data.test.target.x])).flatten().sort().values
    assert np.abs(back.numpy() - seconds[:, 0]).max() < 1e-3, "float32 would be off by up to 64"


@pytest.mark.parametrize("value", [0.1, 0.0, -1e9])
def test_a_constant_column_becomes_0_and_comes_back(value, tmp_path):
    data = opened(tmp_path, np.column_stack([np.full(300, value), np.arange(300.0)]))
    assert data.train.target.x[:, 0].abs().max() == 0
    assert data.spec.std[0] == 1
    assert (data.spec.original(data.test.target.x)[:, 0] == value).all()


def test_the_spec_travels_and_older_ones_still_load(tmp_path):
    spec = opened(tmp_path).spec
    torch.save(spec.state(), tmp_path / "spec.pt")
    assert DataSpec.from_state(torch.load(tmp_path / "spec.pt", weights_only=True)) == spec
    older = {key: value for key, value in spec.state().items() if key not in ("columns", "mean", "std")}
    loaded = DataSpec.from_state(older)
    assert (loaded.mean, loaded.shape) == ((), spec.shape)
    assert loaded.column_names == ("column 0", "column 1", "column 2")


def test_images_are_refused(tmp_path):
    with pytest.raises(BadInput, match=r"data\.standardize: mine holds images, but only tables"):
        opened(tmp_path, np.zeros((30, 5, 5)))


def test_samples_are_written_in_the_units_of_the_file(nnlab, own_folder: Path) -> None:
    np.savetxt("mine.csv", TABLE, delimiter=",", header="a,b,c", comments="", fmt="%.17g")
    table = ["data=csv", "data.root=.", "data.file=mine.csv", "trainer.steps=60", "trainer.precision=float32"]
    assert nnlab("train", *small("vae"), *table)[0] == 0
    status, out, error = nnlab("sample", "last", "-n", "50")
    assert (status, Path(out.strip())) == (0, only_run().path / "samples.npz"), error
    with np.load(out.strip()) as archive:
        x, columns = archive["x"], archive["columns"]
    assert (x.shape, columns.tolist()) == ((50, 3), ["a", "b", "c"])
    assert (np.abs(x - TABLE.mean(0)) < 5 * TABLE.std(0)).all()

    assert nnlab("sample", "last", "-n", "50", "-o", "new/samples.csv")[:2] == (0, "new/samples.csv\n")
    with open("new/samples.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["a", "b", "c"]
    assert np.allclose(np.array(rows, dtype=float), x, rtol=1e-8)

    spec = DataSpec.from_state(checkpoint.load(only_run().checkpoints, "last")["spec"])
    assert np.allclose(spec.mean, TABLE.mean(0), rtol=0.02)
    status, _, error = nnlab("sample", "last", "-o", "samples.png")
    assert (status, "give a name that ends in .npz or .csv" in error) == (2, True)
