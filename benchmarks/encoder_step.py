"""An update of each encoder by contrast, and of the classifiers `transformer` and `distillation`, beside the same by hand, ms.

On random images of 28×28, in float32, in batches of 128: the updates alone. Both have the same networks, the same augmentation
and fused Adam. The step by hand is plain torch: cross-entropy of the whole matrix of cosines, all triplets in one array.
"""

from __future__ import annotations

from benchmarks.measure import beside_hand_written
from benchmarks.peers.translation.handwritten import STEPS


def run(rounds: int) -> str:
    return beside_hand_written("encoders", rounds, STEPS, {})
