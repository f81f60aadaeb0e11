"""A batch of points for k-means: as float32 minus the data's mean, or as the bytes of images."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from nnlab.data.spec import Batch
from nnlab.nn import byte_products
from nnlab.nn.byte_products import MIDDLE
from nnlab.nn.float64 import to_float64


class Points(ABC):
    """N points x; all results are in the data's units."""

    @staticmethod
    def of(batch: Batch, origin: Tensor) -> Points:
        """The points of a batch; `origin` (D,) is subtracted in sums."""
        stored = batch.target.flatten(1)
        if byte_products.takes(stored):
            return ByteValues(stored, batch.scale, origin)
        x = stored.to(torch.float32)
        return Values(x if batch.scale == 1 else x * batch.scale, origin)

    @abstractmethod
    def values(self, rows: Tensor) -> Tensor:
        """(n, D) some of the points, float32."""

    @abstractmethod
    def squares(self) -> Tensor:
        """‖x − origin‖², (N,)."""

    @abstractmethod
    def prepared(self, centres: Tensor) -> tuple[Tensor, ...]:
        """Centres (K, D) in the form for `nearest`; computed once per pass."""

    @abstractmethod
    def nearest(self, *prepared: Tensor) -> tuple[Tensor, Tensor]:
        """min_j ‖x − c_j‖² − ‖x − origin‖², (N,), and the number of the nearest centre, (N,)."""

    @abstractmethod
    def sums(self, member: Tensor, rows: Tensor) -> Tensor:
        """Σ_x member_x (x − origin), (K, D) float64, over rows (n,) with integers `member` (K, n)."""

    def moves(self, before: Tensor, now: Tensor, clusters: int) -> tuple[Tensor, Tensor]:
        """The changes of the clusters' counts (K,) and of their sums of x − origin (K, D).

        before, now  (N,) the clusters of the points; −1 is no cluster yet
        """
        rows = (before != now).nonzero().flatten()
        place = torch.arange(len(rows), device=rows.device)
        member = torch.zeros(clusters + 1, len(rows), device=rows.device)  # the last row stands for no cluster
        member[before[rows], place] = -1
        member[now[rows], place] = 1
        member = member[:-1]
        return to_float64(member.sum(1)), self.sums(member, rows)


class Values(Points):
    """As float32, minus the origin."""

    def __init__(self, x: Tensor, origin: Tensor) -> None:
        self.x, self.origin = x, origin
        self.shifted = x - origin

    def values(self, rows: Tensor) -> Tensor:
        return self.x[rows]

    def squares(self) -> Tensor:
        return self.shifted.square().sum(1)

    def prepared(self, centres: Tensor) -> tuple[Tensor, Tensor]:
        centres = centres - self.origin
        return centres.square().sum(1), centres

    def nearest(self, squares: Tensor, factors: Tensor) -> tuple[Tensor, Tensor]:
        return torch.addmm(squares, self.shifted, factors.T, alpha=-2).min(1)

    def sums(self, member: Tensor, rows: Tensor) -> Tensor:
        return to_float64(member) @ to_float64(self.shifted[rows])


class ByteValues(Points):
    """As signed bytes b about the middle m of their range, x = scale · (b + m); their sums are exact.

    ‖x − c‖² − ‖x − o‖² = ‖c − o‖² + 2 ⟨o, c − o⟩ − 2 ⟨x, c − o⟩ about the origin o, all but the last the same for every x
    """

    def __init__(self, stored: Tensor, scale: float, origin: Tensor) -> None:
        self.middle = MIDDLE if 1 / scale >= MIDDLE else 0  # the largest value is 1: bits and few levels stay below the middle
        self.bytes, self.scale, self.origin = byte_products.signed(stored, self.middle), scale, origin

    def values(self, rows: Tensor) -> Tensor:
        return (self.bytes[rows].to(torch.float32) + self.middle) * self.scale

    def squares(self) -> Tensor:
        middle = self.origin / self.scale - self.middle
        return (self.bytes - middle).norm(dim=1).mul_(self.scale).square_()

    def prepared(self, centres: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        middle = self.origin.double() / self.scale - self.middle
        about = (centres.double() - self.origin) / self.scale
        parts, step = byte_products.in_fixed_point(about)
        constant = about.square().sum(1) + 2 * about @ middle
        return (constant * self.scale**2).float(), parts, 2 * step * self.scale**2

    def nearest(self, constant: Tensor, parts: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        return torch.addcmul(constant, byte_products.products(self.bytes, parts), step, value=-1).min(1)

    def sums(self, member: Tensor, rows: Tensor) -> Tensor:
        total = torch._int_mm(member.to(torch.int8), self.bytes[rows]).double()
        middle = self.middle * self.scale - self.origin.double()
        return total.mul_(self.scale).addcmul_(member.sum(1, dtype=torch.float64)[:, None], middle)
