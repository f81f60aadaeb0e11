"""Where a run computes, and with which numbers."""

from __future__ import annotations

import torch

from nnlab.errors import BadInput


def resolve(name: str) -> torch.device:
    """`auto` is the first GPU, else the CPU. Raises BadInput if the device is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda:0")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda", "mps") or (device.type != "cuda" and device.index):
        raise BadInput(f"device: expected auto, cpu, cuda, cuda:N or mps, got '{name}'")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise BadInput(
                f"device: '{name}' asked for, but torch sees {count or 'no'} CUDA devices here; use device=auto or cpu"
            )
        return torch.device("cuda", device.index or 0)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise BadInput("device: 'mps' asked for, but this is no Mac with Metal; use device=auto or cpu")
    return torch.device(device.type)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 natively: GPUs since Ampere, CPUs with avx512_bf16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        try:
            return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        except AttributeError:  # an older torch without the two
            return False
    return False


def precision(choice: str, device: torch.device) -> torch.dtype:
    """The dtype of the matrix products; weights, losses and statistics are float32 in any case."""
    if choice == "bfloat16":
        return torch.bfloat16
    return torch.bfloat16 if choice == "auto" and multiplies_bfloat16(device) else torch.float32


def describe(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"cpu ({torch.get_num_threads()} threads)" if device.type == "cpu" else str(device)
