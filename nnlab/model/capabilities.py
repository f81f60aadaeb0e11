"""What a model can do. A verb needs a capability, not a family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec, Part
from nnlab.model.latent import Latent


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
        """The mean and spread of codes, from batches."""


@runtime_checkable
class Tokenizes(Protocol):
    """write its codes in symbols"""

    alphabet: int
    """The number of symbols."""
    places: int
    """T, the number of symbols per code."""

    def encode_indices(self, x: Tensor) -> Tensor:
        """(N, T) int64, from 0 to the alphabet's size, of inputs (N, *shape)."""

    def decode_indices(self, symbols: Tensor) -> Tensor:
        """The codes (N, d) of symbols (N, T); for the symbols of inputs these are the codes of `encode`."""


@runtime_checkable
class Samples(Protocol):
    """draw new examples"""

    def sample(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """New examples (n, *shape)."""


@runtime_checkable
class SamplesInSteps(Protocol):
    """draw new examples step by step"""

    def sample_steps(self, n: int, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        """The states (n, *shape) of new examples by the name of the step, in order; the last are the examples of `sample`."""


@runtime_checkable
class SamplesClasses(Protocol):
    """draw examples of a class"""

    def sample_class(self, label: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """A new example (*shape) of each of the classes (n,) int64: (n, *shape)."""


@runtime_checkable
class SamplesGiven(Protocol):
    """draw examples of a text"""

    conditions: tuple[str, ...]
    """The parts of an example that it is given: ("caption",), ("caption", "box"), …"""

    def sample_given(self, parts: Mapping[str, Tensor], generator: torch.Generator | None = None) -> Tensor:
        """A new example (n, *shape) for each of the parts by name, (n, …) each, as a batch has them."""


@runtime_checkable
class Varies(Protocol):
    """make another example of the class of an image"""

    latent_dim: int

    def vary(self, x: Tensor, z: Tensor) -> Tensor:
        """Examples (N, *shape) of the classes of examples x (N, *shape), by noises z (N, latent_dim), N(0, I)."""


@runtime_checkable
class Classifies(Protocol):
    """tell classes apart"""

    def features(self, x: Tensor) -> Tensor:
        """The features of the decision, (N, d), of inputs (N, *shape)."""

    def decide(self, features: Tensor) -> Tensor:
        """Class probabilities (N, classes) of features (N, d)."""

    def classify(self, x: Tensor) -> Tensor:
        """Class probabilities (N, classes) of inputs (N, *shape)."""


@runtime_checkable
class ClassifiesLabels(Protocol):
    """tell the classes of several labels apart"""

    labels: tuple[str, ...]
    """The names of the labels."""

    def features(self, x: Tensor) -> Tensor:
        """The features of all decisions, (N, d), of inputs (N, *shape)."""

    def decide_labels(self, features: Tensor) -> dict[str, Tensor]:
        """Class probabilities (N, classes of the label), by the label's name, of features (N, d)."""


@runtime_checkable
class Scores(Protocol):
    """tell how unusual an example is"""

    def score(self, x: Tensor) -> Tensor:
        """(N,) of inputs (N, *shape): larger is more unusual."""


@runtime_checkable
class Reconstructs(Protocol):
    """reconstruct"""

    def reconstruct(self, x: Tensor) -> Tensor:
        """The reconstructions of inputs (N, *shape)."""


@runtime_checkable
class Completes(Protocol):
    """complete"""

    def complete(self, x: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor:
        """Outputs of inputs (N, *shape) whose values are lost where the mask (N, *shape) is true; the others stay."""


@runtime_checkable
class Translates(Protocol):
    """translate images"""

    def directions(self) -> dict[str, tuple[Part, Part]]:
        """By the name of what it makes: the images that it takes, and those that it makes.

        {"target": (spec.input, spec.target)} of a model with one direction; {"b": (a's part, b's part), "a": (…)} of a model of
        two domains.
        """

    def translate(self, x: Tensor, to: str) -> Tensor:
        """The images (N, C', H', W') that it makes of images (N, C, H, W) of any size that its network takes.

        Raises BadInput for another size, naming the ones that it takes.
        """


def one_direction(spec: DataSpec) -> dict[str, tuple[Part, Part]]:
    """The `directions` of a model that makes targets of inputs."""
    return {"target": (spec.input, spec.target)}


@torch.no_grad()
def code_width(model: Encodes) -> int:
    """d, the length of a model's codes."""
    device = next(model.parameters()).device
    return model.eval().encode(torch.zeros(1, *model.spec.input.shape, device=device)).shape[1]


def can(model: Any, capability: type) -> bool:
    """Whether a model, or a model's class, has every method of a capability."""
    methods = [name for name in vars(capability) if not name.startswith("_") and callable(getattr(capability, name))]
    return all(callable(getattr(model, name, None)) for name in methods)
