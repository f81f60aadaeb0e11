"""Two sets of images without pairs: a user's own folders, or datasets of nnlab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from nnlab.config.search import options
from nnlab.data.dataset import Dataset, Share, bounds
from nnlab.data.datasets.image_folder import ImageFolder, Side
from nnlab.data.nodes import built, check_images, of_its_classes, placed
from nnlab.data.spec import Part
from nnlab.data.split import Arrays, Other
from nnlab.errors import BadInput

TEST = 0.1


class Domains(Dataset):
    """Two domains: images of `a` are the targets, images of `b` the part `b`. No image of one belongs to an image of the other.

    The domains may have different numbers of images. Each is shuffled for itself, and `limit` and `train_size` count in each.
    The labels of `a` are the labels. If `b` has labels, the part `b_label` holds those of the images in `b`.

    a, b       a folder, as in ImageFolder, or the node of a dataset of images, whose keys are then data.a.KEY. The files of
               both are in `root`. In a node `validation`, `limit` and `train_size` are refused, as they have no effect there
    size       resize the images of folders to (size, size) or (height, width), bilinear
    grayscale  of folders: True: one channel; False: three channels, or one if every image of the folder is gray
    test       share of a folder in the test split, if it has no `test` folder
    Raises BadInput if the domains differ in height or width.
    """

    downloads = True  # a domain may
    parts = ("b",)

    def __init__(
        self,
        *,
        a: str | Mapping,
        b: str | Mapping,
        size: Side | tuple[Side, Side] | None = None,
        grayscale: bool = False,
        test: Share = TEST,
        **common,
    ) -> None:
        super().__init__(**common)
        self.given = {"a": a, "b": b}
        typed = {"size": size is not None, "grayscale": grayscale, "test": test != TEST}
        if useless := [key for key, was in typed.items() if was and not any(isinstance(each, str) for each in (a, b))]:
            raise BadInput(*(f"data.{key}: has no effect, since neither a nor b is a folder; leave it out" for key in useless))
        of_folders = {"root": str(self.root), "size": size, "grayscale": grayscale, "test": test}
        self.domains = {
            key: ImageFolder(folder=each, **of_folders) if isinstance(each, str) else self._built(each, key)
            for key, each in self.given.items()
        }

    def _built(self, node: Mapping, key: str) -> Dataset:
        return built(node, key, self.root, role="a domain", counts_in="in both")

    @property
    def name(self) -> str:
        """The names of both."""
        return " and ".join(domain.name for domain in self.domains.values())

    @property
    def folder(self) -> Path:
        """Of a domain that can be downloaded the folder, if it does not exist; else `root`."""
        folders = [domain.folder for domain in self.domains.values() if domain.downloads]
        return next((folder for folder in folders if not folder.exists()), self.root)

    def size(self) -> int:
        total = 0
        for key, domain in self.domains.items():
            with self._placed(key):
                total += domain.size()
        return total

    def load(self) -> Arrays:
        """x (N, C, H, W) of `a`, its labels if it has them, and the part `b` (M, C', H, W) of any number of rows."""
        loaded = {key: self._loaded(key) for key in self.domains}
        a, b = loaded.values()
        sides = {key: tuple(arrays.x_train.shape[2:]) for key, arrays in loaded.items()}
        if sides["a"] != sides["b"]:
            raise BadInput(self._unlike(sides))
        limits = bounds(b.x_train, b.x_test)
        part = Part("image", tuple(b.x_train.shape[1:]), (), *limits)
        others = {"b": Other(part, b.x_train, b.x_test, scale=b.scale, paired=False)}
        if b.y_train is not None and b.y_test is not None:
            others["b_label"] = Other(Part("label", (), b.classes), b.y_train, b.y_test, of="b")
        return replace(a, others=others)

    def _loaded(self, key: str) -> Arrays:
        """The arrays of a domain, of its classes alone. Raises BadInput unless they are images without further parts."""
        domain = self.domains[key]
        with self._placed(key):
            arrays = domain.load()
        check_images(domain, arrays, key, "a domain is a set of images")
        with self._placed(key):
            arrays = of_its_classes(domain, arrays)
        self.remark(*domain.remarks)
        return arrays

    @contextmanager
    def _placed(self, key: str) -> Iterator[None]:
        """Messages of a domain about its keys are about data.a.KEY; of a folder, about data.a and the keys of both."""
        given = self.given[key]
        if not isinstance(given, str):
            with placed(key):
                yield
            return
        try:
            yield
        except BadInput as error:
            texts = [text.replace("data.folder", f"data.{key}") for text in error.problems]
            if given in options("data") and not self.domains[key].folder.exists():
                texts.append(f"data.{key}: for the dataset of nnlab write +data@data.{key}={given}")
            raise BadInput(*texts) from error

    def _unlike(self, sides: Mapping[str, tuple[int, ...]]) -> str:
        """What to do about domains of different heights or widths."""
        shown = [f"{domain.name} has {'×'.join(map(str, sides[key]))}" for key, domain in self.domains.items()]
        folders = [key for key, given in self.given.items() if isinstance(given, str)]
        other = sides["b" if folders == ["a"] else "a"]
        side = other[0] if len(set(other)) == 1 else f"[{','.join(map(str, other))}]"
        remedy = (
            f"data.size={side}, which resizes folders" if folders else "a size to one that has this key, as in data.a.size=28"
        )
        return f"data.size: both domains need one height and width, but {' and '.join(shown)} pixels; give {remedy}"
