"""What an update of simclr keeps for its gradients, and the memory that it takes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import normalize

from benchmarks.peers.fashion import assembled
from nnlab.families.contrastive.losses import nt_xent

BATCH = 4096


def prepare() -> dict[str, Callable[[], float]]:
    """By name, a function that gives MiB; the first makes what the optimizer keeps, and all buffers."""
    shape = ["model=simclr", "data=fashion_mnist", f"data.limit={BATCH}", "data.validation=0"]
    experiment = assembled(*shape, f"trainer.batch_size={BATCH}", "trainer.precision=float32", "trainer.epochs=1000")
    experiment.initialize()
    model, trainer, step = experiment.model, experiment.trainer, 0
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers())}

    def update() -> None:
        nonlocal step
        step += trainer.train(step, 1, lambda: False)

    def activations() -> float:
        kept: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with saved_tensors_hooks(pack, lambda tensor: tensor):
            update()
        return sum(kept.values()) / 2**20

    z = normalize(torch.randn(2 * BATCH, model.head[-1].out_features), dim=1).requires_grad_()

    def loss() -> None:
        nt_xent(*z.chunk(2), temperature=0.5)[0].mean().backward()

    return {"activations": activations, "update": lambda: growth(update), "loss": lambda: growth(loss)}


def growth(function: Callable[[], None]) -> float:
    """By how much the resident memory of this process grows to its peak while a function runs, MiB."""
    ctypes.CDLL(None).malloc_trim(0)  # pages that are free but not given back would hide what the function takes
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    function()
    return resident("VmHWM") - before


def resident(which: str) -> float:
    """Resident memory of this process, MiB: VmRSS now, VmHWM its peak."""
    status = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(which)).split()[1]) / 1024
