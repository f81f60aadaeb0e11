"""The fully connected classifier, for images and tables."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from torch import Tensor, nn

from nnlab.config.constraints import NonEmpty
from nnlab.data.spec import DataSpec
from nnlab.families.classifier.base import Classifier
from nnlab.nn.mlp import ACTIVATIONS, Activation, Dropout, Width


class FCNN(Classifier):
    """A classifier of fully connected layers, for images and tables (Rumelhart, Hinton & Williams 1986).

    hidden   widths of the layers before the last; the last of them is the number of features
    dropout  share of each layer's outputs that are set to 0 in a step (Srivastava et al. 2014)
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden: Annotated[list[Width], NonEmpty()] = (512, 256),
        activation: Activation = "silu",
        dropout: Dropout = 0.2,
    ) -> None:
        layers: list[nn.Module] = [nn.Flatten()]
        for inputs, outputs in pairwise([spec.features, *hidden]):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation](), nn.Dropout(dropout)]
        super().__init__(spec, nn.Sequential(*layers), hidden[-1])

    @property
    def filters(self) -> Tensor:
        """(K, *shape) the weights of the first layer, one image per unit."""
        return self.body[1].weight.unflatten(1, self.spec.shape)
