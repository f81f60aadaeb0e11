"""Random numbers: the seeds, and how random states are saved and restored."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch

from nnlab.data.sampler import hash_seed

TRAINING, EVALUATION = 1, 2  # independent streams of a seed


def seed_everything(seed: int) -> None:
    """Seed the global generators, which are used by torch's initialisations, by layers (dropout) and by plugins."""
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


def seed_of_rank(seed: int, rank: int) -> int:
    """The seed for a process: that of the run for the first, another for each of the others."""
    return hash_seed(seed, rank) % 2**32 if rank else seed


def generator(seed: int, stream: int, device: torch.device, rank: int = 0) -> torch.Generator:
    """A generator on the device, seeded with the run's seed and the number of a stream: streams are independent.

    rank  of the process: several processes draw other numbers for their examples
    """
    return torch.Generator(device).manual_seed(seed_of_rank(hash_seed(seed, -stream), rank))


@contextlib.contextmanager
def fork_rng(seed: int, device: torch.device, rank: int = 0) -> Iterator[torch.Generator]:
    """A generator for evaluation and pictures: always the same, and without effect on the random numbers of training.

    So the number of evaluations and pictures does not change the weights.

    rank  of the process, as for `generator`
    """
    before = global_state(device)
    try:
        seed_device(seed_of_rank(seed, rank), device)
        yield generator(seed, EVALUATION, device, rank)
    finally:
        restore_global(before, device)


def global_state(device: torch.device) -> dict:
    """The states of the global generators, as tensors and plain values."""
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
    """Restore all generators; another kind of device has other random numbers, seeded from the saved state."""
    if saved["kind"] == device.type:
        training.set_state(saved["training"])
        restore_global(saved, device)
    else:
        training.manual_seed(int.from_bytes(saved["training"].numpy().tobytes()[-8:], "little") % 2**63)
        restore_global({**saved, "device": None}, device)
