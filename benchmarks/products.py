"""Matrix products on the CPU: MKL's float32, oneDNN's where it may round its factors to TensorFloat-32 and to bfloat16.

GFLOP/s, the best of several, and the largest error relative to the largest value. `nnlab/training/precision.py` decides by
what is seen here: on Intel's CPUs MKL is left alone, elsewhere oneDNN takes over if its error is float32's.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.measure import table

SHAPES = ((128, 784, 512), (128, 512, 784), (512, 128, 784), (1024, 1024, 1024), (60_000, 784, 64))
SETTINGS = {"as torch chooses": "none", "TensorFloat-32 allowed": "tf32", "bfloat16 allowed": "bf16"}
REPEATS = 20


def best_of(work: Callable[[], Tensor], rounds: int) -> float:
    """Seconds of one."""
    best = float("inf")
    for _ in range(2 + rounds):
        began = time.perf_counter()
        for _ in range(REPEATS):
            work()
        best = min(best, (time.perf_counter() - began) / REPEATS)
    return best


def run(rounds: int) -> str:
    switch, rows = torch.backends.mkldnn.matmul, []
    before = switch.fp32_precision
    try:
        for m, k, n in SHAPES:
            a, b = torch.randn((m, k)), torch.randn((k, n))
            exact = a.double() @ b.double()
            cells = []
            for setting in SETTINGS.values():
                switch.fp32_precision = setting
                error = ((a @ b).double() - exact).abs().max() / exact.abs().max()
                rate = 2e-9 * m * k * n / best_of(lambda a=a, b=b: a @ b, rounds)
                cells.append(f"{rate:,.0f} ({error:.0e})")
            rows.append((f"{m:,} × {k} · {k} × {n}", *cells))
    finally:
        switch.fp32_precision = before
    return table(("", *SETTINGS), rows)
