"""Codes as the verb writes them, and as the model says them."""

from __future__ import annotations

import numpy as np
import torch

import nnlab as package
from nnlab.data.split import Split
from nnlab.experiment.loading import open_run


def embed(nnlab, *typed: str) -> dict[str, np.ndarray]:
    """Embed by the last run without t-SNE, and read what was written."""
    status, out, error = nnlab("embed", "last", "--tsne", "0", *typed)
    assert status == 0, error
    with np.load(out.splitlines()[0], allow_pickle=False) as found:
        return dict(found)


def split_of(name: str) -> Split:
    """A split of the last run."""
    return open_run("last").experiment.data.split(name)


def codes_of(x: torch.Tensor) -> np.ndarray:
    """(N, d) by the last run's model."""
    with torch.inference_mode():
        return package.load("last").encode(x).numpy()
