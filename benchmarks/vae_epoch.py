"""Seconds for one epoch of the VAE 784-512-16 on Fashion-MNIST: 60,000 images, batch 128, Adam 1e-3; the updates alone.

All train the same network on the same loss, each in a separate process, in turn; the best round counts, after two epochs
that do not. The ratio is to the first line. The loss, of the last round's epoch in nats per image, shows that they do the
same work.
"""

from __future__ import annotations

from benchmarks.measure import Timing, race, table, target
from benchmarks.peers.vae.handwritten import DEVICE

PEERS = ("handwritten", "flushed", "nnlab", "pythae", "dataloader", "lightning")  # files in peers/vae/, the reference first
IMAGES = 60_000
REFERENCE = "hand-written loop, float32"


def run(rounds: int) -> str:
    timings, skipped = race([f"vae.{name}" for name in PEERS], rounds)
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
        ("nnlab, float32", "hand-written loop, float32, denormals flushed", 1.05),
        ("nnlab, auto", REFERENCE, 0.55),
        ("nnlab, auto", "pythae", 0.35),
        ("nnlab, auto", "torchvision DataLoader", 0.45),
    ]
    lines = []
    if DEVICE.type == "cuda":
        limits = [("nnlab, auto", "pythae", 1 / 20), ("nnlab, auto", "torchvision DataLoader", 1 / 20)]
        rate = IMAGES / timings["nnlab, auto"].seconds
        lines.append(f"- {rate:,.0f} images a second, target at least 1,500,000 ({'met' if rate >= 1.5e6 else 'missed'})")
    for ours, theirs, limit in limits:
        same = [theirs] if theirs in timings else [name for name in timings if name.startswith(theirs)]
        seconds = [timings[name].seconds for name in same]
        if seconds:
            lines.append(target(f"{ours} / {theirs}", timings[ours].seconds / min(seconds), limit))
    return lines
