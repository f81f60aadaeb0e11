"""Test accuracy of a classifier from few labels of MNIST: fine-tuned from a deep belief network, and from a random start.

The network (784-500-500, `experiment=dbn_mnist_few_labels`) has learned from all training images without a label. The same
network with its weights at random is one rival, `fcnn` of the same widths the other. As many labels of each class, drawn by
the seed; 10,000 test images; mean ± standard deviation over 5 seeds.
"""

from __future__ import annotations

from benchmarks.few_labels import compared


def run(rounds: int) -> str:
    return compared("dbn_mnist_few_labels", "the deep belief network", "[500,500]")
