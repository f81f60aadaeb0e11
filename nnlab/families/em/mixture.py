"""The base of the mixtures: the E-step, the bound, and what a trained mixture can do."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from nnlab.config.constraints import AtLeast
from nnlab.data.feed import clean_batches, eval_batch_size
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.em.init import random_rows
from nnlab.families.em.kmeans import KMeans
from nnlab.model import PassModel, Statistics
from nnlab.nn.float64 import to_float64

LEAST = 2.0  # sum of responsibilities below which a component has too few points
LLOYD = 30  # at most this many passes of k-means for the start
NEVER = -3e38  # lower than any bound


class Mixture(PassModel):
    """p(x) = Σ_k w_k p_k(x), learned by EM (Dempster, Laird & Rubin 1977):

    E  r_k(x) = w_k p_k(x) / p(x)            M  w_k = n_k / N, n_k = Σ_x r_k(x); p_k from the sums Σ_x r_k(x) · …

    init       k_means: its clusters; random: any K points, with the data's spread
    tolerance  training stops when the bound rises by less than this, in nats per example

    A component that collapses (n_k below two points, or a singular covariance) starts again at the least likely
    example; `collapsed` counts them. Sums are float64; the data's mean is subtracted from the points.
    """

    trainer = "nnlab.families.em.trainer:MixtureTrainer"

    def __init__(
        self,
        spec: DataSpec,
        *,
        components: Annotated[int, AtLeast(1)] = 10,
        init: Literal["k_means", "random"] = "k_means",
        tolerance: Annotated[float, AtLeast(0)] = 1e-4,
    ) -> None:
        super().__init__(spec)
        self.components, self.init, self.tolerance = components, init, tolerance
        self.weights = nn.Parameter(torch.full((components,), 1 / components, dtype=torch.float64), requires_grad=False)
        self.register_buffer("bound", torch.tensor(NEVER, dtype=torch.float64))

    # -- what a kind of component defines -------------------------------------------------------------------------

    @property
    @abstractmethod
    def means(self) -> Tensor:
        """(K, D) float32, as a model sees the data."""

    @property
    @abstractmethod
    def free(self) -> int:
        """The number of free parameters of the components, without the weights."""

    @abstractmethod
    def prepare(self, rows: Split) -> None:
        """Measure the mean and the spread of the data."""

    @abstractmethod
    def expand(self, x: Tensor) -> tuple[Tensor, ...]:
        """The form of inputs (N, *shape) that both steps use."""

    @abstractmethod
    def log_components(self, points: tuple[Tensor, ...]) -> Tensor:
        """log p_k(x), nats, (N, K)."""

    @abstractmethod
    def sums(self, points: tuple[Tensor, ...], r: Tensor) -> Statistics:
        """The sums for the M-step, from responsibilities (N, K)."""

    @abstractmethod
    def maximise(self, sums: Statistics) -> Tensor:
        """Set the components from the sums of a pass. Returns which of them have collapsed, (K,) bool."""

    @abstractmethod
    def renew(self, which: Tensor, points: Tensor) -> None:
        """Start the components of a mask (K,) again at as many points (n, D), as a model sees them."""

    @abstractmethod
    def draw(self, component: Tensor, generator: torch.Generator | None) -> Tensor:
        """(N, D) one example of each component (N,)."""

    def penalty(self) -> Tensor:
        """What the bound has besides the log-likelihood, total nats: the log of a prior on the components."""
        return torch.zeros((), dtype=torch.float64, device=self.weights.device)

    # -- learning -------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def init_from_data(self, split: Split) -> None:
        if self.components > len(split):
            raise BadInput(f"model.components: {self.components} components of {len(split)} points")
        self.prepare(split)
        if self.init == "random":
            every = torch.ones(self.components, dtype=torch.bool, device=split.device)
            self.renew(every, split.values(random_rows(split, self.components)).flatten(1))
            return
        self.maximise_over(split, clusters(split, self.spec, self.components))

    def maximise_over(self, split: Split, label: Tensor) -> None:
        """The M-step for points that belong to one component each, (N,)."""
        total: Statistics = {}
        size = eval_batch_size(split)
        for rows, mine in zip(split.rows.split(size), label.split(size), strict=True):
            points = tuple(to_float64(part) for part in self.expand(split.values(rows)))
            r = to_float64(one_hot(mine, self.components))
            total = added(total, {"n": r.sum(0), **self.sums(points, r)})
        self.maximise(total)
        self.weights.copy_(total["n"] / total["n"].sum())

    def log_joint(self, points: tuple[Tensor, ...]) -> Tensor:
        """log w_k p_k(x), (N, K)."""
        of = self.log_components(points)
        return of + self.weights.clamp(min=1e-300).log().to(of)

    def e_step(self, batch: Batch, sums: Statistics | None) -> Statistics:
        points = self.expand(batch.target)
        log_p, r = evidence(self.log_joint(points))
        own = {"n": r.sum(0), "log_likelihood": log_p.sum(dtype=torch.float64), **self.sums(points, r)}
        total = added({name: value for name, value in (sums or {}).items() if not name.startswith("far")}, own)
        return {**total, **self.farthest(batch.target.flatten(1), log_p, sums)}

    def farthest(self, x: Tensor, log_p: Tensor, sums: Statistics | None) -> Statistics:
        """The K least likely examples so far: a collapsed component starts again there."""
        known = sums is not None and "far" in sums
        if known and len(sums["far"]) == self.components and -log_p.min() <= sums["far"][-1]:
            return {name: sums[name] for name in ("far", "far_points")}
        least = (-log_p).topk(min(self.components, len(x)))
        far, points = least.values, x[least.indices]
        if known:
            both = torch.cat([sums["far"], far])
            best = both.topk(min(self.components, len(both)))
            far, points = best.values, torch.cat([sums["far_points"], points])[best.indices]
        return {"far": far, "far_points": points}

    def m_step(self, sums: Statistics) -> dict[str, Tensor]:
        count = sums["n"].sum()
        likelihood = sums["log_likelihood"] / count
        bound = likelihood + self.penalty().to(count) / count
        before = self.bound.clone()
        self.bound.copy_(bound)
        broken = self.maximise(sums) | (sums["n"] < min(LEAST, float(count) / self.components)).to(self.weights.device)
        weights = (sums["n"] / count).to(self.weights)
        n = int(broken.sum())
        if n:
            self.renew(broken, sums["far_points"][:n])
            weights = torch.where(broken, 1 / self.components, weights)
        self.weights.copy_(weights / weights.sum())
        self.converged = not n and bool(bound - before < self.tolerance)
        terms = {
            "log_likelihood": likelihood,
            "bound": bound,
            "collapsed_components": torch.tensor(float(n), dtype=torch.float64),
        }
        return {name: value.cpu() for name, value in terms.items()}

    # -- what it can do -------------------------------------------------------------------------------------------

    def weighted_log_prob(self, x: Tensor) -> Tensor:
        """log w_k p_k(x), (N, K), of inputs (N, *shape)."""
        return self.log_joint(self.expand(self.check(x)))

    def log_likelihood(self, x: Tensor) -> Tensor:
        """log p(x), nats, (N,)."""
        return self.weighted_log_prob(x).logsumexp(1).float()

    def encode(self, x: Tensor) -> Tensor:
        """r_k(x), (N, K): the responsibilities."""
        return self.weighted_log_prob(x).softmax(1).float()

    def assign(self, x: Tensor) -> Tensor:
        """(N,) the component with the largest responsibility."""
        return self.weighted_log_prob(x).argmax(1)

    def score(self, x: Tensor) -> Tensor:
        """−log p(x), nats, (N,)."""
        return -self.log_likelihood(x)

    def reconstruct(self, x: Tensor) -> Tensor:
        """Σ_k r_k(x) m_k: the means, weighted by their responsibilities."""
        return (self.encode(x) @ self.means).unflatten(1, self.spec.shape)

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Samples; images are clipped to the range of the data."""
        component = torch.multinomial(self.weights.float(), n, replacement=True, generator=generator)
        x = self.draw(component, generator).float().unflatten(1, self.spec.shape)
        return x.clamp(self.spec.low, self.spec.high) if self.spec.bounded else x


def evidence(weighted_log_prob: Tensor) -> tuple[Tensor, Tensor]:
    """log Σ_k exp, (N,), and the softmax, (N, K), of log w_k p_k(x), (N, K); both use the same exp.

    Computed as (K, N): the sum over few components is then fast for many examples.
    """
    columns = weighted_log_prob.T.contiguous()
    largest = columns.amax(0)
    r = columns.sub_(largest).exp_()
    total = r.sum(0)
    return total.log() + largest, r.div_(total).T


def added(total: Statistics, own: Statistics) -> Statistics:
    """The sums so far plus those of a batch, float64."""
    own = {name: to_float64(value) for name, value in own.items()}
    return {name: total[name] + value for name, value in own.items()} if total else own


def clusters(split: Split, spec: DataSpec, k: int) -> Tensor:
    """(N,) the clusters of a split's points by k-means."""
    model = KMeans(spec, clusters=k, tolerance=1e-3).to(split.device)
    model.init_from_data(split)
    for _ in range(LLOYD):
        model.fit(clean_batches(split))
        if model.converged:
            break
    return torch.cat([model.assign(batch.target) for batch in clean_batches(split)])
