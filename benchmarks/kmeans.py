"""Seconds for twenty of Lloyd's passes over Fashion-MNIST (60,000 × 784, k = 64) from the same 64 images.

Each in a separate process, in turn; the best round counts. nnlab reads bytes in batches of 4,000 and adds a twenty-first
reading for the inertia; scikit-learn has the images as float32. Where the CPU multiplies bytes, nnlab's products are of bytes.
"""

from __future__ import annotations

from benchmarks.measure import race, table, target

REFERENCE = "scikit-learn, float32"


def run(rounds: int) -> str:
    timings, _ = race(["kmeans.scikit_learn", "kmeans.nnlab"], rounds)
    reference = timings[REFERENCE]
    rows = [
        (
            name,
            f"{t.seconds:.2f}",
            f"{t.seconds / reference.seconds:.2f}",
            f"{t.result:.1f}",
            f"{t.result / reference.result - 1:.0e}",
        )
        for name, t in timings.items()
    ]
    ratio = timings["nnlab"].seconds / reference.seconds
    header = ("", "seconds", "ratio", "inertia", "difference")
    return "\n".join([table(header, rows), "", target("nnlab / scikit-learn", ratio, 0.75)])
