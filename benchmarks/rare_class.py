"""A classifier of data in which one class has 60 images, and what is done about it; means ± s.d. of 5 seeds.

The class is the first one: the digit 0, T-shirts. All runs have the same 60 images of it, of which about a tenth is for
validation; a seed is of the weights. "Recall" is the share of the test images of the class that are classified right,
"accuracy" that of all test images. Shifts are of 2 pixels. `bagan` draws 5,500 images of the class, a run for each seed. "As
asked" is the share of 1,000 more that a judge, who has learned from all images, takes for the class. The same game with new
weights in place of the autoencoder's is one run. Runs that are there already are not trained again.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.measure import NNLAB, ROOT, table
from benchmarks.runs import run_of
from nnlab.experiment.loading import open_run
from nnlab.runs.folder import RunFolder

SEEDS, DRAWN = 5, 5500
RUNS = {"MNIST": ["data=mnist"], "Fashion-MNIST": ["data=fashion_mnist"]}
RARE = "data.imbalance={0:0.01}"
CLASSIFIER = ("model=cnn", "model.channels=[16,32]", "model.hidden=128", "trainer.epochs=3", "trainer.show_every=never")
KINDS = {
    "nothing": (),
    "repeated": ("data.oversample=true",),
    "repeated, shifted": ("data.oversample=true", "augmentation=affine"),
    "bagan": ("data.extra=FILE",),
    "bagan, shifted": ("data.extra=FILE", "augmentation=affine"),
}


def run(rounds: int) -> str:
    rows = []
    for title, (chosen,) in RUNS.items():
        data = chosen.removeprefix("data=")
        games = [game(data, seed) for seed in range(SEEDS)]
        for kind, typed in KINDS.items():
            found = [classified(data, kind, typed, seed, games[seed]) for seed in range(SEEDS)]
            recalls, accuracies = zip(*found, strict=True)
            asked = spread([as_asked(path) for path in games]) if kind == "bagan" else ""
            rows.append((f"{title}, {kind}", spread(recalls), spread(accuracies), asked))
            print(*rows[-1], file=sys.stderr)
        rows.append((f"{title}, the game from new weights", "", "", f"{as_asked(game(data, 0, 'model.init=random')):.1f}"))
    return table(("in %", "recall", "accuracy", "as asked"), rows)


def game(data: str, seed: int, *more: str) -> Path:
    """The run of the recipe that draws the rare class."""
    recipe = f"experiment=bagan_{'mnist' if data == 'mnist' else 'fashion'}"
    return run_of("rare_class", " ".join([data, "game", str(seed), *more]), [recipe, "judge=auto", f"seed={seed}", *more]).path


def classified(data: str, kind: str, typed: Sequence[str], seed: int, drawn_by: Path) -> tuple[float, float]:
    """Recall of the rare class and accuracy, in per cent, on the test set."""
    typed = [word.replace("FILE", str(drawn(drawn_by))) for word in typed] if "data.extra=FILE" in typed else typed
    folder = run_of("rare_class", f"{data} {kind} {seed}", [*CLASSIFIER, f"data={data}", RARE, f"seed={seed}", *typed])
    logits, labels = open_run(folder.path).experiment.trainer.outputs("test")
    right = (logits.argmax(1) == labels).double()
    return 100 * right[labels == 0].mean().item(), 100 * right.mean().item()


def drawn(by: Path) -> Path:
    """The file with the images that a game has drawn of the rare class."""
    path = by.with_suffix(".npz")
    if not path.exists() or path.stat().st_mtime < RunFolder(by).status.stat().st_mtime:  # drawn by an earlier run
        subprocess.run([*NNLAB, "augment", by, "-n", str(DRAWN), "--label", "0", "-o", path], cwd=ROOT, check=True)
    return path


def as_asked(by: Path) -> float:
    """The share of the images drawn of the rare class that the run's judge takes for it, in per cent."""
    run = open_run(by)
    run.judged = True
    judge = run.experiment.trainer.judge
    with torch.inference_mode():
        made = run.model.sample_class(torch.zeros(1000, dtype=torch.int64, device=run.device))
        return 100 * (judge.model.classify(judge.adapt(made)).argmax(1) == 0).double().mean().item()


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation."""
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"
