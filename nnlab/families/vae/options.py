"""What the `trainer` node says of variational autoencoders. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from nnlab.config.constraints import AtLeast
from nnlab.training.options import GradientOptions

USUAL = 500  # samples an image: within some tenths of a nat of many more


class Likelihood:
    """How log p(x) is estimated by importance sampling: at the end, on the test split, and by `nnlab evaluate`.

    samples  codes an image; auto: 500 where the model gives the values a likelihood; None: it is not estimated
    chunk    codes that are decoded together: it bounds the memory
    """

    def __init__(
        self,
        *,
        samples: Annotated[int, AtLeast(2)] | Literal["auto"] | None = "auto",
        chunk: Annotated[int, AtLeast(1)] = 1000,
    ) -> None:
        self.samples, self.chunk = samples, chunk


class VariationalOptions(GradientOptions):
    """Of learning by a bound on the likelihood."""

    def __init__(self, *, likelihood: Likelihood | None = None, **gradient) -> None:
        super().__init__(**gradient)
        self.likelihood = likelihood or Likelihood()
