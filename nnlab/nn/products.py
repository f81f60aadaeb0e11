"""Products of matrices in a stated precision."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor


@contextlib.contextmanager
def onednn(precision: Literal["bf16", "tf32", "ieee"]) -> Iterator[None]:
    """Products of float32 matrices by oneDNN, with factors rounded to this precision; ieee does not round.

    The setting is global, so it is set for a while and then reset.
    """
    matmul = torch.backends.mkldnn.matmul
    before = matmul.fp32_precision
    matmul.fp32_precision = precision
    try:
        yield
    finally:
        matmul.fp32_precision = before


def exact_product(a: Tensor, b: Tensor) -> Tensor:
    """a b′ (N, M) float32 of (N, d) and (M, d), also where the precision of a run would round the factors.

    A cosine over a small temperature needs more than the three digits of bfloat16.
    """
    rounds = a.is_cpu and hasattr(torch.backends.mkldnn, "matmul")
    with torch.autocast(a.device.type, enabled=False), onednn("ieee") if rounds else contextlib.nullcontext():
        return a.float() @ b.float().mT
