"""Pictures of a model of points of the plane, in the units of the file."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nnlab.data.spec import Batch, DataSpec
from nnlab.model import Model, Reconstructs, Samples, can
from nnlab.nn.spaced import evenly_spaced
from nnlab.plotting.axes import Points, canvas, dots, joined, scatter

PAIRS = 300  # at most this many inputs with lines to their outputs


def is_2d(spec: DataSpec) -> bool:
    """Whether examples are points of the plane: a table of two columns."""
    return spec.kind == "table" and spec.features == 2


def plane_pictures(model: Model, batches: list[Batch], generator: torch.Generator) -> dict[str, np.ndarray]:
    """The pictures of a model of a table with two columns; none for other tables."""
    if not is_2d(model.spec):
        return {}
    pictures = {}
    if can(model, Reconstructs):
        pictures["reconstruction"] = reconstruction_plot(model, concat_targets(batches))
    if can(model, Samples):
        pictures["sample"] = sample_plot(model, concat_targets(batches), generator)
    return pictures


def concat_targets(batches: list[Batch]) -> Batch:
    """Batches as one."""

    def cat(name: str) -> Tensor | None:
        parts = [getattr(batch, name) for batch in batches]
        return None if parts[0] is None else torch.cat(parts)

    return Batch(cat("input"), cat("target"), cat("mask"), cat("label"))


def reconstruction_plot(model: Reconstructs, batch: Batch) -> np.ndarray:
    """Inputs in the colours of their classes, each with a line to its output; clean data are gray, behind corrupted inputs."""
    spec = model.spec
    clean = points(batch.target, spec)
    few = evenly_spaced(len(batch), PAIRS).to(batch.input.device)
    label = None if batch.label is None else batch.label[few].cpu().numpy()
    given, output = points(batch.input[few], spec), points(model.reconstruct(batch.input[few]), spec)
    with canvas(spec.column_names, clean) as drawn:
        if batch.mask is not None:
            scatter(drawn.axes, Points(clean), (), "clean data", alpha=0.25)
        joined(drawn.axes, given, output)
        scatter(drawn.axes, Points(given, label), tuple(f"input: {name}" for name in spec.classes), "input", s=26)
        dots(drawn.axes, output, "output")
    return drawn.pixels


def sample_plot(model: Samples, batch: Batch, generator: torch.Generator) -> np.ndarray:
    """As many samples as there are data, over them."""
    spec = model.spec
    data = points(batch.target, spec)
    label = None if batch.label is None else batch.label.cpu().numpy()
    with canvas(spec.column_names, data) as drawn:
        scatter(drawn.axes, Points(data, label), spec.classes, alpha=0.6)
        dots(drawn.axes, points(model.sample(len(batch), generator), spec), "sample")
    return drawn.pixels


def points(x: Tensor, spec: DataSpec) -> np.ndarray:
    """(N, 2) values of the model → float64, in the file's units."""
    return spec.original(x).double().cpu().numpy()
