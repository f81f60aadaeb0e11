"""Examples read from the disk beside examples in memory: the VAE 784-512-16 on Fashion-MNIST, seconds per 468 updates, in turn.

The memory is what the process itself holds after them (RssAnon); pages of the mapped file are the kernel's, which
takes them back when it needs them. It must not grow with the number of images.
"""

from __future__ import annotations

from benchmarks.measure import race, table, target

SLOWEST = 1 / 0.85  # of the images per second in memory


def run(rounds: int) -> str:
    timings, skipped = race(["storage.memory", "storage.disk", "storage.disk_many"], rounds)
    reference = timings["memory, 60,000 images"].seconds
    rows = [(name, f"{t.seconds:.2f}", f"{t.seconds / reference:.2f}", f"{t.result:.0f}") for name, t in timings.items()]
    few, many = (timings[f"disk, {n} images"] for n in ("60,000", "240,000"))
    lines = [
        target("disk / memory, seconds per update", few.seconds / reference, SLOWEST),
        target("disk, memory of 240,000 images / of 60,000", many.result / few.result, 1.05),
    ]
    return "\n".join([table(("", "seconds", "ratio", "MiB"), rows), "", *skipped, *lines])
