"""The share of a step for a unit at distance d from the winner, with radius σ.

gaussian     exp(−d²/2σ²)                    bubble  1 where d ≤ σ, else 0
mexican_hat  (1 − d²/σ²) exp(−d²/2σ²): units beyond σ are pushed away
none         only the winner moves
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Name = Literal["gaussian", "bubble", "mexican_hat", "none"]


def neighbourhood(name: Name, distances: Tensor, radius: float) -> Tensor:
    """h, of the shape of `distances`; it is 1 for the winner. With radius 0 only the winner moves, for each kind."""
    if name == "none" or radius <= 0:
        return (distances == 0).to(distances)
    square = (distances / radius).square()
    if name == "bubble":
        return (distances <= radius).to(distances)
    fall = torch.exp(-0.5 * square)
    return fall * (1 - square) if name == "mexican_hat" else fall
