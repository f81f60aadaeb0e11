"""Pictures of what a model does with the rows of a table."""

from __future__ import annotations

import numpy as np
import torch

from nnlab.data.spec import Batch
from nnlab.model import Encodes, Model, can
from nnlab.plotting.embedding import code_plot
from nnlab.plotting.plane import concat_targets, is_2d, plane_pictures


def table_pictures(model: Model, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
    """Of points of the plane what they become; of rows of more columns their codes, where a model has any."""
    if is_2d(model.spec):
        return plane_pictures(model, batches, generator)
    return {"embedding": codes_picture(model, concat_targets(batches))} if can(model, Encodes) else {}


def codes_picture(model: Encodes, batch: Batch) -> np.ndarray:
    """The codes of a batch in the colours of their classes, as `nnlab embed` draws them."""
    codes = model.encode(batch.input).float().cpu().numpy()
    return code_plot(codes, None if batch.label is None else batch.label.cpu().numpy(), model.spec.classes)
