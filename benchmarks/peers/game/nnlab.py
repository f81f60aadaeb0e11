"""nnlab's game, driven as its loop drives it."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers.game.handwritten import BATCH, DEVICE, PRECISIONS, STEPS
from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.run import build_experiment


def loop(precision: str) -> Callable[[], float]:
    """STEPS updates of both; gives the discriminator's mean loss."""
    chosen = ["model=dcgan", "model.channels=[64,128]", "data=mnist", "data.validation=0", f"trainer.batch_size={BATCH}"]
    experiment = build_experiment(to_dict(compose_config([*chosen, f"trainer.precision={precision}", f"device={DEVICE.type}"])))
    experiment.initialize()
    trainer, step = experiment.trainer, 0

    def some() -> float:
        nonlocal step
        step += trainer.train(step, STEPS, lambda: False)
        if trainer.meter.look():
            raise RuntimeError("a loss that is not finite")
        return trainer.meter.window.take()["discriminator_loss"]

    return some


def prepare() -> dict[str, Callable[[], float]]:
    return {f"nnlab, {precision}": loop(precision) for precision in PRECISIONS}
