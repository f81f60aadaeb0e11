"""Shared by the benchmarks of few labels: a run without labels, and classifiers on its network from several starts."""

from __future__ import annotations

import statistics
import sys

from benchmarks.measure import table
from benchmarks.runs import run_of
from nnlab.checkpoints.reference import resolve_references
from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.run import build_experiment

LABELS, SEEDS = (100, 1000), 5
UPDATES = 2000
COMMON = ("data=mnist", "data.validation=0", "optimizer=adam_cosine", "optimizer.lr=1e-3", f"trainer.steps={UPDATES}")
TUNED = ("model=transfer", "model.frozen=false")


def compared(experiment: str, called: str, widths: str) -> str:
    """A table of test accuracies: fine-tuned from a run of an experiment, and from random weights.

    called  what the run is, as in "from …"; widths  of the same layers, for `fcnn`
    """
    earlier = run_of("few_labels", experiment, [f"experiment={experiment}"]).path
    starts = {
        f"from {called}": (*TUNED, f"model.encoder={earlier}"),
        "the same network, random start": (*TUNED, f"model.encoder={earlier}", "model.weights=random"),
        "fcnn of the same widths": ("model=fcnn", f"model.hidden={widths}"),
    }
    rows = []
    for name, start in starts.items():
        cells = []
        for labels in LABELS:
            found = [100 * accuracy(start, labels, seed) for seed in range(SEEDS)]
            cells.append(f"{statistics.mean(found):.1f} ± {statistics.stdev(found):.1f}")
            print(f"{name}, {labels}: {cells[-1]} %", file=sys.stderr)
        rows.append((name, *cells))
    return table(("accuracy in %", *(f"{labels:,} labels" for labels in LABELS)), rows)


def accuracy(start: tuple[str, ...], labels: int, seed: int) -> float:
    """Of the test images, of a classifier that has learned from so many labels, drawn by the seed."""
    draw = [f"data.train_size={labels}", f"data.seed={seed}", f"seed={seed}"]
    typed = [*start, *COMMON, *draw, "trainer.batch_size=100"]
    config, problems = resolve_references(to_dict(compose_config(typed)))
    if problems:
        raise RuntimeError("; ".join(problems))
    experiment = build_experiment(config)
    experiment.initialize()
    trainer = experiment.trainer
    trainer.train(0, trainer.total_steps, lambda: False)
    trainer.meter.look()
    return trainer.evaluate("test")["accuracy"]
