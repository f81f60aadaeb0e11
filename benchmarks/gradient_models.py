"""Every gradient model beside its hand-written loop, in the same precision: milliseconds for an update on Fashion-MNIST.

Batches of 128; the updates alone. Both flush denormals and use fused Adam; the hand-written one computes bfloat16 by autocast.
`stacked_ae` in its last stage is `ae`, and `transfer` that trains all layers is `fcnn` on an encoder.
"""

from __future__ import annotations

from benchmarks.measure import beside_hand_written
from benchmarks.peers.gradient.handwritten import DEVICE, STEPS

ON_GPU = {"conv_vae, float32": 0.5, "conv_vae, bfloat16": 0.5}  # the whole step in one launch


def run(rounds: int) -> str:
    return beside_hand_written("gradient", rounds, STEPS, ON_GPU if DEVICE.type == "cuda" else {})
