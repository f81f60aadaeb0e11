"""Examples that stay on the disk give what those in memory give; a file that changes is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import weights

from nnlab.data.dataset import Dataset
from nnlab.data.datasets.npz import Npz
from nnlab.data.feed import BatchBuilder
from nnlab.errors import BadInput
from nnlab.runs.folder import RunFolder

CPU = torch.device("cpu")
RANDOM = np.random.default_rng(0)
GRAY = RANDOM.integers(0, 256, (60, 5, 4), dtype=np.uint8)
ARRAYS = {
    "gray": {"x_train": GRAY, "y_train": np.arange(60) % 3},
    "with a test split": {"x_train": GRAY, "y_train": np.arange(60) % 3, "x_test": GRAY[:9], "y_test": np.arange(9) % 3},
    "colours last": {"x_train": RANDOM.integers(0, 256, (60, 5, 4, 3), dtype=np.uint8)},
    "colours first": {"x_train": RANDOM.integers(0, 256, (60, 3, 5, 4), dtype=np.uint8)},
    "bits": {"x_train": GRAY > 99},
    "reals": {"x_train": RANDOM.normal(size=(60, 5, 4)).astype(np.float32)},
    "doubles": {"x_train": RANDOM.random((60, 5, 4))},
    "a table": {"x_train": RANDOM.normal(0, 10, (60, 7))},
}


def opened(folder: Path, storage: str, file: str = "mine.npz", **options) -> Dataset:
    return Npz(root=str(folder), file=file, storage=storage, validation=12, **options)


def same_splits(a, b) -> None:
    assert a.spec == b.spec
    for name in ("train", "validation", "test", "held_out"):
        one, other = a.split(name), b.split(name)
        batches = [BatchBuilder(split).sequential(torch.Generator().manual_seed(0)) for split in (one, other)]
        for left, right in zip(*batches, strict=True):
            assert left.target.equal(right.target)
            assert (left.label is None and right.label is None) or left.label.equal(right.label)
        assert (one.resident, other.resident) == (True, not len(other) and other.resident)


@pytest.mark.parametrize("kind", ARRAYS)
def test_disk_and_memory_give_the_same_examples(kind: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **ARRAYS[kind])
    same_splits(*(opened(tmp_path, storage).open(CPU) for storage in ("memory", "disk")))


def test_a_table_is_standardised_alike(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", x_train=np.c_[ARRAYS["a table"]["x_train"], np.ones(60)])
    a, b = (opened(tmp_path, storage, standardize=True).open(CPU) for storage in ("memory", "disk"))
    assert np.allclose(a.spec.mean, b.spec.mean, atol=1e-12)
    assert np.allclose(a.spec.std, b.spec.std, atol=1e-12)
    assert torch.allclose(a.train.values(a.train.rows), b.train.values(b.train.rows), atol=1e-6)


def test_chosen_classes_and_dynamic_bits_alike(tmp_path: Path) -> None:
    np.savez(tmp_path / "mine.npz", **ARRAYS["gray"])
    for options in ({"classes": [2, 0]}, {"binarize": "dynamic"}, {"limit": 30}, {"train_size": 12}):
        same_splits(*(opened(tmp_path, storage, **options).open(CPU) for storage in ("memory", "disk")))


@pytest.mark.parametrize("storage", ["memory", "disk"])
def test_an_npy_is_examples_alone(storage: str, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", GRAY)
    data = opened(tmp_path, storage, "mine.npy").open(CPU)
    seen = torch.cat([data.split(name).target.raw(data.split(name).rows) for name in ("train", "validation", "test")])
    assert sorted(x.numpy().tobytes() for x in seen) == sorted(x.tobytes() for x in GRAY)
    assert data.spec.classes == ()


def test_what_does_not_fit_is_read_from_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "mine.npz", **ARRAYS["gray"])
    monkeypatch.setattr("nnlab.data.dataset.free_memory", lambda device: 500)
    data = opened(tmp_path, "auto").open(CPU)
    assert not data.train.resident
    assert any("read from the disk" in remark for remark in data.remarks)
    with pytest.raises(BadInput, match=r"takes 0\.0 GiB"):
        opened(tmp_path, "memory").open(CPU)


def test_the_same_weights_from_disk_and_memory(nnlab, own_folder: Path) -> None:
    np.savez("mine.npz", x_train=GRAY, y_train=np.arange(60) % 3)
    common = ["model=vae", "data=npz", "data.root=.", "data.file=mine.npz", "trainer.epochs=2", "trainer.batch_size=16"]
    trained = []
    for storage in ("memory", "disk"):
        where = [f"data.storage={storage}", f"hydra.run.dir={storage}"]
        status, _, error = nnlab("train", *common, "trainer.precision=float32", *where)
        assert status == 0, error
        trained.append(weights(RunFolder(Path(storage))))
    assert all(a.equal(b) for a, b in zip(*(each.values() for each in trained), strict=True))


def test_files_that_cannot_be_read_in_parts_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "mine.npz", x_train=GRAY)
    with pytest.raises(BadInput, match=r"x_train is compressed, .* write it with numpy\.savez"):
        opened(tmp_path, "disk").open(CPU)
    np.savez(tmp_path / "mine.npz", x_train=np.asfortranarray(GRAY))
    with pytest.raises(BadInput, match="stored by columns"):
        opened(tmp_path, "disk").open(CPU)
    np.savez(tmp_path / "mine.npz", x_train=GRAY.astype(np.uint16) * 200)
    with pytest.raises(BadInput, match=r"data\.storage: images of uint16 .* save them as uint8"):
        opened(tmp_path, "disk").open(CPU)
    np.savez(tmp_path / "mine.npz", x_train=GRAY[:0])
    with pytest.raises(BadInput, match="x_train has shape"):
        opened(tmp_path, "disk").open(CPU)
    np.savez(tmp_path / "mine.npz", x_train=GRAY)
    with pytest.raises(BadInput, match=r"data\.binarize: fixed keeps the bits in memory"):
        opened(tmp_path, "disk", binarize="fixed").open(CPU)


@pytest.mark.parametrize("change", ["cut short", "has changed", "is gone"])
def test_a_file_that_changes_during_a_run_is_noticed(change: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.npy"
    np.save(path, GRAY)
    data = opened(tmp_path, "disk", "mine.npy").open(CPU)
    if change == "cut short":
        os.truncate(path, 600)
    elif change == "has changed":
        np.save(path, GRAY[::-1])
    else:
        path.unlink()
    with pytest.raises(BadInput, match=rf"mine\.npy: .*{change}.* since it was opened"):
        data.train.values(data.train.rows[:3])
