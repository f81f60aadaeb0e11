"""Tensors that training changes besides the model: Markov chains, running means, the sums of a pass."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

OLD_NAMES = ("chains", "hidden_mean", "sums")  # checkpoints before 2026-11-26 have each of them next to the model


class Memory(nn.Module):
    """A trainer's own tensors, each a buffer of this module.

    They are registered here once. A checkpoint holds the `state_dict`, and a CUDA graph restores the `buffers` after a trial.

        memory = Memory()
        memory.register_buffer("chains", torch.zeros(100, 784))
        memory.chains.copy_(…)                                   # in place, so that a captured step sees it
        memory.set_group("sums", {"weight": …, "count": …})      # tensors that come and go together
    """

    def group(self, name: str) -> dict[str, Tensor] | None:
        """The tensors of a group by name; None if there are none."""
        prefix = f"{name}/"
        buffers = {key.removeprefix(prefix): value for key, value in self.named_buffers() if key.startswith(prefix)}
        return buffers or None

    def set_group(self, name: str, tensors: Mapping[str, Tensor] | None) -> None:
        """Replace a group of tensors; None removes it."""
        for key in [key for key, _ in self.named_buffers() if key.startswith(f"{name}/")]:
            delattr(self, key)
        for key, value in (tensors or {}).items():
            self.register_buffer(f"{name}/{key}", value)

    def restore(self, saved: Mapping[str, Tensor], device: torch.device) -> None:
        """Copy the `state_dict` of another memory to a device.

        Tensors of float64 stay on the CPU if the device has no float64 (Apple's Metal). Raises ValueError if a registered
        tensor has another shape.
        """
        for name, value in saved.items():
            own = getattr(self, name, value)
            if own.shape != value.shape:
                raise ValueError(f"{name} is {tuple(value.shape)} in the checkpoint, but {tuple(own.shape)} in this run")
            stays = device.type == "mps" and value.dtype == torch.float64
            self.register_buffer(name, value if stays else value.to(device))


def saved_memory(trainer_state: Mapping) -> dict[str, Tensor]:
    """The `state_dict` of the memory in a checkpoint's `trainer`."""
    if "memory" in trainer_state:
        return trainer_state["memory"]
    saved: dict[str, Tensor] = {}
    for name in OLD_NAMES:
        value = trainer_state.get(name)
        saved |= {f"{name}/{key}": part for key, part in value.items()} if isinstance(value, dict) else {}
        saved |= {name: value} if isinstance(value, Tensor) else {}
    return saved
