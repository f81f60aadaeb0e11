"""k-means by Lloyd's algorithm, with several starts side by side."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.em.init import kmeans_plusplus, random_rows
from nnlab.families.em.points import Points
from nnlab.model import PassModel, Statistics
from nnlab.nn.distances import squared_euclidean
from nnlab.nn.float64 import to_float64


class KMeans(PassModel):
    """k-means by Lloyd's algorithm (Lloyd 1982), started by k-means++ (Arthur & Vassilvitskii 2007).

    inertia = Σ_x min_j ‖x − c_j‖²;  a pass assigns each x to its nearest centre; each centre moves to the mean of its points

    init       k_means++: each next centre is drawn with probability ∝ its squared distance from the nearest centre so far;
               random: any k distinct points
    n_init     number of starts, all in the same passes; the one with the lowest inertia is the model
    tolerance  training stops when no centre moves by more than this (δ of the lectures), in the data's units

    A cluster that has lost all its points starts again at the point that is farthest from its centre.

    A pass stores the cluster of each point. The next pass corrects the sums Σ x only by the few points that change cluster.
    """

    trainer = "nnlab.families.em.trainer:KMeansTrainer"
    reads_bytes = True

    def __init__(
        self,
        spec: DataSpec,
        *,
        clusters: Annotated[int, AtLeast(1)] = 10,
        init: Literal["k_means++", "random"] = "k_means++",
        n_init: Annotated[int, AtLeast(1)] = 1,
        tolerance: Annotated[float, AtLeast(0)] = 1e-4,
    ) -> None:
        super().__init__(spec)
        self.clusters, self.init, self.n_init, self.tolerance = clusters, init, n_init, tolerance
        self.starts = nn.Parameter(torch.zeros(n_init, clusters, spec.features), requires_grad=False)
        self.register_buffer("best", torch.zeros((), dtype=torch.int64))
        self.register_buffer("origin", torch.zeros(spec.features))
        self._prepared: tuple | None = None

    @property
    def centres(self) -> Tensor:
        """(k, D) of the best start so far."""
        return self.starts[self.best]

    exchanged = ("n", "x", "inertia", "far", "far_points")
    distributes = True

    def init_from_data(self, split: Split) -> None:
        if self.clusters > len(split):
            raise BadInput(f"model.clusters: {self.clusters} clusters of {len(split)} points")
        # a point near the mean is subtracted first, so that ‖x‖² − 2x·c + ‖c‖² loses few digits
        self.origin.copy_(split.values(split.spread(1000)).flatten(1).mean(0))
        if self.init == "random":
            for start in self.starts:
                start.copy_(split.values(random_rows(split, self.clusters)).flatten(1))
        else:
            self.starts.copy_(kmeans_plusplus(split, self.clusters, self.n_init))

    def distances(self, x: Tensor) -> Tensor:
        """(N, k) squared Euclidean distances of inputs to the centres."""
        return squared_euclidean(self.check(x).flatten(1) - self.origin, self.centres - self.origin)

    def assign(self, x: Tensor) -> Tensor:
        """(N,) the nearest centre of each input."""
        return self.distances(x).argmin(1)

    def e_step(self, batch: Batch, sums: Statistics | None) -> Statistics:
        """n (R, k), x (R, k, D) of each of R starts, Σ x about the points' own origin; inertia (R,).

        label (R, N) and square (N,) are of the whole pass, filled in from `place` on; far (R, k) and far_points
        (R, k, D) are candidates for empty clusters.
        """
        points = Points.of(batch, self.origin)
        sums = sums or self.nothing(points)
        place, end = int(sums["place"]), int(sums["place"]) + len(batch)
        if sums["square"].shape[0] < end:  # the first pass
            sums["square"] = torch.cat([sums["square"], points.squares()])
            unknown = sums["label"].new_full((self.n_init, len(batch)), -1)
            sums["label"] = torch.cat([sums["label"], unknown], dim=1)
        square, label = sums["square"][place:end], sums["label"][:, place:end]
        for r, centres in enumerate(self.prepared(points)):
            nearest, now = points.nearest(*centres)
            nearest = (nearest + square).clamp_(min=0)
            sums["inertia"][r] += to_float64(nearest).sum()
            count, total = points.moves(label[r], now, self.clusters)
            sums["n"][r] += count
            sums["x"][r] += total
            label[r] = now
            self.remember_far(sums, r, nearest, points)
        sums["place"] += len(batch)
        return sums

    def prepared(self, points: Points) -> list[tuple[Tensor, ...]]:
        """Each start's centres in the form for products with points, computed once per pass."""
        state = (type(points), self.starts._version)
        if self._prepared is None or self._prepared[0] != state:
            self._prepared = state, [points.prepared(centres) for centres in self.starts]
        return self._prepared[1]

    def nothing(self, points: Points) -> Statistics:
        """The sums at the start of a pass, on the model's device; `e_step` explains the names."""
        r, k, d = self.starts.shape
        device = self.starts.device
        zeros = {"n": (r, k), "x": (r, k, d), "inertia": (r,)}
        return {
            **{name: to_float64(torch.zeros(shape, device=device)) for name, shape in zeros.items()},
            "place": torch.zeros((), dtype=torch.int64),
            "label": torch.empty(r, 0, dtype=torch.int64, device=device),
            "square": torch.empty(0, device=device),
            "far": torch.full((r, k), -1.0, device=device),
            "far_points": torch.zeros(r, k, d, device=device),
        }

    def remember_far(self, sums: Statistics, r: int, nearest: Tensor, points: Points) -> None:
        """Keep the k points farthest from their centres, among the earlier points and this batch."""
        if nearest.max() <= sums["far"][r, -1]:
            return
        few = nearest.topk(min(self.clusters, len(nearest)))
        both = torch.cat([sums["far"][r], few.values])
        far = both.topk(self.clusters)
        beyond = far.indices - self.clusters  # positions within this batch
        new = (beyond >= 0).nonzero().flatten()
        kept = sums["far_points"][r][far.indices.clamp(max=self.clusters - 1)]
        kept[new] = points.values(few.indices[beyond[new]])
        sums["far"][r], sums["far_points"][r] = far.values, kept

    def m_step(self, sums: Statistics) -> dict[str, Tensor]:
        before = self.starts.clone()
        means = sums["x"] / sums["n"].clamp(min=1)[..., None]
        self.starts.copy_(to_float64(self.origin) + means)
        empty = (sums["n"] == 0).to(before.device)
        for r in range(self.n_init):
            self.starts[r, empty[r]] = sums["far_points"][r, : int(empty[r].sum())]
        moved = (self.starts - before).norm(dim=2).amax(1)
        self.best.copy_(sums["inertia"].argmin())
        self.converged = bool((moved <= self.tolerance).all())
        best = int(self.best)
        return {
            "inertia": sums["inertia"][best].cpu(),
            "center_shift": moved[best].cpu().double(),
            "empty_clusters": empty[best].sum().cpu().double(),
        }

    def merge(self, parts: list[Statistics]) -> Statistics:
        """Sums, and the farthest points of all parts."""
        far, points = (torch.cat([part[name] for part in parts], 1) for name in ("far", "far_points"))
        top = far.topk(self.clusters, dim=1)
        places = top.indices[..., None].expand(-1, -1, points.shape[2])
        merged = super().merge([{name: part[name] for name in ("n", "x", "inertia")} for part in parts])
        return {**merged, "far": top.values, "far_points": points.gather(1, places)}

    def carry_over(self, sums: Statistics) -> Statistics:
        """The clusters of the points, and their sums; inertia and the farthest points start from zero."""
        for name, begin in (("inertia", 0), ("place", 0), ("far", -1)):
            sums[name].fill_(begin)
        return sums

    def encode(self, x: Tensor) -> Tensor:
        """(N, k) Euclidean distances to the centres."""
        return self.distances(x).sqrt()

    def score(self, x: Tensor) -> Tensor:
        """min_j ‖x − c_j‖², (N,): the squared distance from the nearest centre."""
        return self.distances(x).amin(1)

    def reconstruct(self, x: Tensor) -> Tensor:
        """The nearest centre of each input, its prototype."""
        return self.centres[self.assign(x)].unflatten(1, self.spec.shape)
