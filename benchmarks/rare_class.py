"""A classifier of data in which one class has 60 images, and what is done about it; means ± s.d. of 5 seeds.

The class is the first one: the digit 0, T-shirts. All runs have the same 60 images of it, of which about a tenth is for
validation; a seed is of the weights. "Recall" is the share of the test images of the class that are classified right, "others"
that of the other nine classes, "accuracy" that of all test images. Shifts are of 2 pixels. `bagan` draws 5,500 images of the
class, a run for each seed. "As asked" is the share of 1,000 more that a judge, who has learned from all images, takes for the
class. The same game with new weights in place of the autoencoder's is one run. The tables below have the recall of every class.
Runs that are there already are not trained again.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch

from benchmarks.measure import NNLAB, ROOT, table
from benchmarks.runs import NotMade, digest, measured, run_of
from nnlab.experiment.loading import open_run
from nnlab.runs.folder import RunFolder

GROUP, SEEDS, DRAWN = "rare_class", 5, 5500
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
    rows, tables = [], []
    for title, (chosen,) in RUNS.items():
        data = chosen.removeprefix("data=")
        asked = [as_asked(data, seed) for seed in range(SEEDS)]
        classes, by_class = [], []
        for kind, typed in KINDS.items():
            found = [classified(data, kind, typed, seed) for seed in range(SEEDS)]
            classes, recalls = list(found[0]["recall"]), [list(each["recall"].values()) for each in found]
            rows.append(
                (
                    f"{title}, {kind}",
                    spread([rare for rare, *_ in recalls]),
                    spread([each["others"] for each in found]),
                    spread([each["accuracy"] for each in found]),
                    spread(asked) if kind == "bagan" else "",
                )
            )
            by_class.append((kind, *map(spread, zip(*recalls, strict=True))))
            print(*rows[-1], file=sys.stderr)
        rows.append((f"{title}, the game from new weights", *[""] * 3, f"{as_asked(data, 0, 'model.init=random'):.1f}"))
        tables.append(table((f"{title}, recall in %", *classes), by_class))
    return "\n\n".join([table(("in %", "recall", "others", "accuracy", "as asked"), rows), *tables])


def game(data: str, seed: int, *more: str) -> tuple[str, list[str]]:
    """The run of the recipe that draws the rare class: its name, and the arguments of `nnlab train`."""
    recipe = f"experiment=bagan_{'mnist' if data == 'mnist' else 'fashion'}"
    return " ".join([data, "game", str(seed), *more]), [recipe, "judge=auto", f"seed={seed}", *more]


def classified(data: str, kind: str, typed: Sequence[str], seed: int) -> dict:
    """The figures of a classifier on the test set; see `accuracies`."""
    if "data.extra=FILE" in typed:
        typed = [word.replace("FILE", str(drawn(data, seed))) for word in typed]
    return measured(GROUP, f"{data} {kind} {seed}", [*CLASSIFIER, f"data={data}", RARE, f"seed={seed}", *typed], accuracies)


def accuracies(folder: RunFolder) -> dict:
    """In per cent: accuracy, accuracy of the images of all but the rare class, and the recall of each class by its name."""
    run = open_run(folder.path)
    logits, labels = run.experiment.trainer.outputs("test")
    right = 100 * (logits.argmax(1) == labels).double()
    recall = {name: right[labels == i].mean().item() for i, name in enumerate(run.data.spec.classes)}
    return {"accuracy": right.mean().item(), "others": right[labels != 0].mean().item(), "recall": recall}


def drawn(data: str, seed: int) -> Path:
    """The file with the images that a game has drawn of the rare class. Another game has another file."""
    name, typed = game(data, seed)
    path = ROOT / "outputs" / GROUP / f"drawn_{data}_{seed}_{digest(typed)}.npz"
    if not path.exists():
        with suppress(NotMade):  # with --made, figures that are kept need no file
            by = run_of(GROUP, name, typed).path
            subprocess.run([*NNLAB, "augment", by, "-n", str(DRAWN), "--label", "0", "-o", path], cwd=ROOT, check=True)
    return path


def as_asked(data: str, seed: int, *more: str) -> float:
    """The share of the images drawn of the rare class that the run's judge takes for it, in per cent."""
    return measured(GROUP, *game(data, seed, *more), judged)["as_asked"]


def judged(folder: RunFolder) -> dict:
    """What the judge of a game says of 1,000 images drawn of the rare class."""
    run = open_run(folder.path)
    run.judged = True
    judge = run.experiment.trainer.judge
    with torch.inference_mode():
        made = run.model.sample_class(torch.zeros(1000, dtype=torch.int64, device=run.device))
        return {"as_asked": 100 * (judge.model.classify(judge.adapt(made)).argmax(1) == 0).double().mean().item()}


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation."""
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"
