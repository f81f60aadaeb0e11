"""The precision of matrix products; weights, losses and statistics are always float32."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Literal

import torch
from torch import nn

from nnlab.errors import BadInput
from nnlab.nn.products import onednn
from nnlab.nn.transformer import TransformerBlock

Choice = Literal["auto", "float32", "bfloat16"]


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies bfloat16 natively: GPUs since Ampere, CPUs with avx512_bf16 or AMX."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        try:
            return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        except AttributeError:  # an older torch without these functions
            return False
    return False


class Precision:
    """float32, or bfloat16 by autocast or by oneDNN.

    Autocast casts weights and activations before it multiplies. It is used on a GPU, for convolutions, which also read half the
    bytes, and for transformers, whose attention is slow under oneDNN's setting. A fully connected network on a CPU is faster if
    oneDNN rounds the factors while it reads them: no tensor is cast, and sums and outputs are float32. oneDNN does this only if
    the hardware multiplies bfloat16.

    float32 on a CPU also uses oneDNN, if that is faster than MKL and as exact.

    autocasts  whether the step may run under autocast. Differences of statistics may not: the difference of two large
               sums needs more than bfloat16's three digits
    Raises BadInput for bfloat16 if it needs autocast but the step does not allow that.
    """

    def __init__(self, choice: Choice, device: torch.device, model: nn.Module, autocasts: bool = True) -> None:
        native = multiplies_bfloat16(device)
        bfloat16 = choice == "bfloat16" or (choice == "auto" and native)
        casts = any(isinstance(module, (nn.modules.conv._ConvNd, TransformerBlock)) for module in model.modules())
        on_cpu = native and device.type == "cpu" and hasattr(torch.backends.mkldnn, "matmul")
        if not autocasts and not (on_cpu and not casts):
            if choice == "bfloat16":
                name = type(model).__name__
                raise BadInput(
                    f"trainer.precision: {name} learns in bfloat16 only on a CPU that multiplies it natively, which this "
                    f"{device.type} does not; use float32 or auto"
                )
            bfloat16 = False
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        self.device = device
        self.within_onednn = bfloat16 and on_cpu and not casts
        self.products = "bf16" if self.within_onednn else None
        if not bfloat16 and device.type == "cpu" and onednn_multiplies_float32_faster():
            self.products = "tf32"

    def __str__(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    def forward(self) -> AbstractContextManager:
        """The context of the forward pass."""
        if self.dtype == torch.float32 or self.within_onednn:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def step(self) -> AbstractContextManager:
        """The context of the forward and the backward pass."""
        return onednn(self.products) if self.products else nullcontext()


@cache
def onednn_multiplies_float32_faster() -> bool:
    """Whether oneDNN's float32 products are faster than those of Intel's MKL on this CPU, and as exact as float32.

    If TensorFloat-32 is allowed, torch uses oneDNN instead of MKL. On AMD it then still computes in float32, twice as fast as
    MKL. On a CPU with a shorter format it would use that format, which the error of one product shows. On Intel's CPUs both
    are equally fast (benchmarks/products.py).
    """
    if vendor() == "GenuineIntel" or not hasattr(torch.backends.mkldnn, "matmul"):
        return False
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn((2, 256, 256), generator=generator)
    with onednn("tf32"):
        error = (a @ b).double() - a.double() @ b.double()
    return error.abs().max().item() < FLOAT32_ERROR


FLOAT32_ERROR = 1e-3  # of sums of 256 products of normal numbers: float32 makes 4e-5, TensorFloat-32 6e-2, bfloat16 0.2


def vendor() -> str:
    """The vendor of the CPU, as the kernel names it; "" if unknown."""
    try:
        with open("/proc/cpuinfo") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith("vendor_id")), "")
    except OSError:
        return ""
