"""nnlab's own trainer, driven as its loop drives it; from the data as CD has it, and in chains as scikit-learn's has it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from nnlab.config.composition import compose_config, to_dict
from nnlab.data.split import Data
from nnlab.experiment.run import Experiment, build_experiment
from nnlab.families.rbm.rbm import RBM

HIDDEN, BATCH, RATE = 256, 128, 0.05
LOG_EVERY = 50  # updates, as in configs/trainer/gradient.yaml
WATCHED, BITS = 2000, 16  # images whose pseudo-likelihood is told, and bits of each: a moment, and the same for all peers
WORK = ("data=mnist", "data.binarize=fixed", "data.validation=0", f"model.hidden={HIDDEN}", f"trainer.batch_size={BATCH}")
SAME = (f"optimizer.lr={RATE}", "optimizer/schedule=constant", "trainer.epochs=100", "device=cpu")


def assembled(precision: str, persistent: bool = False) -> Experiment:
    typed = ["model=rbm", *WORK, *SAME, f"trainer.precision={precision}", f"trainer.persistent={str(persistent).lower()}"]
    experiment = build_experiment(to_dict(compose_config(typed)))
    experiment.initialize()
    return experiment


@torch.no_grad()
def negative_pseudo_likelihood(model: RBM, data: Data) -> float:
    """The negative pseudo-log-likelihood of some training images, nats an image."""
    v = data.train.values(data.train.spread(WATCHED)).flatten(1)
    return model.monitored_loss(v, model.hidden_field(v), torch.Generator().manual_seed(0), BITS).mean().item()


def loop(precision: str, persistent: bool) -> Callable[[], float]:
    experiment = assembled(precision, persistent)
    trainer = experiment.trainer
    step = 0

    def epoch() -> float:
        nonlocal step
        end = step + trainer.steps_per_epoch
        while step < end:
            step += trainer.train(step, min(LOG_EVERY, end - step), lambda: False)
            if trainer.meter.look():
                raise RuntimeError("nnlab: a value that is not finite")
        return negative_pseudo_likelihood(experiment.model, experiment.data)

    return epoch


def prepare() -> dict[str, Callable[[], float]]:
    kinds = {"CD-1": False, "persistent": True}
    return {
        f"nnlab, {name}, {precision}": loop(precision, persistent)
        for precision in ("float32", "auto")
        for name, persistent in kinds.items()
    }
