"""How much a code changes when its input changes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

TOGETHER = 16  # rows of the Jacobian at once; each needs the memory of a gradient of the batch


def squared_jacobian(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """‖∂f/∂x‖², (N,), the sum of the squares of each example's Jacobian, exact; of f: (N, *shape) → (N, d), example by example.

    Row by row: one backward pass per number of the code, since the codes of examples are independent.
    """
    with torch.inference_mode(False):  # inference tensors have no gradient
        codes, pull = torch.func.vjp(function, x.clone())

        def row(direction: Tensor) -> Tensor:
            (gradient,) = pull(direction.expand_as(codes))
            return gradient.square().flatten(1).sum(1)

        directions = torch.eye(codes.shape[1], device=codes.device, dtype=codes.dtype)
        return torch.func.vmap(row, chunk_size=TOGETHER)(directions).sum(0)
