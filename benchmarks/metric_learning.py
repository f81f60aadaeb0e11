"""`triplet`: the nearest image by its code, among classes that it has learned and among classes that it has never seen.

MNIST: the class of the nearest training image (1-nearest neighbour, Euclidean), of each of the 10,000 test images, by 16
coordinates. Letters: 20 of the 200 letters that are in the test alone, one drawing of each is known, the others get the class
of the nearest. Faces: 10 people whom training never sees, one picture of each is known. Means ± standard deviations of 20
draws, in per cent. "At random" is the same network with its first weights; its batch normalisation has seen the training
images. Runs that are there already are not trained again.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.measure import table
from benchmarks.runs import run_of
from nnlab.config.build import build
from nnlab.data.sampler import shuffled
from nnlab.data.split import Data, Split
from nnlab.experiment.loading import open_run
from nnlab.model import Model
from nnlab.nn.settle import settle

RUNS = {
    "digits, all training images known": ["experiment=triplet_mnist"],
    "20 letters never seen, one drawing of each known": ["experiment=triplet_glyphs"],
    "10 people never seen, one picture of each known": ["experiment=triplet_faces"],
}
FEW = {"20": 20, "10": 10}  # classes of a draw, by how a row begins
DRAWS = 20
CHUNK = 1000  # queries whose distances to all known images are in memory together
Encoder = Callable[[Tensor], Tensor]


def run(rounds: int) -> str:
    rows = []
    for name, typed in RUNS.items():
        run = open_run(run_of("metric_learning", name, typed).path)
        torch.manual_seed(0)
        untrained = build(run.config["model"], Model, run.model.spec, place="model").to(run.device).eval()
        train = run.data.train
        settle(untrained, untrained.encode, map(train.values, shuffled(train.rows, 0).split(CHUNK)))
        encoders = {"pixels": lambda x: x.flatten(1), "at random": untrained.encode, "triplet": run.model.encode}
        with torch.inference_mode():
            rows.append((name, *(accuracy(run.data, encode, FEW.get(name[:2])) for encode in encoders.values())))
    return table(("accuracy in %", "pixels", "at random", "triplet"), rows)


def accuracy(data: Data, encode: Encoder, classes: int | None) -> str:
    """Of the nearest among all training images; or among one test image of each of so many classes of the test, in draws."""
    test, label = codes(data.test, encode)
    if classes is None:
        train, known = codes(data.train, encode)
        return f"{100 * nearest(test, label, train, known):.2f}"
    draw, found = torch.Generator().manual_seed(0), []
    held = label.unique()
    for _ in range(DRAWS):
        some = held[torch.randperm(len(held), generator=draw)[:classes]]
        rows = [(label == c).nonzero().flatten() for c in some]
        rows = [own[torch.randperm(len(own), generator=draw)] for own in rows]
        known, asked = torch.stack([own[0] for own in rows]), torch.cat([own[1:] for own in rows])
        found.append(100 * nearest(test[asked], label[asked], test[known], label[known]))
    return f"{statistics.mean(found):.1f} ± {statistics.stdev(found):.1f}"


def codes(split: Split, encode: Encoder) -> tuple[Tensor, Tensor]:
    """Codes (N, d) and labels (N,) of a split."""
    return torch.cat([encode(split.values(rows)).float() for rows in split.rows.split(CHUNK)]), split.labels(split.rows)


def nearest(asked: Tensor, truth: Tensor, known: Tensor, label: Tensor) -> float:
    """The share (0 … 1) of codes whose nearest known code, Euclidean, is of their class."""
    parts = zip(asked.split(CHUNK), truth.split(CHUNK), strict=True)
    return sum(int((label[torch.cdist(part, known).argmin(1)] == own).sum()) for part, own in parts) / len(asked)
