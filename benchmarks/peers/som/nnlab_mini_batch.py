"""python -m benchmarks.peers.som.nnlab_mini_batch: trains once, and prints the seconds an epoch and both errors as JSON."""

from __future__ import annotations

import json
import time

from benchmarks.peers.fashion import assembled
from benchmarks.peers.som import EPOCHS, RADIUS, SIDE, quality

if __name__ == "__main__":
    shape = [f"model.rows={SIDE}", f"model.columns={SIDE}"]
    end = RADIUS / 3  # where MiniSom's decay, 1 / (1 + 2t), ends
    cadence = [f"trainer.epochs={EPOCHS}", f"trainer.radius.start={RADIUS}", f"trainer.radius.end={end:.3f}"]
    experiment = assembled("model=som", "data=fashion_mnist", *shape, *cadence)
    experiment.initialize()
    trainer, train = experiment.trainer, experiment.data.train
    epochs = []
    for epoch in range(EPOCHS):
        began = time.perf_counter()
        trainer.train(epoch * trainer.steps_per_epoch, trainer.steps_per_epoch, lambda: False)
        trainer.meter.look()
        epochs.append(time.perf_counter() - began)
    units = experiment.model.units.numpy()
    print(json.dumps([min(epochs), *quality(train.values(train.rows).flatten(1).numpy(), units)]))
