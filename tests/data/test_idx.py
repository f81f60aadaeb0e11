"""The idx files of MNIST and its kin: read right, or refused by name."""

from __future__ import annotations

import os
import struct
import urllib.request
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from nnlab.data.datasets.digits import Digits
from nnlab.data.datasets.fashion_mnist import FashionMNIST
from nnlab.data.datasets.kmnist import KMNIST
from nnlab.data.datasets.mnist import MNIST
from nnlab.data.idx import FILES
from nnlab.errors import BadInput

CPU = torch.device("cpu")
SETS = [MNIST, FashionMNIST, KMNIST]
COUNTS = {"train": 40, "t10k": 12}


def write_idx(path: Path, x: np.ndarray) -> None:
    path.write_bytes(struct.pack(f">BBBB{x.ndim}I", 0, 0, 8, x.ndim, *x.shape) + x.tobytes())


def write_set(root: Path, name: str = "MNIST") -> tuple[Path, dict[str, np.ndarray]]:
    """Four small files of random bytes; the folder, and what each file holds."""
    random = np.random.default_rng(0)
    folder = root / name / "raw"
    folder.mkdir(parents=True)
    arrays = {}
    for file, shape in FILES.items():
        n = COUNTS[file.split("-")[0]]
        arrays[file] = random.integers(0, 256 if shape else 10, (n, *shape), dtype=np.uint8)
        write_idx(folder / file, arrays[file])
    return folder, arrays


@pytest.mark.parametrize("cls", SETS)
def test_every_byte_is_read(cls, tmp_path):
    _, arrays = write_set(tmp_path, cls.__name__)
    read = cls(root=str(tmp_path)).load()
    pairs = zip((read.x_train[:, 0], read.y_train, read.x_test[:, 0], read.y_test), FILES, strict=True)
    for tensor, file in pairs:
        assert np.array_equal(tensor.numpy(), arrays[file])
    assert (len(read.classes), read.x_train.dtype, read.y_train.dtype) == (10, torch.uint8, torch.int64)


def test_the_digits_have_the_names_of_other_digits(tmp_path):
    """So that the classes of two sets of digits can be compared."""
    write_set(tmp_path)
    assert MNIST(root=str(tmp_path)).load().classes == Digits(root="nowhere").load().classes


def test_a_model_sees_bytes_as_parts_of_255(tmp_path):
    _, arrays = write_set(tmp_path)
    data = MNIST(root=str(tmp_path), validation=0).open(CPU)
    seen = data.train.values(data.train.rows)
    assert seen.shape == (40, *data.spec.shape) == (40, 1, 28, 28)
    assert np.allclose(seen[:, 0].numpy() * 255, arrays["train-images-idx3-ubyte"], atol=1e-4)


@pytest.mark.parametrize("file", FILES)
def test_a_truncated_file_is_named(file, tmp_path):
    folder, _ = write_set(tmp_path)
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[:-1])
    with pytest.raises(BadInput, match=f"{file}: truncated .* {len(whole):,} bytes, it has {len(whole) - 1:,}") as caught:
        MNIST(root=str(tmp_path)).open(CPU)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08\x00 still compressed", b"<html>404 Not Found</html>"])
@pytest.mark.parametrize("file", ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
def test_a_file_that_is_no_idx_file_is_named(file, content, tmp_path):
    folder, _ = write_set(tmp_path)
    (folder / file).write_bytes(content)
    with pytest.raises(BadInput, match=f"{file}: no idx file"):
        MNIST(root=str(tmp_path)).open(CPU)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_named(file, tmp_path):
    folder, _ = write_set(tmp_path)
    (folder / file).unlink()
    with pytest.raises(BadInput, match=f"{file}: missing"):
        MNIST(root=str(tmp_path)).open(CPU)


def test_all_damaged_files_are_told_at_once(tmp_path):
    folder, _ = write_set(tmp_path)
    (folder / "train-images-idx3-ubyte").unlink()
    (folder / "t10k-labels-idx1-ubyte").write_bytes(b"")
    with pytest.raises(BadInput) as caught:
        MNIST(root=str(tmp_path)).open(CPU)
    assert len(caught.value.problems) == 2


def test_images_of_another_size_are_named(tmp_path):
    folder, _ = write_set(tmp_path)
    write_idx(folder / "train-images-idx3-ubyte", np.zeros((40, 32, 32), np.uint8))
    with pytest.raises(BadInput, match=r"train-images-idx3-ubyte: expected .*\(28, 28\), got \(32, 32\)"):
        MNIST(root=str(tmp_path)).open(CPU)


@pytest.mark.parametrize(("part", "n"), COUNTS.items())
def test_images_without_as_many_labels_are_refused(part, n, tmp_path):
    folder, _ = write_set(tmp_path)
    write_idx(folder / f"{part}-labels-idx1-ubyte", np.zeros(n + 1, np.uint8))
    with pytest.raises(BadInput, match=f"{part} has {n} images but {n + 1} labels"):
        MNIST(root=str(tmp_path)).open(CPU)


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("cls", SETS)
@pytest.mark.parametrize("root", [".", "new", "new/nested"])
def test_an_absent_set_without_a_network_is_told_and_leaves_no_folder(cls, root, tmp_path):
    with pytest.raises(BadInput, match=r"(?s)data\.root: no .*could not be downloaded.*use data=digits"):
        cls(root=str(tmp_path / root)).open(CPU)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_network")
def test_what_a_broken_download_left_does_not_hide_that_the_set_is_absent(tmp_path):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte.gz").write_bytes(b"half a file")
    with pytest.raises(BadInput, match=r"data\.root: no MNIST"):
        MNIST(root=str(tmp_path)).open(CPU)
    assert (folder / "train-images-idx3-ubyte.gz").exists()


@pytest.mark.parametrize(("cls", "mean"), [(MNIST, 0.1307), (FashionMNIST, 0.2860)])
def test_the_real_set_has_its_known_size_and_mean(cls, mean):
    root = Path(os.environ.get("NNLAB_DATA", "datasets"))
    if not (root / cls.__name__ / "raw" / "train-images-idx3-ubyte").exists():
        pytest.skip(f"no {cls.__name__} under '{root}'; NNLAB_DATA names the folder of the datasets")
    read = cls(root=str(root)).load()
    assert (read.x_train.shape, read.x_test.shape) == ((60_000, 1, 28, 28), (10_000, 1, 28, 28))
    assert read.y_test.bincount().sum() == 10_000
    assert read.x_train.sum().item() / read.x_train.numel() / 255 == pytest.approx(mean, abs=5e-5)
