"""Fashion-MNIST as the peers take it that need arrays, and nnlab's own runs on it."""

from __future__ import annotations

import numpy as np

from nnlab.config.composition import compose_config, to_dict
from nnlab.experiment.run import Experiment, build_experiment


def images() -> np.ndarray:
    """(60000, 784) float32 from 0 to 1."""
    train = assembled("model=pca", "data=fashion_mnist").data.train
    return train.values(train.rows).flatten(1).numpy()


def assembled(*overrides: str) -> Experiment:
    """What a command line would train, on all 60,000 images."""
    return build_experiment(to_dict(compose_config([*overrides, "data.validation=0", "device=cpu"])))
