"""Test accuracy of a classifier from few labels of MNIST: fine-tuned from a stacked autoencoder, and from a random start.

The network (784-500-500-100, `experiment=stacked_few_labels`) has learned from all training images without a label, layer
after layer and then as a whole, with half of the pixels lost (`masking`). The same network with its weights at random is one
rival, `fcnn` of the same widths the other. As many labels of each class, drawn by the seed; 10,000 test images; mean ± standard
deviation over 5 seeds.
"""

from __future__ import annotations

from benchmarks.few_labels import compared


def run(rounds: int) -> str:
    return compared("stacked_few_labels", "the stacked autoencoder", "[500,500,100]")
