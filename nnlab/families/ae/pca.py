"""Principal component analysis in one pass, solved by eigenvectors and not by gradient."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.model import Latent, PassModel, Statistics
from nnlab.nn.float64 import to_float64
from nnlab.nn.mlp import Width


class PCA(PassModel):
    """Principal component analysis: the linear autoencoder, solved exactly (Pearson 1901; Hotelling 1933; Bishop 2006, 12.1).

    C = (1/n) Σ (x − μ)(x − μ)ᵀ = Σ_i λ_i u_i u_iᵀ,   z = U_kᵀ (x − μ),   x̂ = μ + U_k z

    loss = Σ (x̂ − x)², the squared error summed over the image; its mean over the training set is Σ_{i>k} λ_i, the
    smallest for a linear code of k numbers. The sign of each u_i makes its largest entry positive; those beyond the
    rank of the data (at most n − 1) are orthonormal like the others, and their λ is zero up to rounding.

    mean (D,), components U_kᵀ (k, D), variances λ (k,), total_variance Σ_i λ_i

    A pass adds up Σ x and Σ xxᵀ (D, D). While it has read fewer examples than features, it keeps the examples instead,
    (n, D), which is smaller; if there are no more, C is solved from their inner products (n, n).
    """

    trainer = "nnlab.families.ae.trainer:PCATrainer"
    converged = True

    def __init__(self, spec: DataSpec, *, latent_dim: Width = 16) -> None:
        super().__init__(spec)
        if latent_dim > spec.features:
            raise BadInput(f"model.latent_dim: {latent_dim} components of {spec.features} features")
        self.latent_dim = latent_dim
        shapes = {"mean": (spec.features,), "components": (latent_dim, spec.features), "variances": (latent_dim,)}
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape), requires_grad=False))
        self.register_buffer("total_variance", torch.zeros(()))
        self.register_buffer("origin", torch.zeros(spec.features))

    def init_from_data(self, split: Split) -> None:
        if self.latent_dim > len(split):
            raise BadInput(f"model.latent_dim: {self.latent_dim} components of {len(split)} examples")
        # a point near the mean is subtracted first: E[x²] − E[x]² would lose all digits of a small variance
        self.origin.copy_(split.values(split.spread(1000)).flatten(1).mean(0))

    def e_step(self, batch: Batch, sums: Statistics | None) -> Statistics:
        x = to_float64(self.check(batch.target).flatten(1) - self.origin)
        if sums is None or "rows" in sums:
            x = x if sums is None else torch.cat([sums["rows"], x])
            if len(x) < self.spec.features:
                return {"rows": x}
            sums = None
        own = {"n": torch.tensor(float(len(x)), dtype=torch.float64, device=x.device), "x": x.sum(0), "xx": x.T @ x}
        return own if sums is None else {name: sums[name] + value for name, value in own.items()}

    def m_step(self, sums: Statistics) -> dict[str, Tensor]:
        k = self.latent_dim
        mean, variances, components = from_rows(sums["rows"], k) if "rows" in sums else from_sums(sums, k)
        largest = components.gather(1, components.abs().argmax(1, keepdim=True))
        self.mean.copy_(self.origin + mean.to(self.origin))
        self.components.copy_(components * largest.sign())
        variances = variances.clamp(min=0)
        self.variances.copy_(variances[:k])
        self.total_variance.copy_(variances.sum())
        return {"loss": variances[k:].sum(), "explained_variance": self.explained.sum().to(variances)}

    @property
    def explained(self) -> Tensor:
        """(k,) the share of the variance of each component; 0 if the data never vary."""
        return self.variances / self.total_variance.clamp(min=torch.finfo(torch.float32).tiny)

    def encode(self, x: Tensor) -> Tensor:
        """(N, k) coordinates along the components."""
        return (self.check(x).flatten(1) - self.mean) @ self.components.T

    def decode(self, z: Tensor) -> Tensor:
        """x̂ = μ + U_k z, (N, *shape), of codes z (N, k)."""
        return (z @ self.components + self.mean).unflatten(1, self.spec.shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        """μ + U_k U_kᵀ (x − μ), (N, *shape): the projection onto the plane of the components."""
        return self.decode(self.encode(x))

    def score(self, x: Tensor) -> Tensor:
        """Σ (x̂ − x)², (N,): the squared distance from the plane of the components."""
        return (self.reconstruct(x) - x).square().flatten(1).sum(1)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": (self.reconstruct(batch.input) - batch.target).square().flatten(1).sum(1)}

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """Zero and √λ: mean and standard deviation of the training set's codes, for any batches."""
        return Latent(mean=torch.zeros_like(self.variances), std=self.variances.sqrt())


def from_sums(sums: Statistics, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (D,), variances (D,) and the first k components (k, D), by the covariance C (D, D)."""
    mean = sums["x"] / sums["n"]
    variances, vectors = torch.linalg.eigh(sums["xx"] / sums["n"] - mean.outer(mean))
    return mean, variances.flip(0), vectors.flip(1)[:, :k].T


def from_rows(rows: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean (D,), variances (n,) and the first k ≤ n components (k, D), by the inner products of n rows X, centred, (n, D).

    If (1/n) XXᵀ v = λv then C Xᵀv = λ Xᵀv: the eigenvalues of C that are not zero, at a cost of n³ instead of D³
    (Turk & Pentland 1991, "Eigenfaces for recognition"; Bishop 2006, 12.1.4).
    """
    mean = rows.mean(0)
    centred = rows - mean
    variances, vectors = torch.linalg.eigh(centred @ centred.T / len(rows))
    # by QR, and not by dividing Xᵀv by its length √(nλ), which is only rounding beyond the rank
    components = torch.linalg.qr(centred.T @ vectors.flip(1)[:, :k]).Q.T
    return mean, variances.flip(0), components
