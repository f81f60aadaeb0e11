"""The hand-written loop by someone who knows that Adam's means of silent weights fade into denormals, which CPUs add slowly."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.peers.vae.handwritten import loop


def prepare() -> dict[str, Callable[[], float]]:
    torch.set_flush_denormal(True)  # before the first parallel product: threads take it over when they start
    return {"hand-written loop, float32, denormals flushed": loop(torch.float32)}
