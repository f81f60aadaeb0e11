"""An update of the discriminator and one of the generator of `dcgan` on MNIST, milliseconds for both, beside the same by hand.

Batches of 64, channels 64 and 128, fused Adam, the generator's running average; the updates alone. The hand-written one
computes bfloat16 by autocast, too, makes the samples once for both updates, and differentiates for the player alone whose turn
it is.
"""

from __future__ import annotations

from benchmarks.measure import race, table, target
from benchmarks.peers.game.handwritten import PRECISIONS, STEPS

LIMIT = 1.05


def run(rounds: int) -> str:
    timings, _ = race(["game.handwritten", "game.nnlab"], rounds)
    rows, lines = [], []
    for name in PRECISIONS:
        hand, own = timings[f"hand-written, {name}"].seconds, timings[f"nnlab, {name}"].seconds
        rows.append((name, f"{1e3 * hand / STEPS:.1f}", f"{1e3 * own / STEPS:.1f}", f"{own / hand:.2f}"))
        lines.append(target(f"{name}: nnlab / hand-written", own / hand, LIMIT))
    return "\n".join([table(("", "hand-written, ms", "nnlab, ms", "ratio"), rows), "", *lines])
