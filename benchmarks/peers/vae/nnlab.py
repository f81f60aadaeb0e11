"""nnlab's own trainer, driven as its loop drives it: from one record to the next, each made while the next updates run."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.peers.vae.handwritten import BATCH, DEVICE, HIDDEN, LATENT, RATE
from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.run import build_experiment

LOG_EVERY = 50  # updates, as in configs/trainer/gradient.yaml
NETWORK = ("model=vae", f"model.hidden=[{HIDDEN}]", f"model.latent_dim={LATENT}", "model.activation=relu")
WORK = ("data=fashion_mnist", "data.validation=0", f"trainer.batch_size={BATCH}", "optimizer=adam", f"optimizer.lr={RATE}")


def loop(precision: str) -> Callable[[], float]:
    config = to_dict(compose_config([*NETWORK, *WORK, f"device={DEVICE.type}", f"trainer.precision={precision}"]))
    experiment = build_experiment(config)
    trainer = experiment.trainer
    experiment.model.init_from_data(experiment.data.train)
    step = 0

    def epoch() -> float:
        nonlocal step
        end = step + trainer.steps_per_epoch
        late = None
        while step < end:
            step += trainer.train(step, min(LOG_EVERY, end - step), lambda: False)
            if trainer.meter.accumulate(late):
                raise RuntimeError("nnlab: a loss that is not finite")
            late = trainer.meter.fetch()
        trainer.meter.accumulate(late)
        return trainer.meter.epoch.take()["loss"]

    return epoch


def prepare() -> dict[str, Callable[[], float]]:
    return {f"nnlab, {precision}": loop(precision) for precision in ("float32", "auto")}
