"""Matrix products of bytes, as integers: exact, and several times as fast as float32 on CPUs that multiply bytes.

Images are stored as bytes b; b − 128 is a signed byte. Numbers c are written in fixed point as three signed bytes, with one
step s for all, the largest |c| / 127:

    c = s (q₁ + q₂/254 + q₃/254² + e),   q_i ∈ −127 … 127,   |e| ≤ ½·254⁻²,

an error of 2⁻²⁴ of the largest, the same as float32. Sums of bytes have no error, so they are the same for any number of
threads and any batch size.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

MIDDLE = 128
BASE = 254.0
EXACT = 2**31 // MIDDLE**2  # values whose products add up within 32 bits


@cache
def quick() -> bool:
    """Whether this CPU multiplies bytes natively (AVX-512 VNNI, AMX)."""
    try:
        return torch.cpu._is_vnni_supported() and hasattr(torch, "_int_mm")
    except AttributeError:  # an older torch
        return False


def takes(x: Tensor) -> bool:
    """Whether the products of stored values (N, D) are computed here; if not, they are cast and multiplied as float32."""
    return x.dtype == torch.uint8 and x.device.type == "cpu" and x.shape[1] < EXACT and quick()


def signed(x: Tensor, middle: int = MIDDLE) -> Tensor:
    """Bytes (N, D) → b − 128 as int8; or with a middle of 0 as they are, where all are less than 128."""
    return x.bitwise_xor(MIDDLE).view(torch.int8) if middle else x.view(torch.int8)


def in_fixed_point(c: Tensor) -> tuple[Tensor, Tensor]:
    """Numbers (K, D) → their three parts (3K, D) int8, and the step ()."""
    step = c.abs().max().clamp(min=torch.finfo(c.dtype).tiny) / 127
    scaled = c / step
    first = scaled.round()
    rest = (scaled - first) * BASE
    second = rest.round()
    third = ((rest - second) * BASE).round()
    return torch.cat([first, second, third]).to(torch.int8), step.float()


def products(x: Tensor, parts: Tensor) -> Tensor:
    """Σ_d x_d c_d, (N, K) float32 in steps, of signed bytes (N, D) and numbers in fixed point (3K, D)."""
    first, second, third = torch._int_mm(x, parts.T).to(torch.float32).chunk(3, dim=1)
    return first.add_(second, alpha=1 / BASE).add_(third, alpha=1 / BASE**2)
