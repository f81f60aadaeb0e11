"""`transformer`: a small vision transformer of 4 × 4 patches, trained for 20 epochs; accuracy on the test images.

Beside it stands `cnn`, a small convolutional network, with as many epochs. Runs that are there already are not trained again:
their folders are under outputs/transformer, with pictures of the attention.
"""

from __future__ import annotations

from benchmarks.runs import compared

EPOCHS = "trainer.epochs=20"
RUNS = {
    "transformer, MNIST": ["experiment=transformer_mnist"],
    "cnn, MNIST": ["model=cnn", "data=mnist", EPOCHS],
    "transformer, Fashion-MNIST": ["experiment=transformer_fashion"],
    "cnn, Fashion-MNIST": ["model=cnn", "data=fashion_mnist", EPOCHS],
}
COLUMNS = {
    "accuracy": ("accuracy", "{:.2%}"),
    "loss, nats": ("loss", "{:.4f}"),
}


def run(rounds: int) -> str:
    return compared("transformer", RUNS, COLUMNS)
