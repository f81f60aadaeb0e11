"""Pictures of a model of tables."""

from __future__ import annotations

import numpy as np
import torch

from nnlab.data.spec import Batch
from nnlab.model import Encodes, Model, can
from nnlab.plotting.embedding import code_plot
from nnlab.plotting.plane import concat_targets, is_2d, plane_pictures


def table_pictures(model: Model, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
    """For points of the plane their reconstructions; for more columns the codes, if the model has codes."""
    if is_2d(model.spec):
        return plane_pictures(model, batches, generator)
    return {"embedding": codes_picture(model, concat_targets(batches))} if can(model, Encodes) else {}


def codes_picture(model: Encodes, batch: Batch) -> np.ndarray:
    """The codes of a batch in the colours of their classes, as `nnlab embed` draws them."""
    codes = model.encode(batch.input).float().cpu().numpy()
    return code_plot(codes, None if batch.label is None else batch.label.cpu().numpy(), model.spec.classes)
