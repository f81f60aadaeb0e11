"""The generative classifier: a mixture of Gaussians per class and Bayes' rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from nnlab.config.constraints import AtLeast
from nnlab.data.classes import need_classes
from nnlab.data.spec import Batch, DataSpec
from nnlab.data.split import Split
from nnlab.errors import BadInput
from nnlab.families.em.gmm import GMM
from nnlab.model import PassModel, Statistics


class GenerativeClassifier(PassModel):
    """One mixture of Gaussians per class, and Bayes' rule (Hastie & Tibshirani 1996, "Discriminant analysis by …"):

    p(c|x) = p(c) p(x|c) / Σ_c' p(c') p(x|c'),   p(c) the share of each class in the training set

    components  per class; the other options are those of `gmm`
    loss = −log p(label|x), nats per example
    """

    trainer = "nnlab.families.em.trainer:GenerativeClassifierTrainer"

    def __init__(
        self,
        spec: DataSpec,
        *,
        components: Annotated[int, AtLeast(1)] = 3,
        covariance: Literal["full", "tied", "diagonal", "spherical"] = "diagonal",
        regularisation: Annotated[float, AtLeast(0)] = 1e-2,
        init: Literal["k_means", "random"] = "random",
        tolerance: Annotated[float, AtLeast(0)] = 1e-3,
    ) -> None:
        super().__init__(spec)
        need_classes(spec, "a classifier learns from classes")
        self.components, self.regularisation = components, regularisation
        options = {"covariance": covariance, "regularisation": regularisation, "init": init, "tolerance": tolerance}
        self.mixtures = nn.ModuleList([GMM(spec, components=components, **options) for _ in spec.classes])
        self.shares = nn.Parameter(torch.full((len(spec.classes),), 1 / len(spec.classes)), requires_grad=False)

    def init_from_data(self, split: Split) -> None:
        labels, problems = split.labels(split.rows), []
        for c, (name, mixture) in enumerate(zip(self.spec.classes, self.mixtures, strict=True)):
            rows = split.at(labels == c)
            if not len(rows):
                problems.append(f"data: no training example of class {name}; leave it out with data.classes, or add some")
            elif len(rows) < self.components:
                problems.append(f"model.components: {self.components} components of {len(rows)} examples of class {name}")
            else:
                mixture.init_from_data(replace(split, rows=rows))
            self.shares[c] = len(rows) / len(split)
        if problems:
            raise BadInput(*problems)

    def e_step(self, batch: Batch, sums: Statistics | None) -> Statistics:
        """The statistics of each class's mixture, by the class's number."""
        total = dict(sums or {})
        for c, mixture in enumerate(self.mixtures):
            mine = (batch.label == c).nonzero().flatten()
            if len(mine):
                x, prefix = batch.target[mine], f"{c}/"
                before = {name.removeprefix(prefix): value for name, value in total.items() if name.startswith(prefix)}
                after = mixture.e_step(Batch(input=x, target=x), before or None)
                total |= {prefix + name: value for name, value in after.items()}
        return total

    def m_step(self, sums: Statistics) -> dict[str, Tensor]:
        """The mean over all examples of log p(x|label) and its bound."""
        terms: dict[str, Tensor] = {}
        for c, (share, mixture) in enumerate(zip(self.shares.cpu().double(), self.mixtures, strict=True)):
            prefix = f"{c}/"
            own = mixture.m_step({name.removeprefix(prefix): v for name, v in sums.items() if name.startswith(prefix)})
            for name, value in own.items():
                terms[name] = terms.get(name, 0.0) + (value if name == "collapsed_components" else share * value)
        self.converged = all(mixture.converged for mixture in self.mixtures)
        return terms

    def features(self, x: Tensor) -> Tensor:
        """log p(x|c), nats, (N, classes)."""
        return torch.stack([mixture.log_likelihood(x) for mixture in self.mixtures], dim=1)

    def decide(self, features: Tensor) -> Tensor:
        """p(c|x), (N, classes), of log p(x|c)."""
        return (features + self.shares.log()).softmax(1)

    def logits(self, x: Tensor) -> Tensor:
        """log p(x, c), nats, (N, classes)."""
        return self.features(self.check(x)) + self.shares.log()

    def classify(self, x: Tensor) -> Tensor:
        """p(c|x), (N, classes)."""
        return self.decide(self.features(self.check(x)))

    def encode(self, x: Tensor) -> Tensor:
        """log p(x|c), nats, (N, classes): the features of the decision."""
        return self.features(self.check(x))

    def score(self, x: Tensor) -> Tensor:
        """−log p(x), nats, (N,)."""
        return -self.logits(x).logsumexp(1)

    def sample_class(self, label: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """(n, *shape) from the mixtures of the classes (n,)."""
        x = torch.empty(len(label), *self.spec.shape, device=self.shares.device)
        for c, mixture in enumerate(self.mixtures):
            mine = (label == c).nonzero().flatten()
            if len(mine):
                x[mine] = mixture.sample(len(mine), generator)
        return x

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """Examples (n, *shape); classes are as frequent as in the training data."""
        label = torch.multinomial(self.shares, n, replacement=True, generator=generator)
        return self.sample_class(label, generator)
