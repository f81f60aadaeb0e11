"""Memory of an update of simclr on Fashion-MNIST, 4,096 images in two views, float32, CPU; MiB.

The update is the growth of the process's resident memory to its peak. Beside it stands what it cannot do without: the cosines
of all pairs of the 2N views, (2N)² floats, and the activations, all that autograd keeps for the gradients. The loss alone is
NT-Xent of embeddings of length 64 and its gradient.
"""

from __future__ import annotations

from benchmarks.measure import race, table, target
from benchmarks.peers.encoders.memory import BATCH


def run(rounds: int) -> str:
    timings, _ = race(["encoders.memory"], rounds)
    sizes = {"cosines of all pairs": (2 * BATCH) ** 2 * 4 / 2**20, **{name: timing.result for name, timing in timings.items()}}
    pairs, activations, update, loss = sizes.values()
    met = [
        target("update / cosines and activations", update / (pairs + activations), 1.2),
        target("loss / cosines", loss / pairs, 1.2),
    ]
    return "\n".join([table(("", "MiB"), [(name, f"{size:.0f}") for name, size in sizes.items()]), "", *met])
