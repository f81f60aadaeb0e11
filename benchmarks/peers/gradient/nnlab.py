"""nnlab's trainers on the same models, driven as its loop drives them."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers.gradient.handwritten import BATCH, DEVICE, MODELS, PRECISIONS, RATE, STEPS
from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.run import build_experiment


def loop(model: str, precision: str) -> Callable[[], float]:
    """STEPS updates; gives the mean loss."""
    chosen = [f"model={model}", "data=fashion_mnist", "data.validation=0", "optimizer=adam", f"optimizer.lr={RATE}"]
    how = [f"trainer.batch_size={BATCH}", f"trainer.precision={precision}", f"device={DEVICE.type}"]
    experiment = build_experiment(to_dict(compose_config([*chosen, *how])))
    experiment.initialize()
    trainer, step = experiment.trainer, 0

    def some() -> float:
        nonlocal step
        step += trainer.train(step, STEPS, lambda: False)
        if trainer.meter.look():
            raise RuntimeError(f"{model}: a loss that is not finite")
        return trainer.meter.window.take()["loss"]

    return some


def prepare() -> dict[str, Callable[[], float]]:
    return {f"{model}, {precision}": loop(model, precision) for model in MODELS for precision in PRECISIONS}
