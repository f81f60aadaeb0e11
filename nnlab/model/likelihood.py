"""The likelihood of a model's data, and whether log p of the data is defined."""

from __future__ import annotations

from nnlab.data.spec import DataSpec
from nnlab.data.split import Split
from nnlab.errors import ArgumentError
from nnlab.nn.likelihoods import (
    Bernoulli,
    Choice,
    ContinuousBernoulli,
    Density,
    DiscretizedLogistic,
    Gaussian,
    Likelihood,
    Sigma,
)

CHOICES = {
    "bernoulli": Bernoulli,
    "continuous_bernoulli": ContinuousBernoulli,
    "discretized_logistic": DiscretizedLogistic,
}


def likelihood_for(spec: DataSpec, choice: Choice = "auto", sigma: Sigma = "learned") -> Likelihood:
    """The likelihood of data; `auto` is Bernoulli for images within [0, 1] and Gaussian for everything else.

    Raises ArgumentError if the likelihood does not fit the data, or if sigma has no effect.
    """
    if choice == "auto":
        choice = "bernoulli" if spec.in_unit_interval and spec.kind == "image" else "gaussian"
    if choice != "gaussian" and not spec.in_unit_interval:
        raise ArgumentError("likelihood", f"{choice} needs {spec.beyond_unit_interval}; use gaussian")
    if choice == "discretized_logistic" and spec.kind != "image":
        raise ArgumentError(
            "likelihood", f"discretized_logistic is of the 256 levels of pixels, {spec.name} is a table; use gaussian"
        )
    if choice != "gaussian" and sigma != "learned":
        raise ArgumentError("sigma", f"has no effect under {choice}; add model.likelihood=gaussian, or leave it out")
    if choice == "gaussian":
        return Gaussian(spec.value_range, spec.features if spec.kind == "table" else 1, sigma)
    return CHOICES[choice]()


def why_without_log_p(likelihood: Likelihood, split: Split) -> str | None:
    """Reason why log p is undefined for the values of a split, or None. Ends an error message that names the data."""
    binary = split.is_binary or split.dynamic_binarization
    if isinstance(likelihood, Bernoulli) and not binary:
        return (
            "has gray values, of which the Bernoulli likelihood is no density; "
            "add data.binarize=dynamic or model.likelihood=continuous_bernoulli"
        )
    if isinstance(likelihood, Density) and binary:
        return "is binary, and on two points a density has no bound; give model.likelihood=bernoulli or data.binarize=none"
    return None
