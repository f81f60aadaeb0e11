from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.peers.fashion import assembled, images
from benchmarks.peers.gmm import CASES, COMPONENTS, PASSES, REGULARISATION
from nnlab.experiment.run import Experiment

FOLDER = Path(tempfile.gettempdir()) / "nnlab_benchmarks"


def begun(case: str, precision: str = "float32") -> Experiment:
    """The data and the mixture's start, the same in every process."""
    options = [f"model.components={COMPONENTS}", f"model.covariance={case}", f"model.regularisation={REGULARISATION}"]
    data = ["data=fashion_mnist"]
    if case == "full":
        FOLDER.mkdir(exist_ok=True)
        x = images().astype(np.float64)
        x -= x.mean(0)
        _, vectors = np.linalg.eigh(x.T @ x / len(x))
        codes = (x @ vectors[:, :-33:-1]).astype(np.float32)
        np.savez(FOLDER / "codes.npz", x_train=codes, x_test=codes[:10])
        data = ["data=npz", f"data.file={FOLDER / 'codes.npz'}", "data.standardize=false"]
    more = ["model.tolerance=0", "model.init=random", f"trainer.epochs={PASSES}", f"model.precision={precision}"]
    experiment = assembled("model=gmm", *data, *options, *more)
    experiment.initialize()
    return experiment


def passes(case: str, precision: str) -> Callable[[], float]:
    experiment = begun(case, precision)
    model, trainer = experiment.model, experiment.trainer
    start = copy.deepcopy(model.state_dict())

    def run() -> float:
        model.load_state_dict(start)
        trainer.memory.set_group("sums", None)
        trainer.train(0, trainer.total_steps, lambda: False)
        trainer.meter.look()
        return float(model.bound)

    return run


def prepare() -> dict[str, Callable[[], float]]:
    return {f"{name}: nnlab, {p}": passes(case, p) for case, name in CASES.items() for p in ("float32", "float64")}
