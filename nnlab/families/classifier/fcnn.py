"""The fully connected classifier, for images and tables."""

from __future__ import annotations

from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.families.classifier.base import Classifier
from nnlab.nn.bodies import MLPBody, Widths
from nnlab.nn.mlp import Activation, Dropout


class FCNN(Classifier):
    """A classifier of fully connected layers, for images and tables (Rumelhart, Hinton & Williams 1986).

    hidden   widths of the layers before the last; the last of them is the number of features
    dropout  share of each layer's outputs that are set to 0 in a step (Srivastava et al. 2014)
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        hidden: Widths = (512, 256),
        activation: Activation = "silu",
        dropout: Dropout = 0.2,
    ) -> None:
        super().__init__(spec, *MLPBody(hidden=hidden, activation=activation, dropout=dropout).build(spec.shape))

    @property
    def filters(self) -> Tensor:
        """(K, *shape) the weights of the first layer, one image per unit."""
        return self.body[1].weight.unflatten(1, self.spec.shape)
