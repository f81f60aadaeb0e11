"""Every gradient model beside its hand-written loop, in the same precision: milliseconds for an update on Fashion-MNIST.

Batches of 128; the updates alone. Both flush denormals and use fused Adam; the hand-written one computes bfloat16 by autocast.
`stacked_ae` in its last stage is `ae`, and `transfer` that trains all layers is `fcnn` on an encoder.
"""

from __future__ import annotations

from functools import partial

from benchmarks.measure import Peer, in_turn, table, target
from benchmarks.peers.gradient.handwritten import DEVICE, STEPS

LIMIT = 1.05
ON_GPU = {"conv_vae, float32": 0.5, "conv_vae, bfloat16": 0.5}  # the whole step in one launch


def run(rounds: int) -> str:
    ours, theirs = (Peer(f"benchmarks.peers.gradient.{name}") for name in ("nnlab", "handwritten"))
    try:
        jobs = {}
        for name in theirs.names:
            jobs[f"hand-written {name}"] = partial(theirs.run, name)
            jobs[f"nnlab {name}"] = partial(ours.run, name)
        timings = in_turn(jobs, rounds)
    finally:
        ours.close()
        theirs.close()
    rows, lines = [], []
    for name in theirs.names:
        hand, own = timings[f"hand-written {name}"].seconds, timings[f"nnlab {name}"].seconds
        rows.append((name, f"{1e3 * hand / STEPS:.2f}", f"{1e3 * own / STEPS:.2f}", f"{own / hand:.2f}"))
        limit = ON_GPU.get(name, LIMIT) if DEVICE.type == "cuda" else LIMIT
        lines.append(target(f"{name}: nnlab / hand-written", own / hand, limit))
    return "\n".join([table(("", "hand-written, ms", "nnlab, ms", "ratio"), rows), "", *lines])
