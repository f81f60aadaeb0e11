"""Models that learn by a game, trained on MNIST by `nnlab train` and judged on the test split, with as many samples.

The judge is the classifier that `judge=auto` trains once; distances and manifolds are of its features. Runs that are there
already, complete and of the same config, are not trained again: their folders, under outputs/games, hold samples and curves.
"""

from __future__ import annotations

from benchmarks.runs import compared

RUNS = {
    "gan": ["trainer.epochs=90"],
    "dcgan": ["trainer.epochs=16"],
    "gran": ["experiment=gran_mnist"],
    "sagan": ["trainer.epochs=4"],
    "cgan": ["trainer.epochs=5"],
    "infogan": ["trainer.epochs=3"],
    "bigan": ["trainer.epochs=12", "trainer.batch_size=128"],
    "aae": [],
    "vae_gan": ["trainer.epochs=3"],
    "lapgan": ["experiment=lapgan_mnist"],
}
"""By model, what is not its default: some minutes each on a quiet CPU of two cores; `gan` plays about as long as `dcgan`."""

COLUMNS = {
    "Fréchet": ("frechet_distance", "{:.1f}"),
    "kernel": ("kernel_distance", "{:.1f}"),
    "precision": ("precision", "{:.2f}"),
    "recall": ("recall", "{:.2f}"),
    "classes": ("mode_coverage", "{:.0f}"),
    "rarest class": ("min_class_share", "{:.1%}"),
    "as asked": ("conditional_accuracy", "{:.1%}"),
    "reconstructed as": ("class_agreement", "{:.1%}"),
    "nmi": ("nmi", "{:.2f}"),
    "epochs": ("epochs", "{:.0f}"),
}


def run(rounds: int) -> str:
    return compared(
        "games", {model: [f"model={model}", "data=mnist", "judge=auto", *own] for model, own in RUNS.items()}, COLUMNS
    )
