"""Seconds for one epoch of the VAE 784-512-16 on Fashion-MNIST: 60,000 images, batch 128, Adam 1e-3; the updates alone.

All train the same network on the same loss, in one process, in turn; the best round counts. The ratio is to the first
line. The loss, of the last round's epoch in nats an image, shows that they do the same work; nnlab's is lower because its
decoder starts from the mean image.
"""

from __future__ import annotations

import importlib

from benchmarks.measure import Timing, in_turn, table, target

PEERS = ("handwritten", "nnlab", "pythae", "dataloader", "lightning")  # files in peers/vae/, the reference first
IMAGES = 60_000
REFERENCE = "hand-written loop, float32"


def run(rounds: int) -> str:
    epochs, skipped = {}, []
    for peer in PEERS:
        try:
            epochs |= importlib.import_module(f"benchmarks.peers.vae.{peer}").prepare()
        except ModuleNotFoundError as error:
            if error.name.split(".")[0] in ("benchmarks", "nnlab"):
                raise
            skipped.append(f"- {peer}: skipped, not installed; `pip install {error.name}`")
    timings = in_turn(epochs, rounds)
    reference = timings[REFERENCE].seconds
    rows = [
        (name, f"{t.seconds:.2f}", f"{IMAGES / t.seconds:,.0f}", f"{t.seconds / reference:.2f}", f"{t.result:.1f}")
        for name, t in timings.items()
    ]
    lines = [table(("", "seconds", "images/s", "ratio", "loss"), rows), "", *targets(timings), *skipped]
    return "\n".join(lines)


def targets(timings: dict[str, Timing]) -> list[str]:
    """What nnlab is meant to reach, against whichever of a peer's variants is the fastest."""
    limits = [
        ("nnlab, float32", REFERENCE, 1.05),
        ("nnlab, auto", REFERENCE, 0.65),
        ("nnlab, auto", "pythae", 0.55),
        ("nnlab, auto", "torchvision DataLoader", 0.45),
    ]
    lines = []
    for ours, theirs, limit in limits:
        seconds = [t.seconds for name, t in timings.items() if name.startswith(theirs)]
        if seconds:
            lines.append(target(f"{ours} / {theirs}", timings[ours].seconds / min(seconds), limit))
    return lines
