"""The convolutional classifier, for images."""

from __future__ import annotations

from torch import Tensor

from nnlab.data.spec import DataSpec
from nnlab.families.classifier.base import Classifier
from nnlab.nn.bodies import ConvBody, Widths
from nnlab.nn.mlp import Activation, Dropout, Width


class CNN(Classifier):
    """A convolutional classifier (LeCun et al. 1998), with the blocks of VGG (Simonyan & Zisserman 2015).

    A block is two times a 3×3 convolution, batch normalisation (Ioffe & Szegedy 2015) and an activation; then 2×2 max
    pooling.

    channels  of the blocks; each block halves the image
    hidden    width of the fully connected layer after them, the number of features
    dropout   share of the features' inputs and outputs that are set to 0 in a step (Srivastava et al. 2014)
    """

    def __init__(
        self,
        spec: DataSpec,
        *,
        channels: Widths = (32, 64),
        hidden: Width = 256,
        activation: Activation = "relu",
        dropout: Dropout = 0.3,
    ) -> None:
        settings = ConvBody(channels=channels, hidden=hidden, activation=activation, dropout=dropout)
        super().__init__(spec, *settings.build(spec.shape))

    @property
    def filters(self) -> Tensor:
        """(K, C, 3, 3) the kernels of the first layer."""
        return self.body[0].weight
