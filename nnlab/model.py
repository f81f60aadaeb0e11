"""What a model is, and what a model can do.

A model owns mathematics alone: its loss in named terms, and the capabilities below. Who trains it is said by its family's
base class (`trainer`); a verb asks for a capability, never for a family.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nnlab.data.spec import Batch, DataSpec
from nnlab.nn.precise import doubled

if TYPE_CHECKING:
    from nnlab.data.dataset import Split


class Model(nn.Module):
    """Base of every model; built from the data's spec and the keys of its YAML (keyword-only parameters)."""

    trainer: ClassVar[str]
    """Who trains it, as "module:class": a family's base class says so. A name, since trainers know models, not the reverse."""

    def __init__(self, spec: DataSpec) -> None:
        super().__init__()
        self.spec = spec

    @property
    def size(self) -> int:
        """How many numbers it learns."""
        return sum(p.numel() for p in self.parameters())

    def check(self, x: Tensor) -> Tensor:
        """The inputs themselves. Raises ValueError unless they are (N, *shape)."""
        if x.shape[1:] != self.spec.shape:
            expected = ", ".join(map(str, self.spec.shape))
            raise ValueError(f"{type(self).__name__}: expected inputs (N, {expected}), got {tuple(x.shape)}")
        return x

    def start(self, split: Split) -> None:
        """Set what is read off the training data once, before the first step. Nothing, unless a model says otherwise."""

    def remarks(self, split: Split) -> list[str]:
        """What should be known of these training data and this model, a sentence each; said once when a run begins."""
        return []

    def forward(self, x: Tensor) -> Tensor:
        """What the model makes of inputs (N, *shape): reconstructions, else class probabilities (N, C), else codes (N, d).

        Raises TypeError if it can do none of it, as a GAN without an encoder.
        """
        for capability, name in ((Reconstructs, "reconstruct"), (Classifies, "classify"), (Encodes, "encode")):
            if can(self, capability):
                return getattr(self, name)(x)
        raise TypeError(f"{type(self).__name__} takes no input; it draws new examples: model.sample(16)")

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Named terms, each (N,) float32, one value an image; the mean of `loss` is what is minimised."""
        raise NotImplementedError


@dataclass
class Latent:
    """A latent space measured along its coordinates.

    mean, std  (d,) where the codes lie
    kl         (d,) nats that each coordinate carries, where the model is variational
    """

    mean: Tensor
    std: Tensor
    kl: Tensor | None = None

    @classmethod
    def of(cls, codes: Tensor) -> Latent:
        """The mean and the standard deviation of codes (N, d)."""
        exact = doubled(codes)
        mean, std = (figure.float().to(codes.device) for figure in (exact.mean(0), exact.std(0, correction=0)))
        return cls(mean, std)

    def order(self) -> list[int]:
        """The coordinates, the most informative first: by their KL, or by their spread."""
        return (self.std if self.kl is None else self.kl).argsort(descending=True).tolist()


@runtime_checkable
class Encodes(Protocol):
    """encode"""

    def encode(self, x: Tensor) -> Tensor:
        """Codes (N, d) of inputs (N, *shape)."""


@runtime_checkable
class Decodes(Protocol):
    """decode a code"""

    latent_dim: int

    def decode(self, z: Tensor) -> Tensor:
        """Outputs (N, *shape) of codes (N, d)."""

    def latent(self, batches: Iterable[Batch]) -> Latent:
        """Where codes lie, measured on batches."""


@runtime_checkable
class Spells(Protocol):
    """write its codes in symbols"""

    alphabet: int
    """How many symbols there are."""
    places: int
    """T, how many a code takes."""

    def symbols(self, x: Tensor) -> Tensor:
        """(N, T) int64, from 0 to the alphabet's size, of inputs (N, *shape)."""

    def spelled(self, symbols: Tensor) -> Tensor:
        """The codes (N, d) that symbols (N, T) stand for; of its own inputs' symbols what `encode` gives."""


@runtime_checkable
class Samples(Protocol):
    """draw new examples"""

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """New examples (n, *shape)."""


@runtime_checkable
class SamplesClasses(Protocol):
    """draw examples of a class"""

    def sample_class(self, label: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A new example (*shape) of each of the classes (n,) int64: (n, *shape)."""


@runtime_checkable
class Classifies(Protocol):
    """tell classes apart"""

    def features(self, x: Tensor) -> Tensor:
        """What it decides by, (N, d), of inputs (N, *shape)."""

    def decide(self, features: Tensor) -> Tensor:
        """Class probabilities (N, classes) of features (N, d)."""

    def classify(self, x: Tensor) -> Tensor:
        """Class probabilities (N, classes) of inputs (N, *shape)."""


@runtime_checkable
class Scores(Protocol):
    """tell how unusual an example is"""

    def score(self, x: Tensor) -> Tensor:
        """(N,) of inputs (N, *shape): the larger, the more unusual."""


@runtime_checkable
class Reconstructs(Protocol):
    """reconstruct"""

    def reconstruct(self, x: Tensor) -> Tensor:
        """What the model makes of inputs (N, *shape)."""


@runtime_checkable
class Completes(Protocol):
    """complete"""

    def complete(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Outputs of inputs (N, *shape) whose values are lost where the mask (N, *shape) is true; the others stay."""


@torch.no_grad()
def code_width(model: Encodes) -> int:
    """d, the length of a model's codes."""
    device = next(model.parameters()).device
    return model.eval().encode(torch.zeros(1, *model.spec.shape, device=device)).shape[1]


def can(model: Any, capability: type) -> bool:
    """Whether a model, or a model's class, has every method of a capability."""
    methods = [name for name in vars(capability) if not name.startswith("_") and callable(getattr(capability, name))]
    return all(callable(getattr(model, name, None)) for name in methods)
