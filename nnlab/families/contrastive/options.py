"""What a config says about the training of encoders. No torch."""

from __future__ import annotations

from typing import Annotated

from nnlab.config.constraints import AtLeast
from nnlab.training.options import GradientOptions


class EncoderOptions(GradientOptions):
    """Options of encoders that have no other measure than what their codes are good for.

    probe_labels  labelled training examples of the two classifiers on codes at each evaluation; 0: no classifiers
    """

    def __init__(self, *, probe_labels: Annotated[int, AtLeast(0)] = 5000, **gradient) -> None:
        super().__init__(**gradient)
        self.probe_labels = probe_labels
