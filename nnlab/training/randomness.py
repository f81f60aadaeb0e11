"""Everything random: where it comes from, and how it is kept and brought back."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch

from nnlab.data.feed import mix

TRAINING, EVALUATION = 1, 2  # streams of one seed


def seed_everything(seed: int) -> None:
    """The global generators: of torch's initialisations, and of whatever a layer (dropout) or a plugin draws."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def generator(seed: int, stream: int, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(mix(seed, -stream))


@contextlib.contextmanager
def aside(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """A generator for evaluation and pictures: always the same, and without effect on the training's random numbers.

    So the cadences of a run do not change its weights.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()
    try:
        with torch.random.fork_rng([device.index] if device.type == "cuda" else []):
            seed_everything(seed)
            yield generator(seed, EVALUATION, device)
    finally:
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def state(training: torch.Generator, device: torch.device) -> dict:
    """Every generator's state, as tensors and plain values."""
    name, keys, *rest = np.random.get_state()
    version, internal, gauss = random.getstate()
    return {
        "training": training.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), *rest],
        "python": [version, list(internal), gauss],
    }


def restore(saved: dict, training: torch.Generator, device: torch.device) -> None:
    training.set_state(saved["training"])
    torch.set_rng_state(saved["torch"])
    if saved["cuda"] is not None and device.type == "cuda":
        torch.cuda.set_rng_state(saved["cuda"], device)
    name, keys, *rest = saved["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, internal, gauss = saved["python"]
    random.setstate((version, tuple(internal), gauss))
