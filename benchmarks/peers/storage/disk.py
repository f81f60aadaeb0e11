"""Images on the disk."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers.storage.work import updates


def prepare() -> dict[str, Callable[[], float]]:
    return {"disk, 60,000 images": updates("disk")}
