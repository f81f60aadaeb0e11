"""nnlab's models that draw by steps, classes and words, driven as its loop drives them."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers.drawing.handwritten import MODELS
from benchmarks.peers.translation.nnlab import loop


def prepare() -> dict[str, Callable[[], float]]:
    return {name: loop(name, settings) for name, settings in MODELS.items()}
