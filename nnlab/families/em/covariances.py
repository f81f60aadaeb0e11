"""The four forms of a Gaussian mixture's covariances: the distances of the E-step, and the updates of the M-step.

The data's mean is subtracted from points x and means m. With Σ_k = L_k L_kᵀ the E-step needs ‖L_k⁻¹(x − m_k)‖². The sums of the
M-step are taken where rounding is smallest. For the full form this is about the last means and in units of the last spread,
y = L_k⁻¹(x − m_k), so that a cluster may be very narrow and very far away.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from nnlab.model import Statistics

Made = tuple[Tensor, ...]


class Form(ABC):
    """K covariances of D coordinates. Factors are float64; points and responsibilities r (N, K) are not."""

    digits: ClassVar[float]
    """The largest (distance of a mean from the data's mean)² / variance for which float32 is exact enough in the E-step."""

    @abstractmethod
    def shape(self, k: int, d: int) -> tuple[int, ...]:
        """The shape of the tensor that holds the covariances of k components in d dimensions."""
        ...

    @abstractmethod
    def free(self, k: int, d: int) -> int:
        """The number of free parameters."""

    @abstractmethod
    def spread(self, variances: Tensor, k: int) -> Tensor:
        """K equal covariances, of data with these variances (D,)."""

    @abstractmethod
    def factor(self, covariances: Tensor, d: int) -> tuple[Tensor, Tensor]:
        """L⁻¹ (or 1/σ without correlations), and log |Σ_k|, (K,) or (1,); NaN if Σ_k is singular."""

    @abstractmethod
    def whitened(self, means: Tensor, factor: Tensor) -> Tensor:
        """L_k⁻¹ m_k, (K, D)."""

    @abstractmethod
    def prepare(self, means: Tensor, factor: Tensor) -> Made:
        """The factors of a pass, which points are multiplied by."""

    @abstractmethod
    def expand(self, x: Tensor, made: Made) -> Made:
        """The form of points (N, D) that both steps use."""

    @abstractmethod
    def squares(self, points: Made, made: Made) -> Tensor:
        """‖L_k⁻¹(x − m_k)‖², (N, K)."""

    @abstractmethod
    def sums(self, points: Made, r: Tensor) -> Statistics:
        """The sums of a batch for `update`, from the points of `expand` and responsibilities r (N, K)."""
        ...

    @abstractmethod
    def update(self, sums: Statistics, means: Tensor, factor: Tensor, regularisation: float) -> tuple[Tensor, Tensor]:
        """Means (K, D) and covariances that maximise the expected log-likelihood, with `regularisation` added to variances."""


class Diagonal(Form):
    """Σ_k = diag(σ²_k): ‖·‖² = x²·σ⁻² − 2 x·(mσ⁻²) + m²·σ⁻² by two matrix products."""

    digits = 1e4

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        """(K, D): the variances σ²_k."""
        return (k, d)

    def free(self, k: int, d: int) -> int:
        return k * d

    def spread(self, variances: Tensor, k: int) -> Tensor:
        return variances.expand(k, -1)

    def factor(self, covariances: Tensor, d: int) -> tuple[Tensor, Tensor]:
        positive = torch.where(covariances > 0, covariances.double(), torch.nan)
        return positive.rsqrt(), positive.log().sum(1)

    def whitened(self, means: Tensor, factor: Tensor) -> Tensor:
        return means * factor

    def prepare(self, means: Tensor, factor: Tensor) -> Made:
        precision = factor.square()
        return precision, means * precision, (means.square() * precision).sum(1)

    def expand(self, x: Tensor, made: Made) -> Made:
        return x, x.square()

    def squares(self, points: Made, made: Made) -> Tensor:
        (x, squared), (precision, weighted, constant) = points, made
        return torch.addmm(constant, squared, precision.T).addmm_(x, weighted.T, alpha=-2)

    def sums(self, points: Made, r: Tensor) -> Statistics:
        """x: Σ_n r_nk x_n, (K, D);  xx: Σ_n r_nk x_n², (K, D), or (K,) if `expand` gives ‖x‖²."""
        return {"x": r.T @ points[0], "xx": r.T @ points[1]}

    def update(self, sums: Statistics, means: Tensor, factor: Tensor, regularisation: float) -> tuple[Tensor, Tensor]:
        n = sums["n"][:, None]
        means = sums["x"] / n
        return means, (sums["xx"] / n - means.square()).clamp(min=0) + regularisation


class Spherical(Diagonal):
    """Σ_k = σ²_k I."""

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        """(K,): the variances σ²_k."""
        return (k,)

    def free(self, k: int, d: int) -> int:
        return k

    def spread(self, variances: Tensor, k: int) -> Tensor:
        return variances.mean().expand(k)

    def factor(self, covariances: Tensor, d: int) -> tuple[Tensor, Tensor]:
        factor, log_det = super().factor(covariances[:, None], d)
        return factor, log_det * d

    def prepare(self, means: Tensor, factor: Tensor) -> Made:
        precision, weighted, constant = super().prepare(means, factor)
        return precision.flatten(), weighted, constant

    def expand(self, x: Tensor, made: Made) -> Made:
        return x, x.square().sum(1)

    def squares(self, points: Made, made: Made) -> Tensor:
        (x, squared), (precision, weighted, constant) = points, made
        return torch.addmm(constant, x, weighted.T, alpha=-2).addcmul_(squared[:, None], precision)

    def update(self, sums: Statistics, means: Tensor, factor: Tensor, regularisation: float) -> tuple[Tensor, Tensor]:
        n = sums["n"]
        means = sums["x"] / n[:, None]
        variance = (sums["xx"] / n - means.square().sum(1)) / means.shape[1]
        return means, variance.clamp(min=0) + regularisation


class Full(Form):
    """Any Σ_k: y = L_k⁻¹(x − m_k) for all k by one product, then Σ_k = L_k (Σ_n r yyᵀ / n_k − δδᵀ) L_kᵀ, δ the mean of y."""

    digits = 1e8

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        """(K, D, D): the matrices Σ_k."""
        return (k, d, d)

    def free(self, k: int, d: int) -> int:
        return k * d * (d + 1) // 2

    def spread(self, variances: Tensor, k: int) -> Tensor:
        return variances.diag().expand(k, -1, -1)

    def factor(self, covariances: Tensor, d: int) -> tuple[Tensor, Tensor]:
        covariances = covariances.double()
        lower, failed = torch.linalg.cholesky_ex(covariances)
        identity = torch.eye(covariances.shape[-1], dtype=torch.float64, device=covariances.device)
        lower = torch.where((failed > 0)[..., None, None], identity, lower)
        inverse = torch.linalg.solve_triangular(lower, identity.expand_as(lower), upper=False)
        log_det = 2 * lower.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return inverse, log_det.masked_fill(failed > 0, torch.nan)

    def whitened(self, means: Tensor, factor: Tensor) -> Tensor:
        return torch.einsum("kde,ke->kd", factor, means)

    def prepare(self, means: Tensor, factor: Tensor) -> Made:
        return factor.flatten(0, 1), self.whitened(means, factor)

    def expand(self, x: Tensor, made: Made) -> Made:
        flat, shift = made
        return (torch.addmm(shift.flatten(), x, flat.T, beta=-1).view(len(x), *shift.shape),)

    def squares(self, points: Made, made: Made) -> Tensor:
        return points[0].square().sum(2)

    def sums(self, points: Made, r: Tensor) -> Statistics:
        """y: Σ_n r_nk y_nk, (K, D);  yy: Σ_n r_nk y_nk y_nkᵀ, (K, D, D)."""
        y = points[0].transpose(0, 1)  # (K, N, D)
        weighted = y * r.T[..., None]
        return {"y": weighted.sum(1), "yy": weighted.mT @ y}

    def update(self, sums: Statistics, means: Tensor, factor: Tensor, regularisation: float) -> tuple[Tensor, Tensor]:
        n = sums["n"][:, None]
        delta = sums["y"] / n
        about = sums["yy"] / n[..., None] - delta[:, :, None] * delta[:, None]
        identity = torch.eye(means.shape[1], dtype=torch.float64, device=means.device)
        lower = torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=False)
        covariances = lower @ about @ lower.mT
        covariances = (covariances + covariances.mT) / 2 + regularisation * identity
        return means + torch.einsum("kde,ke->kd", lower, delta), covariances


class Tied(Form):
    """One Σ for all: y = L⁻¹x, and ‖y − L⁻¹m_k‖² by one more product."""

    digits = 1e4

    def shape(self, k: int, d: int) -> tuple[int, ...]:
        """(D, D): the one matrix Σ."""
        return (d, d)

    def free(self, k: int, d: int) -> int:
        return d * (d + 1) // 2

    def spread(self, variances: Tensor, k: int) -> Tensor:
        return variances.diag()

    def factor(self, covariances: Tensor, d: int) -> tuple[Tensor, Tensor]:
        inverse, log_det = Full().factor(covariances[None], d)
        return inverse[0], log_det

    def whitened(self, means: Tensor, factor: Tensor) -> Tensor:
        return means @ factor.T

    def prepare(self, means: Tensor, factor: Tensor) -> Made:
        middles = self.whitened(means, factor)
        return factor, middles, middles.square().sum(1)

    def expand(self, x: Tensor, made: Made) -> Made:
        return (x @ made[0].T,)

    def squares(self, points: Made, made: Made) -> Tensor:
        y, (_, middles, constant) = points[0], made
        return torch.addmm(constant, y, middles.T, alpha=-2).add_(y.square().sum(1, keepdim=True)).clamp_(min=0)

    def sums(self, points: Made, r: Tensor) -> Statistics:
        """y: Σ_n r_nk y_n, (K, D);  yy: Σ_n y_n y_nᵀ, (D, D), since the responsibilities of a point sum to 1."""
        return {"y": r.T @ points[0], "yy": points[0].T @ points[0]}

    def update(self, sums: Statistics, means: Tensor, factor: Tensor, regularisation: float) -> tuple[Tensor, Tensor]:
        n = sums["n"]
        middles = sums["y"] / n[:, None]
        about = (sums["yy"] - (middles * n[:, None]).T @ middles) / n.sum()
        identity = torch.eye(means.shape[1], dtype=torch.float64, device=means.device)
        lower = torch.linalg.solve_triangular(factor, identity, upper=False)
        covariance = lower @ about @ lower.T
        return middles @ lower.T, (covariance + covariance.T) / 2 + regularisation * identity


FORMS: dict[str, type[Form]] = {"full": Full, "tied": Tied, "diagonal": Diagonal, "spherical": Spherical}
