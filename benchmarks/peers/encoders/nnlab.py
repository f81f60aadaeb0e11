"""nnlab's encoders and the classifiers beside them, driven as its loop drives them."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers.encoders.handwritten import BATCH, MODELS
from benchmarks.peers.translation.nnlab import loop


def prepare() -> dict[str, Callable[[], float]]:
    return {name: loop(name, settings, BATCH) for name, settings in MODELS.items()}
