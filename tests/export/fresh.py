"""A small untrained model of digits, initialized from the data."""

from __future__ import annotations

from conftest import built, small

from nnlab.model import Model


def fresh(model: str, *overrides: str) -> Model:
    """In evaluation mode, on the CPU."""
    experiment = built(*small(model), *overrides)
    experiment.initialize()
    return experiment.model.eval()
