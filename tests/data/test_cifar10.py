"""CIFAR-10, from batches in the layout of its own archive."""

from __future__ import annotations

import pickle
import urllib.request
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision import datasets

from nnlab.data.datasets.cifar10 import CIFAR10
from nnlab.errors import BadInput

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
BATCHES = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
EACH = 4


def write_batches(root: Path) -> dict[str, np.ndarray]:
    """Six pickles of planar images (red, then green, then blue); the images of each, (n, 3, 32, 32)."""
    random = np.random.default_rng(0)
    folder = root / "cifar-10-batches-py"
    folder.mkdir()
    images = {name: random.integers(0, 256, (EACH, 3, 32, 32), dtype=np.uint8) for name in BATCHES}
    for i, (name, x) in enumerate(images.items()):
        (folder / name).write_bytes(pickle.dumps({"data": x.reshape(EACH, -1), "labels": [i] * EACH}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": NAMES}))
    return images


def test_pixels_channels_labels_and_classes_are_the_batches_own(tmp_path, monkeypatch):
    for attribute in ("train_list", "test_list"):  # the checksums are those of the real files
        monkeypatch.setattr(datasets.CIFAR10, attribute, [[name, None] for name, _ in getattr(datasets.CIFAR10, attribute)])
    monkeypatch.setattr(datasets.CIFAR10, "meta", {**datasets.CIFAR10.meta, "md5": None})
    images = write_batches(tmp_path)
    read = CIFAR10(root=str(tmp_path)).load()
    assert np.array_equal(read.x_train.numpy(), np.concatenate([images[name] for name in BATCHES[:5]]))
    assert np.array_equal(read.x_test.numpy(), images["test_batch"])
    assert read.y_train.tolist() == [i for i in range(5) for _ in range(EACH)]
    assert read.y_test.tolist() == [5] * EACH
    assert read.classes == tuple(NAMES)


def test_batches_with_other_checksums_are_called_damaged(tmp_path):
    write_batches(tmp_path)
    with pytest.raises(BadInput, match=r"cifar-10-batches-py: damaged .*Delete it to download it again"):
        CIFAR10(root=str(tmp_path)).load()


@pytest.mark.parametrize("root", [".", "new", "new/nested"])
def test_an_absent_set_without_a_network_is_told_and_leaves_no_folder(root, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    with pytest.raises(BadInput, match=r"data\.root: no CIFAR-10 .*could not be downloaded.*use data=digits"):
        CIFAR10(root=str(tmp_path / root)).open(torch.device("cpu"))
    assert list(tmp_path.iterdir()) == []
