"""The options of variational autoencoders, the `trainer` node. No torch."""

from __future__ import annotations

from typing import Annotated, Literal

from nnlab.config.constraints import AtLeast
from nnlab.training.options import GradientOptions

USUAL = 500  # samples per image: some tenths of a nat from the value of many more


class Likelihood:
    """The estimate of log p(x) by importance sampling: at the end, on the test split, and in `nnlab evaluate`.

    samples  codes per image; auto: 500 if the model has a true likelihood of the values; None: no estimate
    chunk    codes that are decoded together: it limits the memory
    """

    def __init__(
        self,
        *,
        samples: Annotated[int, AtLeast(2)] | Literal["auto"] | None = "auto",
        chunk: Annotated[int, AtLeast(1)] = 1000,
    ) -> None:
        self.samples, self.chunk = samples, chunk


class VariationalOptions(GradientOptions):
    """Options of training by a bound on the likelihood."""

    def __init__(self, *, likelihood: Likelihood | None = None, **gradient) -> None:
        super().__init__(**gradient)
        self.likelihood = likelihood or Likelihood()
