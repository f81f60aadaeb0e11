"""Datasets in the idx format of MNIST, read and downloaded by torchvision."""

from __future__ import annotations

import contextlib
import io
import math
from pathlib import Path
from typing import ClassVar

from nnlab.data.dataset import made_for
from nnlab.data.images import Images
from nnlab.data.split import Arrays
from nnlab.errors import BadInput, because

IMAGE, LABEL = (28, 28), ()  # the shape of one example
FILES = {
    "train-images-idx3-ubyte": IMAGE,
    "train-labels-idx1-ubyte": LABEL,
    "t10k-images-idx3-ubyte": IMAGE,
    "t10k-labels-idx1-ubyte": LABEL,
}


class IdxDataset(Images):
    """60,000 + 10,000 gray images of 28×28 in four idx files; torchvision downloads them if they are missing."""

    title: ClassVar[str]
    downloads: ClassVar[bool] = True
    torchvision_name: ClassVar[str]
    class_names: ClassVar[tuple[str, ...]] = ()
    """Names of the classes; empty: those of torchvision."""

    @property
    def folder(self) -> Path:
        """The folder where torchvision keeps the idx files, inside the root of all datasets."""
        return self.root / self.torchvision_name / "raw"

    def size(self) -> int:
        if any((self.folder / name).exists() for name in FILES):
            problems = [check_idx(self.folder / name) for name in FILES]
            if any(problems):
                raise BadInput(*filter(None, problems))
            return sum((self.folder / name).stat().st_size for name in FILES)
        return 70_000 * (28 * 28 + 8)

    def load(self) -> Arrays:
        """x (N, 1, 28, 28) uint8, labels (N,). Raises BadInput if images and labels differ in number."""
        import torchvision.datasets  # two seconds to import

        source = getattr(torchvision.datasets, self.torchvision_name)
        if not any((self.folder / name).exists() for name in FILES):
            self._download(source)
            self.size()
        train, test = (source(self.root, train=part) for part in (True, False))
        for part, name in ((train, "train"), (test, "t10k")):
            if len(part.data) != len(part.targets):
                raise BadInput(f"{self.folder}: {name} has {len(part.data):,} images but {len(part.targets):,} labels")
        return Arrays(
            train.data.unsqueeze(1),
            train.targets.long(),
            test.data.unsqueeze(1),
            test.targets.long(),
            self.class_names or tuple(train.classes),
        )

    def _download(self, source: type) -> None:
        """Raises BadInput without a network, and leaves no empty folders behind."""
        try:
            with made_for(self.folder), contextlib.redirect_stdout(io.StringIO()):
                source(self.root, download=True)
        except (OSError, RuntimeError) as error:
            raise BadInput(
                f"data.root: no {self.title} under '{self.root}', and it could not be downloaded{because(error)}. "
                "Give the folder of the data, run once with a network, or use data=digits, which needs no download"
            ) from error


def check_idx(path: Path) -> str | None:
    """A problem of an idx file, from its header and its length: only 16 bytes are read, not 47 million."""
    shape = FILES[path.name]
    if not path.exists():
        return f"{path}: missing, though others of the four idx files are there. Delete them to download all again"
    with path.open("rb") as file:
        header = file.read(4 + 4 * (1 + len(shape)))
    magic, sizes = header[:4], [int.from_bytes(header[i : i + 4], "big") for i in range(4, len(header), 4)]
    if magic != bytes([0, 0, 8, 1 + len(shape)]) or len(sizes) != 1 + len(shape):
        return f"{path}: no idx file of bytes in {1 + len(shape)} dimensions (it begins with {magic.hex() or 'nothing'})"
    if tuple(sizes[1:]) != shape:
        return f"{path}: expected examples of shape {shape}, got {tuple(sizes[1:])}"
    expected, got = len(header) + math.prod(sizes), path.stat().st_size
    if expected != got:
        return (
            f"{path}: truncated or damaged; its header promises {expected:,} bytes, it has {got:,}. "
            "Delete the folder to download it again"
        )
    return None
