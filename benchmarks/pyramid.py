"""The Laplacian pyramid beside a single network: `lapgan` and `gan` on MNIST, test split, by the same judge (`judge=auto`).

"A level alone" is the last level given real images of half the size, 14×14: the Fréchet distance of what it makes of them, and
of these images enlarged, without the details that it adds. Runs that are there already are not trained again.
"""

from __future__ import annotations

from benchmarks import games
from benchmarks.runs import compared

RUNS = {model: [f"model={model}", "data=mnist", "judge=auto", *games.RUNS[model]] for model in ("gan", "lapgan")}
SHARED = ("Fréchet", "kernel", "precision", "recall", "classes", "rarest class", "epochs")
COLUMNS = {
    **{title: games.COLUMNS[title] for title in SHARED},
    "a level alone": ("reconstruction_frechet", "{:.2f}"),
    "without details": ("coarser_frechet", "{:.1f}"),
}


def run(rounds: int) -> str:
    return compared("pyramid", RUNS, COLUMNS)
