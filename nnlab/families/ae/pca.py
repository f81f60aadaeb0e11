from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from nnlab.data.dataset import Split
from nnlab.data.spec import Batch, DataSpec
from nnlab.errors import BadInput
from nnlab.model import Latent
from nnlab.nn.mlp import Width
from nnlab.nn.precise import doubled
from nnlab.training.passes import PassModel, Statistics


class PCA(PassModel):
    """Principal component analysis: the linear autoencoder, solved exactly (Pearson 1901; Hotelling 1933; Bishop 2006, 12.1).

    C = (1/n) Σ (x − μ)(x − μ)ᵀ = Σ_i λ_i u_i u_iᵀ,   z = U_kᵀ (x − μ),   x̂ = μ + U_k z

    loss = Σ (x̂ − x)², the squared error summed over the image; its mean over the training set is Σ_{i>k} λ_i, the least
    that any linear code of k numbers leaves. Each u_i points to where its largest entry is positive.

    mean (D,), components U_kᵀ (k, D), variances λ (k,), total_variance Σ_i λ_i
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

    def start(self, split: Split) -> None:
        # the sums are taken about a point near the mean: E[x²] − E[x]² would lose every digit of a small spread
        self.origin.copy_(split.values(split.spread(1000)).flatten(1).mean(0))

    def accumulate(self, batch: Batch, sums: Statistics | None) -> Statistics:
        x = doubled(self.check(batch.target).flatten(1) - self.origin)
        own = {"n": torch.tensor(float(len(x)), dtype=torch.float64, device=x.device), "x": x.sum(0), "xx": x.T @ x}
        return own if sums is None else {name: sums[name] + value for name, value in own.items()}

    def finish(self, sums: Statistics) -> dict[str, Tensor]:
        mean = sums["x"] / sums["n"]
        variances, vectors = torch.linalg.eigh(sums["xx"] / sums["n"] - mean.outer(mean))
        components = vectors.flip(1)[:, : self.latent_dim].T
        largest = components.gather(1, components.abs().argmax(1, keepdim=True))
        self.mean.copy_(self.origin + mean.to(self.origin))
        self.components.copy_(components * largest.sign())
        self.variances.copy_(variances.flip(0)[: self.latent_dim].clamp(min=0))
        self.total_variance.copy_(variances.clamp(min=0).sum())
        return {"loss": self.total_variance - self.variances.sum(), "explained_variance": self.explained.sum()}

    @property
    def explained(self) -> Tensor:
        """(k,) the share of the variance that each component carries."""
        return self.variances / self.total_variance

    def encode(self, x: Tensor) -> Tensor:
        """(N, k) coordinates along the components."""
        return (self.check(x).flatten(1) - self.mean) @ self.components.T

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.components + self.mean).unflatten(1, self.spec.shape)

    def reconstruct(self, x: Tensor) -> Tensor:
        return self.decode(self.encode(x))

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        return {"loss": (self.reconstruct(batch.input) - batch.target).square().flatten(1).sum(1)}

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """Zero and √λ: what the training set's codes are, whatever the batches."""
        return Latent(mean=torch.zeros_like(self.variances), std=self.variances.sqrt())
