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
    "dcgan": ["trainer.epochs=16"],
    "sagan": ["trainer.epochs=4"],
    "cgan": ["trainer.epochs=5"],
    "infogan": ["trainer.epochs=3"],
    "bigan": ["trainer.epochs=12", "trainer.batch_size=128"],
    "aae": [],
    "vae_gan": ["trainer.epochs=3"],
}
"""By model, what is not its default: some minutes each on a quiet CPU of two cores; `gan` plays about as long as `dcgan`."""

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
    "epochs": ("epochs", "{:.0f}"),
}


def run(rounds: int) -> str:
    rows = [(model, *cells(figures_of(model, overrides))) for model, overrides in RUNS.items()]
    return table(("", *COLUMNS), rows)


def figures_of(model: str, overrides: list[str]) -> dict[str, float]:
    """The final figures of a model's run, which is made if there is none yet."""
    chosen = [f"model={model}", "data=mnist", "judge=auto", *overrides]
    folder = RunFolder(ROOT / "outputs" / "games" / model)
    if folder.read_status().get("status") != "completed" or not same(folder, chosen):
        subprocess.run([*NNLAB, "train", *chosen, f"hydra.run.dir={folder.path}"], cwd=ROOT, check=True, env=os.environ)
    return {**folder.read_summary()["final"], "epochs": folder.read_config()["trainer"]["epochs"]}


def same(folder: RunFolder, chosen: list[str]) -> bool:
    """Whether a run is of this config, wherever its data lie and however often one looked."""
    mine, other = (bearing(config) for config in (plain(composed(chosen)), folder.read_config()))
    return mine == other


def bearing(config: dict) -> str:
    """What of a config bears on the figures."""
    trainer = {key: value for key, value in config["trainer"].items() if not key.endswith("_every")}
    data = {key: value for key, value in config["data"].items() if key != "root"}
    parts = {part: config[part] for part in ("model", "optimizer", "seed")}
    return json.dumps({**parts, "trainer": trainer, "data": data}, sort_keys=True)


def cells(figures: dict[str, float]) -> list[str]:
    return [form.format(figures[name]) if name in figures else "" for name, form in COLUMNS.values()]
