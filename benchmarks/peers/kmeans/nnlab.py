from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch

from benchmarks.peers.fashion import assembled
from benchmarks.peers.kmeans import CLUSTERS, PASSES
from benchmarks.peers.kmeans.scikit_learn import start
from nnlab.nn import byte_products


def passes(batch: int, bytes_too: bool) -> Callable[[], float]:
    """The passes, and then the inertia of the centres that they leave, as the peer takes it."""
    options = [f"model.clusters={CLUSTERS}", "model.tolerance=0", f"trainer.epochs={PASSES}", f"trainer.batch_size={batch}"]
    experiment = assembled("model=kmeans", "data=fashion_mnist", *options)
    model, trainer, train = experiment.model, experiment.trainer, experiment.data.train
    model.init_from_data(train)
    begin = torch.from_numpy(start(train.values(train.rows).flatten(1).numpy()))
    quick = byte_products.quick()

    def run() -> float:
        byte_products.quick = lambda: quick and bytes_too
        model.starts.copy_(begin[None])
        trainer.memory.set_group("sums", None)
        trainer.train(0, trainer.total_steps, lambda: False)
        trainer.meter.look()
        sums = trainer.memory.group("sums")  # what the passes remember
        with torch.no_grad():
            for rows in train.rows.split(batch):
                sums = model.e_step(trainer.batch(rows), sums)
        return float(sums["inertia"])

    return run


def prepare() -> dict[str, Callable[[], float]]:
    made = partial(passes, 4000)
    return {"nnlab": made(True), "nnlab, batches of 1000": passes(1000, True), "nnlab, float32 products": made(False)}
