from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.dataset import Split
from nnlab.data.feed import evaluation_batch
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.nn.precise import doubled
from nnlab.training.passes import PassModel, Statistics


class KMeans(PassModel):
    """k-means by Lloyd's algorithm (Lloyd 1982), started by k-means++ (Arthur & Vassilvitskii 2007).

    inertia = Σ_x min_j ‖x − c_j‖²;  a pass assigns each x to its nearest centre and moves each centre to the mean of its own

    start      k_means++: each next centre is drawn with probability proportional to its squared distance from those before;
               random: any k distinct points
    tolerance  the passes end when no centre moves by more than this (δ of the lectures), in the data's units

    A cluster that has lost all its points begins anew at the point farthest from its centre.
    """

    trainer = "nnlab.families.em.trainer:KMeansTrainer"

    def __init__(
        self,
        spec: DataSpec,
        *,
        clusters: Annotated[int, AtLeast(1)] = 10,
        start: Literal["k_means++", "random"] = "k_means++",
        tolerance: Annotated[float, AtLeast(0)] = 1e-4,
    ) -> None:
        super().__init__(spec)
        self.clusters, self.how, self.tolerance = clusters, start, tolerance
        self.centres = nn.Parameter(torch.zeros(clusters, spec.features), requires_grad=False)
        self.register_buffer("origin", torch.zeros(spec.features))

    def start(self, split: Split) -> None:
        if self.clusters > len(split):
            raise BadInput(f"model.clusters: {self.clusters} clusters of {len(split)} points")
        # distances are taken about a point near the mean, where ‖x‖² − 2x·c + ‖c‖² cancels least
        self.origin.copy_(split.values(split.spread(1000)).flatten(1).mean(0))
        if self.how == "random":
            chosen = torch.randperm(len(split))[: self.clusters].to(split.rows.device)
            self.centres.copy_(split.values(split.rows[chosen]).flatten(1))
        else:
            self._plus_plus(split)

    def _plus_plus(self, split: Split) -> None:
        n, device = len(split), split.rows.device
        nearest = torch.full((n,), torch.inf, dtype=torch.float64)
        chosen = torch.randint(n, (1,)).to(device)
        for j in range(self.clusters):
            self.centres[j] = split.values(split.rows[chosen]).flatten()
            for place, rows in zip(
                range(0, n, evaluation_batch(split)), split.rows.split(evaluation_batch(split)), strict=True
            ):
                x = split.values(rows).flatten(1)
                part = nearest[place : place + len(rows)]
                part.copy_(torch.minimum(part, (x - self.centres[j]).square().sum(1).cpu()))
            # inverse transform sampling: multinomial takes at most 2²⁴ weights
            cumulative = nearest.cumsum(0)
            chosen = torch.searchsorted(cumulative, cumulative[-1:] * torch.rand(1, dtype=torch.float64))
            chosen = chosen.clamp(max=n - 1).to(device)

    def distances(self, x: Tensor) -> Tensor:
        """(N, k) squared Euclidean distances of inputs to the centres."""
        x, centres = self.check(x).flatten(1) - self.origin, self.centres - self.origin
        products = torch.addmm(centres.square().sum(1), x, centres.T, alpha=-2)
        return (products + x.square().sum(1, keepdim=True)).clamp(min=0)

    def assign(self, x: Tensor) -> Tensor:
        """(N,) the nearest centre of each input."""
        return self.distances(x).argmin(1)

    def accumulate(self, batch: Batch, sums: Statistics | None) -> Statistics:
        nearest, label = self.distances(batch.target).min(1)
        x = batch.target.flatten(1)
        member = doubled(nn.functional.one_hot(label, self.clusters).float())
        far = nearest.topk(min(self.clusters, len(nearest)))
        own = {
            "n": member.sum(0),
            "x": member.T @ doubled(x - self.origin),
            "inertia": doubled(nearest).sum(),
            "far": far.values,
            "far_points": x[far.indices],
        }
        if sums is None:
            return own
        total = {name: sums[name] + own[name] for name in ("n", "x", "inertia")}
        both = torch.cat([sums["far"], own["far"]]).topk(min(self.clusters, len(sums["far"]) + len(own["far"])))
        return {**total, "far": both.values, "far_points": torch.cat([sums["far_points"], own["far_points"]])[both.indices]}

    def finish(self, sums: Statistics) -> dict[str, Tensor]:
        before = self.centres.clone()
        empty = (sums["n"] == 0).to(before.device)
        self.centres.copy_(self.origin + (sums["x"] / sums["n"].clamp(min=1)[:, None]).to(self.origin))
        self.centres[empty] = sums["far_points"][: int(empty.sum())]
        moved = (self.centres - before).norm(dim=1).max()
        self.converged = bool(moved <= self.tolerance)
        return {"inertia": sums["inertia"].cpu(), "moved": moved.cpu().double(), "empty": empty.sum().cpu().double()}

    def encode(self, x: Tensor) -> Tensor:
        """(N, k) Euclidean distances to the centres."""
        return self.distances(x).sqrt()

    def score(self, x: Tensor) -> Tensor:
        """min_j ‖x − c_j‖², (N,)."""
        return self.distances(x).amin(1)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The nearest centre of each input, its prototype."""
        return self.centres[self.assign(x)].unflatten(1, self.spec.shape)
