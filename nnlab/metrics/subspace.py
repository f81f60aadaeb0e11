"""The angle between two subspaces."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nnlab.nn.float64 import to_float64


def largest_principal_angle(a: Tensor, b: Tensor) -> float:
    """Degrees, 0 … 90, between the spans of the columns of a (D, k) and b (D, m): 0 if one holds the other.

    sin θ = ‖(I − Q_a Q_aᵀ) Q_b‖₂ with orthonormal bases Q, the smaller span's projected on the larger one's; the cosine would
    lose small angles to rounding (Björck & Golub 1973, "Numerical methods for computing angles between linear subspaces").
    """
    large, small = (torch.linalg.qr(to_float64(part)).Q for part in sorted((a, b), key=lambda part: -part.shape[1]))
    beyond = small - large @ (large.T @ small)
    return math.degrees(math.asin(min(1.0, torch.linalg.matrix_norm(beyond, 2).item())))
