"""CIFAR-10; it is downloaded if it is missing."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import ClassVar

import torch

from nnlab.data.dataset import made_for
from nnlab.data.images import Images
from nnlab.data.split import Arrays
from nnlab.errors import BadInput, because, one_line


class CIFAR10(Images):
    """Colour photographs of 32×32 in ten classes (Krizhevsky 2009, "Learning multiple layers of features from tiny images")."""

    downloads: ClassVar[bool] = True

    @property
    def folder(self) -> Path:
        """The folder where torchvision unpacks the dataset, inside the root of all datasets."""
        return self.root / "cifar-10-batches-py"

    def size(self) -> int:
        return 60_000 * (3 * 32 * 32 + 8)

    def load(self) -> Arrays:
        """x (N, 3, 32, 32) uint8, labels (N,). Raises BadInput if the files are damaged, or if they cannot be downloaded."""
        from torchvision import datasets

        present = self.folder.exists()
        try:
            with made_for(self.root), contextlib.redirect_stdout(io.StringIO()):
                train, test = (datasets.CIFAR10(self.root, train=part, download=not present) for part in (True, False))
        except (OSError, RuntimeError) as error:
            if present:
                raise BadInput(f"{self.folder}: damaged ({one_line(error)}). Delete it to download it again") from error
            raise BadInput(
                f"data.root: no CIFAR-10 under '{self.root}', and it could not be downloaded{because(error)}. "
                "Run once with a network, or unpack cifar-10-python.tar.gz there, or use data=digits, which needs no download"
            ) from error
        x_train, x_test = (torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous() for part in (train, test))
        return Arrays(x_train, torch.tensor(train.targets), x_test, torch.tensor(test.targets), tuple(train.classes))
