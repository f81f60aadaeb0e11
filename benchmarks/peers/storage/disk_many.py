"""Images on the disk, four times as many."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers.storage.work import updates


def prepare() -> dict[str, Callable[[], float]]:
    return {"disk, 240,000 images": updates("disk", copies=4)}
