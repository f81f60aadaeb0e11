"""Classifiers of 20 letters never seen, from 1, 3 or 5 drawings of each: what does `dagan` add to shifted drawings?

`dagan` has learned from 1,000 other letters. An episode draws 20 of the 200 letters of the test and so many of their 12
drawings. The classifier, a small `cnn`, learns from these and is tested on the others. Means ± standard errors of 10 episodes,
in per cent. "Shifted" is augmentation=affine with rotations and zooms. `dagan` makes 50 more drawings of each. Pixels: the
class of the nearest drawing (1-nearest neighbour, Euclidean).

"Keeps its letter" is the share of variations of the 200 letters that a classifier takes for their letter: of all 200, and of
the 20 of an episode, the mean over 50 draws. It has learned from 10 of the 12 faces of these letters. Beside it stands its
accuracy on the other two, of all 200.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.measure import table
from benchmarks.runs import run_of
from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.loading import open_run
from nnlab.experiment.run import Experiment, build_experiment

RUNS = {"dagan": ["experiment=dagan_glyphs"]}
EPISODES, LETTERS, MADE, UPDATES = 10, 20, 50, 400
SHOTS = (1, 3, 5)
CLASSIFIER = ("model=cnn", "model.channels=[16,32]", "model.dropout=0", "data=npz", "data.validation=0")
SHIFTED = ("augmentation=affine", "augmentation.degrees=10", "augmentation.scale=0.1", "augmentation.shear=10")
KINDS = {"nothing": (), "shifted": SHIFTED, "dagan": ("data.extra=more.npz",), "both": ("data.extra=more.npz", *SHIFTED)}


def run(rounds: int) -> str:
    opened = open_run(run_of("few_shots", "dagan", RUNS["dagan"]).path, device="cpu")
    split = opened.data.test
    x, y = split.values(split.rows), split.labels(split.rows)
    cells: dict[str, list[str]] = {name: [] for name in ("pixels", *KINDS)}
    for shots in SHOTS:
        found: dict[str, list[float]] = {name: [] for name in cells}
        for episode in range(EPISODES):
            for name, accuracy in of_episode(opened.model, x, y, shots, episode).items():
                found[name].append(100 * accuracy)
        for name, values in found.items():
            error = statistics.stdev(values) / len(values) ** 0.5
            cells[name].append(f"{statistics.mean(values):.1f} ± {error:.1f}")
        gains = [a - b for a, b in zip(found["dagan"], found["nothing"], strict=True)]
        print(f"{shots}: dagan − nothing {statistics.mean(gains):.1f}, s.e. {statistics.stdev(gains) / len(gains) ** 0.5:.1f}")
    kept, few, real = keeps_its_letter(opened.model, x, y)
    rows = [(name, *values) for name, values in cells.items()]
    told = table(("accuracy in %", *(f"{shots} of each" for shots in SHOTS)), rows)
    shares = f"{kept:.1%} of all {len(y.unique())}, {few:.1%} of {LETTERS}"
    return f"{told}\n\n- variations keep their letter: {shares}; the classifier's own: {real:.1%}"


def of_episode(model: torch.nn.Module, x: Tensor, y: Tensor, shots: int, episode: int) -> dict[str, float]:
    """The accuracy of each way to learn."""
    draw = torch.Generator().manual_seed(1000 * shots + episode)
    chosen = torch.randperm(int(y.max()) + 1, generator=draw)
    letters = [c for c in chosen.tolist() if (y == c).any()][:LETTERS]
    train, test = [], []
    for c in letters:
        rows = (y == c).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=draw)]
        train.append(rows[:shots])
        test.append(rows[shots:])
    train, test = torch.cat(train), torch.cat(test)
    near = torch.cdist(x[test].flatten(1), x[train].flatten(1)).argmin(1)
    found = {"pixels": (y[train][near] == y[test]).double().mean().item()}
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "own.npz", train=(x[train], y[train]), test=(x[test], y[test]))
        with torch.inference_mode():
            z = torch.randn((len(train) * MADE, model.latent_dim), generator=draw)
            made = model.vary(x[train].repeat_interleave(MADE, 0), z)
        write(Path(folder) / "more.npz", train=(made, y[train].repeat_interleave(MADE)))
        for name, typed in KINDS.items():
            experiment = learned(folder, UPDATES, typed, episode)
            found[name] = experiment.trainer.evaluate("test")["accuracy"]
    print(episode, shots, {name: round(value, 3) for name, value in found.items()}, file=sys.stderr)
    return found


def write(path: Path, **parts: tuple[Tensor, Tensor]) -> None:
    """Images (N, 1, H, W) within 0 … 1 and labels, as data=npz reads them: bytes."""
    arrays = {}
    for name, (x, y) in parts.items():
        arrays |= {f"x_{name}": (255 * x[:, 0]).round().byte().numpy(), f"y_{name}": np.array([f"{c:04d}" for c in y.tolist()])}
    np.savez(path, **arrays)


def learned(folder: str, updates: int, typed: Sequence[str], seed: int) -> Experiment:
    """A classifier of the arrays in a folder, trained."""
    own = [f"data.root={folder}", "data.file=own.npz", f"trainer.steps={updates}", "trainer.batch_size=64", f"seed={seed}"]
    experiment = build_experiment(to_dict(compose_config([*CLASSIFIER, *own, *typed])))
    experiment.initialize()
    trainer = experiment.trainer
    trainer.train(0, trainer.total_steps, lambda: False)
    return experiment


def keeps_its_letter(model: torch.nn.Module, x: Tensor, y: Tensor) -> tuple[float, float, float]:
    """The share of variations whose letter a classifier of the test's letters still reads, among all and among the letters of
    an episode, and its accuracy on other faces.
    """
    face = torch.zeros_like(y)
    for c in y.unique():
        face[y == c] = torch.arange(int((y == c).sum()))
    train, test = (face < 10).nonzero().flatten(), (face >= 10).nonzero().flatten()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "own.npz", train=(x[train], y[train]), test=(x[test], y[test]))
        experiment = learned(folder, 5 * UPDATES, SHIFTED, 0)
    judge = experiment.model.eval()
    _, label = y.unique(return_inverse=True)
    with torch.inference_mode():
        made = model.vary(x, torch.randn((len(x), model.latent_dim), generator=torch.Generator().manual_seed(0)))
        said, draw, among = judge.classify(made), torch.Generator().manual_seed(0), []
        for _ in range(50):
            letters = torch.randperm(said.shape[1], generator=draw)[:LETTERS]
            rows = torch.isin(label, letters)
            among.append((letters[said[rows][:, letters].argmax(1)] == label[rows]).double().mean().item())
        kept = (said.argmax(1) == label).double().mean().item()
    return kept, statistics.mean(among), experiment.trainer.evaluate("test")["accuracy"]
