"""Kohonen's self-organizing map: units on a lattice, the distance to find the winner, and its neighbourhood."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast, MoreThan
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.som import neighbourhood as kinds
from nnlab.families.som.init import INIT, Init
from nnlab.families.som.lattice import Kind, Lattice
from nnlab.model import Model
from nnlab.nn import distances

AVERAGES = ("euclidean", "minkowski with p=2", "dot", "cosine")


class SOM(Model):
    """Kohonen's self-organizing map (Kohonen 1982; 2001, "Self-Organizing Maps"): units w_j at places r_j of a lattice.

    competition  l(x) = argmin_j d(x, w_j)
    cooperation  h_jl = exp(−‖r_j − r_l‖² / 2σ²), or another neighbourhood of radius σ
    adaptation   w_j ← w_j + α h_{j,l(x)} (x − w_j)

    rows, columns  number of rows and columns of units; one row is a chain
    distance       d (see nnlab/nn/distances.py); p and weights (D,) are only for minkowski. With dot the units keep
                   length 1, else the longest would always win (Kohonen 2001, 3.2)
    init           plane: on the data's principal plane, spread as widely as the data; samples: distinct examples;
                   random: normal numbers with the data's mean and spread
    """

    trainer = "nnlab.families.som.trainer:MapTrainer"

    def __init__(
        self,
        spec: DataSpec,
        *,
        rows: Annotated[int, AtLeast(1)] = 10,
        columns: Annotated[int, AtLeast(2)] = 10,
        lattice: Kind = "rectangular",
        periodic: bool = False,
        distance: distances.Name = "euclidean",
        p: Annotated[float, AtLeast(1)] | None = None,
        weights: list[Annotated[float, MoreThan(0)]] | None = None,
        neighbourhood: kinds.Name = "gaussian",
        init: Init = "plane",
    ) -> None:
        super().__init__(spec)
        check(spec, lattice, rows, periodic, distance, p, weights)
        self.lattice = Lattice(rows, columns, lattice, periodic)
        self.distance, self.p, self.neighbourhood, self.init = distance, p, neighbourhood, init
        self.units = nn.Parameter(torch.zeros(rows * columns, spec.features), requires_grad=False)
        fixed = {"apart": self.lattice.distances, "positions": self.lattice.positions, "next_to": self.lattice.neighbours}
        fixed["around"] = self.lattice.around
        for name, value in fixed.items():
            self.register_buffer(name, value, persistent=False)
        stretch = None if weights is None else torch.tensor(weights, dtype=torch.float32)
        self.register_buffer("weights", stretch, persistent=False)

    def init_from_data(self, split: Split) -> None:
        if self.init == "samples" and self.lattice.size > len(split):
            raise BadInput(f"model.init: {self.lattice.size} units need as many examples, not {len(split)}")
        self.place(INIT[self.init](split, self.lattice).to(self.units))

    def place(self, units: Tensor) -> None:
        """Set the units (U, D)."""
        self.units.copy_(nn.functional.normalize(units) if self.distance == "dot" else units)

    # -- the map --------------------------------------------------------------------------------------------------

    def evaluate_split(self, x: Tensor) -> Tensor:
        """d(x, w_j), (N, U), of flat inputs (N, D)."""
        function = distances.DISTANCES[self.distance]
        if self.distance == "minkowski":
            function = partial(function, p=self.p, weights=self.weights)
        return function(x, self.units)

    def distances(self, x: Tensor) -> Tensor:
        """d(x, w_j), (N, U), of inputs (N, *shape)."""
        return self.evaluate_split(self.check(x).flatten(1))

    def assign(self, x: Tensor) -> Tensor:
        """l(x), (N,)."""
        return self.distances(x).argmin(1)

    def spread(self, radius: float) -> Tensor:
        """h, (U, U)."""
        return kinds.neighbourhood(self.neighbourhood, self.apart, radius)

    @property
    def averages(self) -> bool:
        """Whether the best unit for several examples, by d, is their mean (dot, cosine: their mean direction)."""
        return self.distance in ("euclidean", "dot", "cosine") or (self.distance == "minkowski" and self.p == 2)

    # -- what it can do -------------------------------------------------------------------------------------------

    def encode(self, x: Tensor) -> Tensor:
        """(N, 2) the place of the winner on the lattice: across and down; for a chain (N, 1)."""
        places = self.positions[self.assign(x)]
        return places[:, :1] if self.lattice.chain else places

    def reconstruct(self, x: Tensor) -> Tensor:
        """w_l(x): the winner, its prototype."""
        return self.units[self.assign(x)].unflatten(1, self.spec.shape)

    def score(self, x: Tensor) -> Tensor:
        """min_j d(x, w_j), (N,): the distance to the nearest unit."""
        return self.distances(x).amin(1)


def check(spec: DataSpec, kind: Kind, rows: int, periodic: bool, distance: str, p: float | None, weights: list | None) -> None:
    """Raise BadInput with every option that does not fit the others."""
    problems = []
    if distance == "minkowski" and p is None:
        problems.append("model.p: minkowski's distance needs its p, a number ≥ 1")
    if distance != "minkowski" and (p is not None or weights is not None):
        name = "p" if p is not None else "weights"
        problems.append(f"model.{name}: is not used with distance={distance}; leave it out, or choose distance=minkowski")
    if weights is not None and len(weights) != spec.features:
        problems.append(f"model.weights: {len(weights)} of {spec.features} features; give one each")
    if kind == "hexagonal" and rows == 1:
        problems.append("model.lattice: a chain cannot be hexagonal; leave it rectangular, or give it more rows")
    if kind == "hexagonal" and periodic and rows % 2:
        problems.append(f"model.rows: {rows} rows of hexagons cannot form a torus; use an even number")
    if problems:
        raise BadInput(*problems)
