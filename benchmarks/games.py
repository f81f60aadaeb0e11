"""Every model that learns by a game, trained on MNIST by `nnlab train` and judged on the test split, with as many samples.

The judge is the classifier that `judge=auto` trains once; distances and manifolds are of its features. Runs that are there
already, complete and of the same config, are not trained again: their folders, under outputs/games, hold samples and curves.
"""

from __future__ import annotations

import json
import os
import subprocess

from benchmarks.measure import NNLAB, ROOT, table
from nnlab.config.names import composed, plain
from nnlab.runs.folder import RunFolder

RUNS = {
    "gan": ["trainer.epochs=90"],
    "dcgan": [],
    "sagan": [],
    "cgan": [],
    "infogan": [],
    "bigan": [],
    "aae": [],
    "vae_gan": [],
}
"""By model, what is not its default. `gan` plays for as long as `dcgan` on a CPU."""

COLUMNS = {
    "Fréchet": ("test/frechet_distance", "{:.1f}"),
    "kernel": ("test/kernel_distance", "{:.1f}"),
    "precision": ("test/precision", "{:.2f}"),
    "recall": ("test/recall", "{:.2f}"),
    "classes": ("test/mode_coverage", "{:.0f}"),
    "rarest class": ("test/least_class_share", "{:.1%}"),
    "as asked": ("test/requested_accuracy", "{:.1%}"),
    "reconstructed as": ("test/class_agreement", "{:.1%}"),
    "nmi": ("test/nmi", "{:.2f}"),
    "minutes": ("minutes", "{:.1f}"),
}
PARTS = ("model", "data", "trainer", "optimizer", "seed", "judge")


def run(rounds: int) -> str:
    rows = [(model, *cells(figures_of(model, overrides))) for model, overrides in RUNS.items()]
    return table(("", *COLUMNS), rows)


def figures_of(model: str, overrides: list[str]) -> dict[str, float]:
    """The final figures of a model's run, which is made if there is none yet."""
    chosen = [f"model={model}", "data=mnist", "judge=auto", *overrides]
    folder = RunFolder(ROOT / "outputs" / "games" / model)
    if folder.read_status().get("status") != "completed" or not same(folder, chosen):
        subprocess.run([*NNLAB, "train", *chosen, f"hydra.run.dir={folder.path}"], cwd=ROOT, check=True, env=os.environ)
    summary = folder.read_summary()
    return {**summary["final"], "minutes": summary["seconds"] / 60}


def same(folder: RunFolder, chosen: list[str]) -> bool:
    """Whether a run is of this config, wherever its data and its judge lie."""
    mine, other = plain(composed(chosen)), folder.read_config()
    for config in (mine, other):
        config["data"]["root"], config["judge"] = None, None
    return all(json.dumps(mine[part], sort_keys=True) == json.dumps(other[part], sort_keys=True) for part in PARTS)


def cells(figures: dict[str, float]) -> list[str]:
    return [form.format(figures[name]) if name in figures else "" for name, form in COLUMNS.values()]
