"""The mixture of Gaussians with full, tied, diagonal or spherical covariances."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.feed import clean_batches
from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.ae.pca import PCA
from nnlab.families.em.covariances import FORMS, Made
from nnlab.families.em.mixture import Mixture
from nnlab.model import Statistics
from nnlab.model.data_init import constant_columns
from nnlab.nn.float64 import to_float64

LARGEST = 2**30  # bytes of covariances; an M-step needs several times this
Number = Literal["float32", "float64"]


class GMM(Mixture):
    """A mixture of Gaussians (Bishop 2006, 9.2):  p(x) = Σ_k w_k N(x; m_k, Σ_k)

    covariance      full: any Σ_k; tied: one Σ for all; diagonal; spherical: σ²_k I
    regularisation  added to every variance, in squared units of the data. The likelihood depends on it: report both.
                    If it is above 0, a pass may lower the likelihood in the last digits
    principal       the mixture and its densities are of this many principal components of x; its means and samples are
                    given as x
    precision       of the products of the E-step. float32 is replaced by float64 if a component is too narrow and too far
                    from the data's mean for float32

    offsets (K, D): the means minus the data's mean `origin` (D,). Covariances are float64.
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        covariance: Literal["full", "tied", "diagonal", "spherical"] = "diagonal",
        regularisation: Annotated[float, AtLeast(0)] = 1e-3,
        principal: Annotated[int, AtLeast(1)] | None = None,
        precision: Number = "float32",
        **mixture,
    ) -> None:
        super().__init__(spec, **mixture)
        self.covariance, self.regularisation = covariance, regularisation
        self.form = FORMS[covariance]()
        self.dtype = getattr(torch, precision)
        if principal is not None and principal > spec.features:
            raise BadInput(f"model.principal: {principal} principal components of {spec.features} features")
        self.pca = None if principal is None else PCA(spec, latent_dim=principal)
        k, d = self.components, principal or spec.features
        self.width = d
        bytes_taken = 8 * math.prod(self.form.shape(k, d))
        if bytes_taken > LARGEST:
            raise BadInput(
                f"model.covariance: {k} {covariance} covariances of {d} features take {bytes_taken / 2**30:.1f} GiB; "
                "choose diagonal, or a number of principal components with model.principal"
            )
        ones = torch.ones(d, dtype=torch.float64)
        self.offsets = nn.Parameter(torch.zeros(k, d, dtype=torch.float64), requires_grad=False)
        self.covariances = nn.Parameter(self.form.spread(ones, k).clone(), requires_grad=False)
        self.register_buffer("origin", torch.zeros(d))
        self.register_buffer("variances", ones.clone())
        self._factors: tuple | None = None

    @property
    def means(self) -> Tensor:
        return self.shown((self.origin + self.offsets).float())

    def shown(self, z: Tensor) -> Tensor:
        """(N, D) points of the mixture, as values of the data."""
        return z if self.pca is None else self.pca.decode(z).flatten(1)

    def seen(self, x: Tensor) -> Tensor:
        """Inputs (N, D) as points of the mixture."""
        return x if self.pca is None else self.pca.encode(x.unflatten(1, self.spec.shape))

    @property
    def free(self) -> int:
        return self.offsets.numel() + self.form.free(*self.offsets.shape)

    def prepare(self, split: Split) -> None:
        if self.pca is not None:
            if self.width > len(split):
                raise BadInput(f"model.principal: {self.width} principal components of {len(split)} examples")
            self.pca.init_from_data(split)
            self.pca.fit(clean_batches(split))
        elif self.regularisation == 0 and self.covariance != "spherical":
            self.refuse_constant(split)
        points = to_float64(self.seen(split.values(split.spread(1000)).flatten(1)))
        self.origin.copy_(points.mean(0))
        self.variances.copy_(points.var(0, correction=0) + max(self.regularisation, 1e-12))
        # K components share the data's variance: if each were as wide as the data, they would all be alike at first
        self.variances.div_(self.components)
        self.covariances.copy_(self.form.spread(self.variances, self.components))

    def refuse_constant(self, split: Split) -> None:
        """Raise BadInput if a column never changes: without regularisation its variance is 0, and there is no density."""
        same = constant_columns(split).nonzero().flatten().tolist()
        if same:
            named = [self.spec.column_names[i] for i in same] if self.spec.kind == "table" else [f"pixel {i}" for i in same]
            others = f" and {len(same) - 3} more" if len(same) > 3 else ""
            raise BadInput(
                f"model.regularisation: 0, but {', '.join(named[:3])}{others} never changes in the training data, "
                "so its variance has no inverse; give a number above 0, or leave that column out"
            )

    def factors(self) -> tuple[Tensor, Tensor, Made]:
        """L⁻¹ and log |Σ| in float64, and the factors of points in the type of the E-step; computed once per pass."""
        state = (self.offsets._version, self.covariances._version, self.offsets.device)
        constant = self._factors is not None and torch.compiler.is_compiling()  # an exported graph holds them, not their making
        if not constant and (self._factors is None or self._factors[0] != state):
            factor, log_det = self.form.factor(self.covariances, self.width)
            far = self.form.whitened(self.offsets, factor).square().max()
            dtype = torch.float64 if far > self.form.digits else self.dtype
            made = tuple(part.to(dtype) for part in self.form.prepare(self.offsets, factor))
            self._factors = state, (factor, log_det, made)
        return self._factors[1]

    def expand(self, x: Tensor) -> Made:
        made = self.factors()[2]
        dtype = made[0].dtype
        return self.form.expand(self.seen(x.flatten(1)).to(dtype) - self.origin.to(dtype), made)

    def log_components(self, points: Made) -> Tensor:
        _, log_det, made = self.factors()
        constant = self.width * math.log(2 * math.pi) + log_det
        return (self.form.squares(points, made) + constant.to(made[0].dtype)) * -0.5

    def sums(self, points: Made, r: Tensor) -> Statistics:
        return self.form.sums(points, r)

    def maximise(self, sums: Statistics) -> Tensor:
        positive = {**sums, "n": sums["n"].clamp(min=1e-300)}
        offsets, covariances = self.form.update(positive, self.offsets, self.factors()[0], self.regularisation)
        _, log_det = self.form.factor(covariances, self.width)
        usable = log_det.isfinite() & offsets.isfinite().all(1)  # (K,): all components share a tied covariance
        self.offsets.copy_(torch.where(usable[:, None], offsets, self.offsets))
        keep = usable.any() if self.covariance == "tied" else usable.view(-1, *[1] * (covariances.dim() - 1))
        self.covariances.copy_(torch.where(keep, covariances, self.covariances))
        return ~usable

    def renew(self, which: Tensor, points: Tensor) -> None:
        self.offsets[which] = to_float64(self.seen(points) - self.origin)
        fresh = self.form.spread(self.variances, self.components)
        if self.covariance != "tied":
            self.covariances[which] = fresh[which]
        elif which.all():
            self.covariances.copy_(fresh)

    def draw(self, component: Tensor, generator: torch.Generator | None) -> Tensor:
        factor = self.factors()[0]
        z = torch.randn(len(component), self.width, device=component.device, generator=generator).to(factor.dtype)
        if self.covariance in ("diagonal", "spherical"):
            away = z / factor[component]
        elif self.covariance == "tied":
            away = torch.linalg.solve_triangular(factor, z.T, upper=False).T
        else:
            away = torch.empty_like(z)
            for k, inverse in enumerate(factor):
                mine = component == k
                away[mine] = torch.linalg.solve_triangular(inverse, z[mine].T, upper=False).T
        return self.shown((self.origin + self.offsets[component] + away).float())

    def scales(self) -> Tensor:
        """(K, D, D) float64: L_k with Σ_k = L_k L_kᵀ, for each form."""
        k, d = self.offsets.shape
        factor = self.factors()[0]
        if self.covariance in ("diagonal", "spherical"):
            return (1 / factor).expand(k, d).diag_embed()
        return torch.linalg.inv(factor).expand(k, d, d)
