"""python -m benchmarks.peers.som.minisom_online: trains once, and prints the seconds an epoch and both errors as JSON."""

from __future__ import annotations

import json
import time

from minisom import MiniSom

from benchmarks.peers.fashion import images
from benchmarks.peers.som import EPOCHS, RADIUS, RATE, SIDE, quality

if __name__ == "__main__":
    x = images()
    made = MiniSom(SIDE, SIDE, x.shape[1], sigma=RADIUS, learning_rate=RATE, random_seed=0)
    made.pca_weights_init(x[:1000])
    began = time.perf_counter()
    made.train(x, EPOCHS, use_epochs=True, random_order=True)
    seconds = (time.perf_counter() - began) / EPOCHS
    print(json.dumps([seconds, *quality(x, made.get_weights().reshape(SIDE**2, -1))]))
