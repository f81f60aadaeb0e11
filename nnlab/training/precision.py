"""With which numbers matrix products are computed; weights, losses and statistics are float32 in any case."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch
from torch import nn

Choice = Literal["auto", "float32", "bfloat16"]


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


class Precision:
    """float32, or bfloat16 in one of two ways.

    Autocast casts weights and activations and multiplies those: on a GPU, and for convolutions, which also gain by moving
    half the bytes. A fully connected network on a CPU gains more when oneDNN rounds the factors of a product as it reads
    them: no tensor is cast, and sums and outputs are float32. It does so only where the hardware multiplies bfloat16.
    """

    def __init__(self, choice: Choice, device: torch.device, model: nn.Module) -> None:
        native = multiplies_bfloat16(device)
        bfloat16 = choice == "bfloat16" or (choice == "auto" and native)
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        self.device = device
        convolves = any(isinstance(module, nn.modules.conv._ConvNd) for module in model.modules())
        on_cpu = native and device.type == "cpu" and hasattr(torch.backends.mkldnn, "matmul")
        self.within_onednn = bfloat16 and on_cpu and not convolves

    def __str__(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    def forward(self) -> AbstractContextManager:
        """Around the forward pass."""
        if self.dtype == torch.float32 or self.within_onednn:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def step(self) -> AbstractContextManager:
        """Around the forward and the backward pass."""
        return onednn_rounds_to_bfloat16() if self.within_onednn else nullcontext()


@contextlib.contextmanager
def onednn_rounds_to_bfloat16() -> Iterator[None]:
    """The switch is global to the process, so it is set for one step and set back: evaluation is float32."""
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = before
