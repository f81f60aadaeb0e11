"""What a model is and what it can do, without its training."""

from nnlab.model.base import Model
from nnlab.model.capabilities import (
    Classifies,
    ClassifiesLabels,
    Completes,
    Decodes,
    Encodes,
    Reconstructs,
    Samples,
    SamplesClasses,
    SamplesGiven,
    SamplesInSteps,
    Scores,
    Tokenizes,
    Translates,
    Varies,
    can,
    code_width,
    one_direction,
)
from nnlab.model.latent import Latent
from nnlab.model.metric import Joint, Mean, Metric
from nnlab.model.passes import PassModel, Statistics
from nnlab.model.turn import Step, Turn

__all__ = [
    "Classifies",
    "ClassifiesLabels",
    "Completes",
    "Decodes",
    "Encodes",
    "Joint",
    "Latent",
    "Mean",
    "Metric",
    "Model",
    "PassModel",
    "Reconstructs",
    "Samples",
    "SamplesClasses",
    "SamplesGiven",
    "SamplesInSteps",
    "Scores",
    "Statistics",
    "Step",
    "Tokenizes",
    "Translates",
    "Turn",
    "Varies",
    "can",
    "code_width",
    "one_direction",
]
