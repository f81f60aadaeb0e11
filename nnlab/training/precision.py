"""With which numbers matrix products are computed; weights, losses and statistics are float32 in any case."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Literal

import torch
from torch import nn

from nnlab.errors import BadInput

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

    float32 on a CPU goes through oneDNN, too, where that is faster than MKL and just as exact.

    autocasts  whether the step may run under autocast. Differences of statistics may not: what is left of two large sums
               needs more than bfloat16's three digits
    Raises BadInput if bfloat16 is asked for where it could only be had by autocast, and the step may not.
    """

    def __init__(self, choice: Choice, device: torch.device, model: nn.Module, autocasts: bool = True) -> None:
        native = multiplies_bfloat16(device)
        bfloat16 = choice == "bfloat16" or (choice == "auto" and native)
        convolves = any(isinstance(module, nn.modules.conv._ConvNd) for module in model.modules())
        on_cpu = native and device.type == "cpu" and hasattr(torch.backends.mkldnn, "matmul")
        if not autocasts and not (on_cpu and not convolves):
            if choice == "bfloat16":
                name = type(model).__name__
                raise BadInput(
                    f"trainer.precision: {name} learns in bfloat16 only on a CPU that multiplies it natively, which this "
                    f"{device.type} does not; use float32 or auto"
                )
            bfloat16 = False
        self.dtype = torch.bfloat16 if bfloat16 else torch.float32
        self.device = device
        self.within_onednn = bfloat16 and on_cpu and not convolves
        self.products = "bf16" if self.within_onednn else None
        if not bfloat16 and device.type == "cpu" and onednn_multiplies_float32_faster():
            self.products = "tf32"

    def __str__(self) -> str:
        return str(self.dtype).removeprefix("torch.")

    def forward(self) -> AbstractContextManager:
        """Around the forward pass."""
        if self.dtype == torch.float32 or self.within_onednn:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def step(self) -> AbstractContextManager:
        """Around the forward and the backward pass."""
        return onednn(self.products) if self.products else nullcontext()


@contextlib.contextmanager
def onednn(precision: Literal["bf16", "tf32"]) -> Iterator[None]:
    """Products of float32 matrices by oneDNN, which may round their factors so far.

    The switch is global to the process, so it is set for one step and set back: evaluation is float32.
    """
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = precision
    try:
        yield
    finally:
        matmul.fp32_precision = before


@cache
def onednn_multiplies_float32_faster() -> bool:
    """Whether this is a CPU that MKL, which is Intel's, does not serve well, and oneDNN's products are of float32's exactness.

    Allowed to use TensorFloat-32, oneDNN takes the product over from MKL. On AMD it then computes in float32 all the same, at
    twice MKL's rate; on a CPU that has a shorter format it would use that, which the error of one product betrays. On Intel's
    CPUs the two were measured to be equally fast (benchmarks/products.py).
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
    """Of the CPU, as the kernel names it; "" where it does not."""
    try:
        with open("/proc/cpuinfo") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith("vendor_id")), "")
    except OSError:
        return ""
