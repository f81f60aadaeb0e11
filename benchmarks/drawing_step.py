"""An update of each model that draws by steps, classes or words, milliseconds for all of its players, beside the same by hand.

On random images of 28×28, in float32, in batches of 32: the updates alone. Both have the same networks, fused Adam and a
running average of the generator. The step by hand is plain torch: it makes each sample once for both turns, and differentiates
for the player alone whose turn it is.
"""

from __future__ import annotations

from benchmarks.measure import beside_hand_written
from benchmarks.peers.translation.handwritten import STEPS


def run(rounds: int) -> str:
    return beside_hand_written("drawing", rounds, STEPS, {})
