"""The Laplacian pyramid beside a single network: `lapgan` and `gan` on MNIST, test split, by the same judge (`judge=auto`).

"A level alone" is the last level given real images of half the size, 14×14: the Fréchet distance of what it makes of them, and
of these images enlarged, without the details that it adds. Runs that are there already are not trained again.
"""

from __future__ import annotations

from benchmarks import games
from benchmarks.runs import compared

RUNS = {model: [f"model={model}", "data=mnist", "judge=auto", *games.RUNS[model]] for model in ("gan", "lapgan")}
COLUMNS = {
    "Fréchet": ("frechet_distance", "{:.1f}"),
    "kernel": ("kernel_distance", "{:.1f}"),
    "precision": ("precision", "{:.2f}"),
    "recall": ("recall", "{:.2f}"),
    "classes": ("mode_coverage", "{:.0f}"),
    "rarest class": ("min_class_share", "{:.1%}"),
    "a level alone": ("reconstruction_frechet", "{:.2f}"),
    "without details": ("coarser_frechet", "{:.1f}"),
    "epochs": ("epochs", "{:.0f}"),
}


def run(rounds: int) -> str:
    return compared("pyramid", RUNS, COLUMNS)
