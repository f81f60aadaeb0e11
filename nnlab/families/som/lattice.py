"""The lattice of a map: places of the units and distances between them."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["rectangular", "hexagonal"]
ROW = math.sqrt(3) / 2  # the height of a row of hexagons whose centres are 1 apart


class Lattice:
    """rows × columns units, row after row, neighbours at distance 1; a chain has one row.

    hexagonal  every second row is shifted by half a unit
    periodic   the right edge is connected to the left and the top to the bottom: a ring, or a torus

    positions (U, 2) as (across, down); distances (U, U); neighbours (U, U) bool, around (U, U) bool, with diagonal ones
    """

    def __init__(self, rows: int, columns: int, kind: Kind = "rectangular", periodic: bool = False) -> None:
        self.rows, self.columns, self.kind, self.periodic = rows, columns, kind, periodic
        down, across = torch.meshgrid(torch.arange(rows).double(), torch.arange(columns).double(), indexing="ij")
        size = torch.tensor([columns, rows], dtype=torch.float64)
        if kind == "hexagonal":
            across, down, size = across + 0.5 * (down % 2), down * ROW, torch.tensor([columns, rows * ROW])
        self.positions = torch.stack([across.flatten(), down.flatten()], 1).float()
        apart = (self.positions[:, None].double() - self.positions.double()).abs()
        if periodic:
            apart = torch.minimum(apart, (size - apart).abs())
        self.distances = apart.square().sum(2).sqrt().float()
        self.neighbours = (self.distances < 1.01) & (self.distances > 0)
        self.around = (self.distances < 1.5) & (self.distances > 0)

    @property
    def size(self) -> int:
        """U = rows · columns, the number of units."""
        return self.rows * self.columns

    @property
    def chain(self) -> bool:
        """Whether the units are in one row."""
        return self.rows == 1

    def edges(self) -> Tensor:
        """(E, 2) the pairs of neighbours that are also next to each other in the picture: no edge goes around a torus."""
        near = (self.positions[:, None] - self.positions).norm(dim=2) < 1.01
        return (near & self.neighbours).triu().nonzero()
