"""`transformer`: a small vision transformer of 4 × 4 patches, trained for 20 epochs; accuracy on the test images.

Beside it stands `cnn`, a small convolutional network, after 5 epochs with the same augmentation. Runs that are there already
are not trained again: their folders are under outputs/transformer, with pictures of the attention.
"""

from __future__ import annotations

from benchmarks.runs import compared

CNN = ["model=cnn", "trainer.epochs=5", "augmentation=affine"]
RUNS = {
    "transformer, MNIST": ["experiment=transformer_mnist"],
    "cnn, MNIST": [*CNN, "data=mnist"],
    "transformer, Fashion-MNIST": ["experiment=transformer_fashion"],
    "cnn, Fashion-MNIST": [*CNN, "data=fashion_mnist", "augmentation.shift=1", "augmentation.flip=true"],
}
COLUMNS = {
    "accuracy": ("accuracy", "{:.2%}"),
    "loss, nats": ("loss", "{:.4f}"),
    "epochs": ("epochs", "{}"),
}


def run(rounds: int) -> str:
    return compared("transformer", RUNS, COLUMNS)
