"""Everything random: where it comes from, and how it is kept and brought back."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch

from nnlab.data.feed import hash_seed

TRAINING, EVALUATION = 1, 2  # streams of one seed


def seed_everything(seed: int) -> None:
    """The global generators: of torch's initialisations, and of whatever a layer (dropout) or a plugin draws."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def seed_device(seed: int, device: torch.device) -> None:
    """The global generators again, of the CPU and of one device. `torch.manual_seed` formats a stack for each kind of device
    that is absent, which takes longer than a small evaluation."""
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def generator(seed: int, stream: int, device: torch.device) -> torch.Generator:
    """A generator on the device, seeded by the run's seed and the number of a stream: streams do not depend on each other."""
    return torch.Generator(device).manual_seed(hash_seed(seed, -stream))


@contextlib.contextmanager
def fork_rng(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """A generator for evaluation and pictures: always the same, and without effect on the training's random numbers.

    So the cadences of a run do not change its weights.
    """
    before = global_state(device)
    try:
        seed_device(seed, device)
        yield generator(seed, EVALUATION, device)
    finally:
        restore_global(before, device)


def global_state(device: torch.device) -> dict:
    """The generators that layers and plugins draw from, as tensors and plain values."""
    name, keys, *rest = np.random.get_state()
    version, internal, gauss = random.getstate()
    own = {"cuda": lambda: torch.cuda.get_rng_state(device), "mps": torch.mps.get_rng_state}
    return {
        "torch": torch.get_rng_state(),
        "device": own[device.type]() if device.type in own else None,
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), *rest],
        "python": [version, list(internal), gauss],
    }


def restore_global(saved: dict, device: torch.device) -> None:
    """Set the global generators of torch, of the device, of NumPy and of Python as they were saved."""
    torch.set_rng_state(saved["torch"])
    if saved["device"] is not None:
        set_state = {"cuda": lambda state: torch.cuda.set_rng_state(state, device), "mps": torch.mps.set_rng_state}
        set_state[device.type](saved["device"])
    name, keys, *rest = saved["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    version, internal, gauss = saved["python"]
    random.setstate((version, tuple(internal), gauss))


def state(training: torch.Generator, device: torch.device) -> dict:
    """Every generator's state."""
    return {"kind": device.type, "training": training.get_state(), **global_state(device)}


def restore(saved: dict, training: torch.Generator, device: torch.device) -> None:
    """Go on with the same random numbers; on another kind of device, which has others, with new ones from the same state."""
    if saved["kind"] == device.type:
        training.set_state(saved["training"])
        restore_global(saved, device)
    else:
        training.manual_seed(int.from_bytes(saved["training"].numpy().tobytes()[-8:], "little") % 2**63)
        restore_global({**saved, "device": None}, device)
