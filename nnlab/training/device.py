"""The device of a run."""

from __future__ import annotations

import torch

from nnlab.errors import BadInput
from nnlab.nn.launch import local_rank


def resolve(name: str) -> torch.device:
    """`auto` is the first GPU, else the CPU; of several processes each has a GPU of its own. A GPU becomes torch's current one.

    Raises BadInput if the device is not there.
    """
    if name == "auto":
        if torch.cuda.is_available():
            name = "cuda"
        else:
            return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps") or (device.type != "cuda" and device.index):
        raise BadInput(f"device: expected auto, cpu, cuda, cuda:N or mps, got '{name}'")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        index = local_rank() if device.index is None else device.index
        if index >= count:
            shown = name if device.index is not None or not index else f"cuda:{index}"
            raise BadInput(f"device: '{shown}' is not there: torch sees {count or 'no'} CUDA devices; use device=auto or cpu")
        torch.cuda.set_device(index)  # for streams, events and captures, which are of the current device
        return torch.device("cuda", index)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise BadInput("device: 'mps' needs a Mac with Metal; use device=auto or cpu")
    return torch.device(device.type)


def describe(device: torch.device) -> str:
    """The device in words for a log: with the GPU's name, or the number of threads of a CPU."""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)
