"""Seconds for one epoch, one Gibbs step per update, of an RBM 784×256 on binary MNIST: batch 128, rate 0.05; the updates alone.

60,000 images; each in a separate process, in turn; the best round counts, after two epochs that do not. The ratio is to
scikit-learn's BernoulliRBM in float32, whose chains are persistent. The last column, after the last round, is the negative
pseudo-log-likelihood of 2,000 training images, in nats per image from 16 bits of each, after equally many epochs in each line.
"""

from __future__ import annotations

from benchmarks.measure import race, table, target

PEERS = ("scikit", "nnlab")  # files in peers/rbm/, the reference first
IMAGES = 60_000
REFERENCE = "scikit-learn, float32"


def run(rounds: int) -> str:
    timings, _ = race([f"rbm.{name}" for name in PEERS], rounds)
    reference = timings[REFERENCE].seconds
    rows = [
        (name, f"{t.seconds:.2f}", f"{IMAGES / t.seconds:,.0f}", f"{t.seconds / reference:.2f}", f"{t.result:.1f}")
        for name, t in timings.items()
    ]
    lines = [
        target(f"{name} / {REFERENCE}", timings[name].seconds / reference, 0.5) for name in timings if name.startswith("nnlab")
    ]
    return "\n".join([table(("", "seconds", "images/s", "ratio", "−log PL"), rows), "", *lines])
