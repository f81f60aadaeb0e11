"""Seconds for ten of EM's passes over Fashion-MNIST, ten Gaussians from the same start, regularisation 1e-3.

Each runs in a separate process, in turn; the best round counts. The bound is in nats per example, that of the last pass.
"""

from __future__ import annotations

from benchmarks.measure import race, table, target
from benchmarks.peers.gmm import CASES


def run(rounds: int) -> str:
    timings, _ = race(["gmm.scikit_learn", "gmm.nnlab"], rounds)
    rows, targets = [], []
    for case in CASES.values():
        for number in ("float32", "float64"):
            theirs, ours = timings[f"{case}: scikit-learn, {number}"], timings[f"{case}: nnlab, {number}"]
            ratio, difference = ours.seconds / theirs.seconds, abs(ours.result / theirs.result - 1)
            rows.append(
                (f"{case}, {number}", f"{theirs.seconds:.2f}", f"{ours.seconds:.2f}", f"{ratio:.2f}", f"{difference:.0e}")
            )
            if number == "float32":
                targets.append(target(f"{case}: nnlab / scikit-learn", ratio, 0.4))
    header = ("", "scikit-learn, s", "nnlab, s", "ratio", "difference of the bound")
    return "\n".join([table(header, rows), "", *targets])
